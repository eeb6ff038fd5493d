# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which certificate a server shows."""

from __future__ import annotations

import socket
import ssl

SECONDS = 5


def shown(address: str, port: int, name: str) -> bytes:
    """Return the certificate that a server shows under a name, as DER; nothing where it does not shake hands.

    Whether it is to be trusted is not asked: it is compared with the one that should be there.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        plain = socket.create_connection((address, port), SECONDS)
        with plain, context.wrap_socket(plain, server_hostname=name) as wrapped:
            return wrapped.getpeercert(binary_form=True) or b""
    except OSError:
        return b""
