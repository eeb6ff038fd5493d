# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The subnet of a stack is private, and the same in each run."""

from __future__ import annotations

import ipaddress

from ansible_collections.barehost.django.plugins.filter.unique_local import unique_local


def test_a_stack_has_a_subnet_of_its_own() -> None:
    subnets = [ipaddress.IPv6Network(unique_local(name)) for name in ("app", "shop", "app")]
    assert subnets[0] == subnets[2] != subnets[1]
    assert all(subnet.subnet_of(ipaddress.IPv6Network("fd00::/8")) and subnet.prefixlen == 64 for subnet in subnets)
