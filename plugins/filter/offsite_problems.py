# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter that says what is wrong with the way of backups to another place, before a host is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _restic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def offsite_problems(offsite: Mapping[str, Any]) -> list[str]:
    """Return what is wrong, a sentence each; nothing where backups do not go off-site. Never one of the secrets."""
    if not offsite:
        return []
    try:
        _restic.Wish.read(offsite)
    except _restic.OffsiteError as error:
        return [str(error)]
    return []


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"offsite_problems": offsite_problems}
