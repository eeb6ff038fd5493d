# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter that says whether units of systemd have to be brought to what they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _units

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def unsettled_units(wanted: Mapping[str, str], seen: Mapping[str, Mapping[str, Any]], known: list[str]) -> list[str]:
    """Return the names of the units that are not as they should be."""
    return [step.name for step in _units.steps(wanted, known, seen)]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"unsettled_units": unsettled_units}
