# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Nginx is told of networks, checked before it could ask a resolver for one, or refuse it on the host."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MASKED = re.compile(r"/.*\D")
MEANT = "an address or a network is meant, for example 203.0.113.0/24"
LISTS = ("nginx_admin_networks", "nginx_trusted_proxies", "nginx_maintenance_networks")


def problems(values: Mapping[str, Any]) -> list[str]:
    """Name the first item of each list that is no address and no network, or has bits below its mask; a sentence each."""
    found = {name: next(filter(None, map(_problem, values.get(name) or [])), "") for name in LISTS}
    return [f"{name} {problem}" for name, problem in found.items() if problem]


def _problem(item: object) -> str:
    try:
        ipaddress.ip_network(str(item))
        # Python reads these as well.
        problem = "its mask is no number of bits" if MASKED.search(str(item)) else ""
        problem = "it names an interface" if "%" in str(item) else problem
    except ValueError as error:
        problem = str(error)
    return f"holds {item!s}: {problem}; {MEANT}" if problem else ""
