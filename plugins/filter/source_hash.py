# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter that turns the source of an app into a release id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible.errors import AnsibleFilterError
from ansible_collections.barehost.django.plugins.module_utils import _source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SHORTEST = 8
LONGEST = 64


def source_hash(  # noqa: PLR0913 - one parameter for each kind of input of a build
    path: str,
    dockerfile: str = "Dockerfile",
    build_args: Mapping[str, object] | None = None,
    base_images: Sequence[str] = (),
    extra: Sequence[str] = (),
    length: int = _source.ID_LENGTH,
) -> str:
    """Return the first digits of the hash of everything that decides what the image will be."""
    if not SHORTEST <= length <= LONGEST:
        raise AnsibleFilterError(f"source_hash: length {length} is not within {SHORTEST} to {LONGEST}")
    try:
        digest = _source.content_hash(path, dockerfile, build_args=build_args, base_images=base_images, extra=extra)
    except _source.SourceError as error:
        raise AnsibleFilterError(f"source_hash: {error}") from None
    return digest[:length]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"source_hash": source_hash}
