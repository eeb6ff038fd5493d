# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a client claims of itself: the application is told who it is, and not who it says it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import DOMAIN, Host

pytestmark = pytest.mark.usefixtures("mirror")

FORGED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "other.example",
    "X-Forwarded-Port": "1234",
    "X-Forwarded-Server": "other.example",
    "X-Forwarded-Prefix": "/other",
    "X-Forwarded-Ssl": "off",
    "X-Forwarded-Scheme": "ftp",
    "X-Forwarded-Protocol": "ftp",
    "X-Url-Scheme": "ftp",
    "X-Client-IP": "203.0.113.9",
    "X-Original-URL": "/other",
    "Proxy": "http://other.example",
    "X-Real-IP": "203.0.113.9",
    "Forwarded": "for=203.0.113.9;host=other.example;proto=http",
    # What some servers take for the same.
    "X_Forwarded_For": "203.0.113.9",
    "X_Forwarded_Host": "other.example",
    "SCRIPT_NAME": "/other",
    "REMOTE_USER": "admin",
    "Remote_Addr": "203.0.113.9",
}


def asked(outside: Host, *options: str) -> dict[str, Any]:
    """Ask from the other host, with everything forged, what the application is told."""
    headers = " ".join(f"-H '{name}: {value}'" for name, value in FORGED.items())
    text = outside.run(f"curl -sS -k --http1.1 {headers} {' '.join(options)} https://{DOMAIN}/mirror/")
    return dict(json.loads(text))


@pytest.mark.parametrize("options", ["", "--http2"])
def test_nothing_that_is_forged_is_told(outside: Host, options: str) -> None:
    found = asked(outside, options)
    told = found["told"]
    assert told["HTTP_X_FORWARDED_FOR"] == outside.address
    assert told["HTTP_X_REAL_IP"] == outside.address
    assert told["HTTP_X_FORWARDED_PROTO"] == "https"
    assert (found["secure"], found["address"]) == (True, f"https://{DOMAIN}/")
    forged = {f"HTTP_{name.upper().replace('-', '_')}" for name in FORGED}
    assert forged & set(told) == {"HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_PROTO"}
    assert [value for value in set(FORGED.values()) - {"http", "off", "admin"} if value in json.dumps(found)] == []


def test_several_lines_of_the_same_are_overwritten_too(outside: Host) -> None:
    again = "-H 'X-Forwarded-For: 198.51.100.7' -H 'x-forwarded-proto: ftp'"
    told = asked(outside, again)["told"]
    assert (told["HTTP_X_FORWARDED_FOR"], told["HTTP_X_FORWARDED_PROTO"]) == (outside.address, "https")
