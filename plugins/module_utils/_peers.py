# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who has to join a network so that nobody loses sight of whom it has seen.

A container that takes another one's place may be in other networks. What goes on beside it as it is, an application that serves
until its own successor does, would look for it where it was. The engine lets a container that runs join a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.barehost.django.plugins.module_utils._compose import Container

TIER_LABEL = "barehost.django.tier"


@dataclass(frozen=True)
class Join:
    """A container that has to be in one network more."""

    network: str
    container: str
    service: str

    def cmd(self) -> list[str]:
        """Return the argv that has it so."""
        return ["docker", "network", "connect", "--alias", self.service, self.network, self.container]


def _tier(container: Container) -> str:
    return container.labels.get(TIER_LABEL, "")


def joins(before: Sequence[Container], new: Iterable[Container]) -> list[Join]:
    """Say who joins which network; before is what was there, new what takes the place of some of it.

    What goes on follows what is new. But data stays where it is, and what is new follows it: an earlier release on its way back
    knows other networks. And what is in front of the application never gets to where data is.
    """
    new = list(new)
    names, ids = {c.service for c in new}, {c.id for c in new}
    data = {network for c in new if _tier(c) == "data" for network in c.addresses}
    data |= {network for c in before if _tier(c) == "data" and c.service not in names for network in c.addresses}
    found: dict[Join, None] = {}
    for one in new:
        seen_in = {network for c in before if c.service == one.service for network in c.addresses}
        for peer in before:
            there = set(peer.addresses)
            lasting = (peer.running or peer.paused) and peer.service not in names and peer.id not in ids
            if not lasting or not seen_in & there or set(one.addresses) & there:
                continue
            tiers = (_tier(one), _tier(peer))
            if tiers == ("app", "data"):
                found.setdefault(Join(min(seen_in & there), one.id, one.service))
            elif "data" not in tiers or tiers == ("data", "app"):
                allowed = set(one.addresses) - (data if "edge" in tiers else set())
                found.update({Join(network, peer.id, peer.service): None for network in sorted(allowed)[:1]})
    return list(found)
