# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters of the firewall: what a stack lets in, and whether a host already does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _firewall, _firewall_host

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def firewall_steps(part: Mapping[str, Any], seen: Mapping[str, Any], stack: str, enabled: bool) -> list[str]:  # noqa: FBT001 - a filter
    """Return what of the firewall is not as it should be."""
    return _firewall_host.steps(stack, part if enabled else None, seen)


def firewall_wider(part: Mapping[str, Any], seen: Mapping[str, Any], stack: str) -> dict[str, Any]:
    """Return the part with what is open already and served by as well."""
    return _firewall.wider(part, (seen.get("parts") or {}).get(stack) or {}, seen.get("published"))


def firewall_closing(part: Mapping[str, Any], seen: Mapping[str, Any], stack: str) -> list[int]:
    """Return the TCP ports that stay open until the release serves without them."""
    kept = firewall_wider(part, seen, stack)["open"]
    return [entry["port"] for entry in kept if entry not in part["open"] and entry["protocol"] == "tcp"]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "firewall_closing": firewall_closing,
            "firewall_part": _firewall.part,
            "firewall_steps": firewall_steps,
            "firewall_wider": firewall_wider,
        }
