# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter that builds the URL of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible.errors import AnsibleFilterError
from ansible_collections.barehost.django.plugins.module_utils import _urls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def service_url(  # noqa: PLR0913 - a URL has that many parts
    scheme: str,
    host: str,
    port: int | str | None = None,
    user: str | None = None,
    password: str | None = None,
    path: int | str | None = None,
    query: Mapping[str, object] | None = None,
) -> str:
    """Return the percent-encoded URL."""
    try:
        return _urls.build_url(scheme, host, user=user, password=password, port=port, path=path, query=query)
    except ValueError as error:
        raise AnsibleFilterError(f"service_url: {error}") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"service_url": service_url}
