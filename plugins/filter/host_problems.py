# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter that says what is wrong with a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _host

if TYPE_CHECKING:
    from collections.abc import Callable


class FilterModule:
    """The filter of this file, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it."""
        return {"host_problems": _host.problems}
