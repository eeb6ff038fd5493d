"""JSON input with a size limit."""

from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from .limits import MAX_BODY_BYTES


class BoundedJSONParser(JSONParser):
    """Refuses what is too long or nested too deeply; Django's own limit does not hold for streamed bodies."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Parse the body, or answer 400."""
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            message = f"The body is longer than {MAX_BODY_BYTES} bytes."
            raise ParseError(message)
        try:
            return super().parse(BytesIO(body), media_type, parser_context)
        except RecursionError as error:
            message = "The body is nested too deeply."
            raise ParseError(message) from error
