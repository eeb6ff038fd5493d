# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The site of a test host as a client on this machine reaches it, by the port that the host publishes for 443."""

from __future__ import annotations

import http.client

from tests.load.wire import handshake

# The name that the certificate is for; Nginx answers nobody who does not name one of its sites in the handshake.
NAME = "localhost"


def address(port: int) -> str:
    """Return the address of the site for a load, which says the name beside it."""
    return f"https://127.0.0.1:{port}"


def connect(port: int, seconds: float = 20) -> http.client.HTTPSConnection:
    """Return a connection that will be opened; whether the certificate is right is what `molecule/edge` asks."""
    return http.client.HTTPSConnection(NAME, port, timeout=seconds, context=handshake())
