# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ports do with a connection; its text is sent to the host that looks, which has only Python."""

from __future__ import annotations

import errno
import selectors
import socket
import time

AT_ONCE = 8000


def outcome(error: int) -> str:
    """Return what an error says of the port."""
    if error == 0:
        return "open"
    return {errno.ECONNREFUSED: "refused", errno.EINPROGRESS: "silent"}.get(error, errno.errorcode.get(error, "?"))


def scan(targets: dict[str, list[int]], seconds: float) -> dict[str, dict[int, str]]:
    """Open a connection to each port of each address, so many at once; one that has not answered in time is silent."""
    found: dict[str, dict[int, str]] = {address: {} for address in targets}
    left = [(address, port) for address, ports in targets.items() for port in ports]
    while left:
        some, left = left[:AT_ONCE], left[AT_ONCE:]
        with selectors.DefaultSelector() as waiting:
            for address, port in some:
                asker = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
                asker.settimeout(0)
                error = asker.connect_ex((address, port))
                found[address][port] = outcome(error)
                if error == errno.EINPROGRESS:
                    waiting.register(asker, selectors.EVENT_WRITE, (address, port))
                else:
                    asker.close()
            end = time.monotonic() + seconds
            while waiting.get_map() and (rest := end - time.monotonic()) > 0:
                for key, _ in waiting.select(rest):
                    asker = key.fileobj
                    address, port = key.data
                    found[address][port] = outcome(asker.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                    waiting.unregister(asker)
                    asker.close()
            for key in list(waiting.get_map().values()):
                waiting.unregister(key.fileobj)
                key.fileobj.close()
    return found
