# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter that says whether the secrets that were read are those that are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def known_secrets(specs: Mapping[str, Mapping[str, Any]], kept: Mapping[str, str]) -> dict[str, str]:
    """Return the value of each secret; nothing at all where one of them is missing, or is given and another one."""
    for name, spec in specs.items():
        if name not in kept or (spec.get("value") or kept[name]) != kept[name]:
            return {}
    return {name: kept[name] for name in specs}


class FilterModule:
    """The filters of this file, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them."""
        return {"known_secrets": known_secrets}
