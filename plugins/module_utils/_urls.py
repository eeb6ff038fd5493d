# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""URLs of services, built from parts so that each part comes back as it was."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*\Z")
HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\Z")
MAX_PORT = 65_535


def build_url(  # noqa: PLR0913 - a URL has that many parts
    scheme: str,
    host: str,
    *,
    user: str | None = None,
    password: str | None = None,
    port: int | str | None = None,
    path: int | str | None = None,
    query: Mapping[str, object] | None = None,
) -> str:
    """Return the URL; ValueError names the part that cannot stand in one, and shows no password."""
    if not SCHEME.match(scheme):
        raise ValueError(f"scheme {scheme!r} is none: small letters, digits, + . and -, a letter first")
    url = f"{scheme}://{_credentials(user, password)}{_host(host)}{_port(port)}"
    if path is not None and str(path) != "":
        url += "/" + _encode("path", str(path), safe="/")
    if query:
        url += "?" + urlencode([(key, _query_value(value)) for key, value in query.items()], quote_via=quote, safe="")
    return url


def _encode(part: str, text: str, safe: str = "") -> str:
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError:
        raise ValueError(f"{part} is not valid Unicode: save the file that it comes from as UTF-8") from None


def _credentials(user: str | None, password: str | None) -> str:
    """Return `user:password@`, where either may be missing."""
    if not user and not password:
        return ""
    secret = ":" + _encode("password", str(password)) if password else ""
    return _encode("user", str(user or "")) + secret + "@"


def _host(host: str) -> str:
    """Return the host in lower case, as every reader gives it back; an IPv6 address in brackets."""
    name = host.strip("[]").lower()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        if HOST.match(name) and name == host.lower():
            return name
        raise ValueError(f"host {host!r} is neither a host name nor an IP address") from None
    return f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6


def _port(port: int | str | None) -> str:
    if port is None or port == "":
        return ""
    if isinstance(port, bool) or not str(port).isdecimal() or not 1 <= int(port) <= MAX_PORT:
        raise ValueError(f"port {port!r} is none: a number from 1 to {MAX_PORT}")
    return f":{int(port)}"


def _query_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
