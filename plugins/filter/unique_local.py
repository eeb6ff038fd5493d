# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter that gives a network of IPv6 its addresses."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Unique local addresses (RFC 4193): fd, then 40 bits that others are unlikely to have, then 16 bits for the subnet.
GLOBAL_ID_BYTES = 5
SUBNET = 1


def unique_local(name: str) -> str:
    """Return the subnet of a stack, for example fd61:b1e8:9a07:1::/64; the same one for the same name.

    Engines before 27 choose none by themselves.
    """
    number = hashlib.sha256(f"barehost.django/{name}".encode()).digest()[:GLOBAL_ID_BYTES]
    address = ipaddress.IPv6Address(b"\xfd" + number + SUBNET.to_bytes(2, "big") + bytes(8))
    return f"{address}/64"


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"unique_local": unique_local}
