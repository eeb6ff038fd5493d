# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter that tells what an uninstall removes and keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _uninstall

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def uninstall_report(stack: Mapping[str, Any], delete_data: bool, dry_run: bool) -> list[str]:  # noqa: FBT001 - a filter
    """Return the lines of the report."""
    return _uninstall.report(stack, delete_data=delete_data, dry_run=dry_run)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"uninstall_report": uninstall_report}
