# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for text that MySQL reads: statements and option files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible.errors import AnsibleFilterError
from ansible_collections.barehost.django.plugins.module_utils import _mysql_text

if TYPE_CHECKING:
    from collections.abc import Callable


def _filter(name: str, function: Callable[..., str]) -> Callable[[object], str]:
    """Make a filter whose errors carry its name."""

    def apply(value: object) -> str:
        try:
            return function(value)
        except ValueError as error:
            raise AnsibleFilterError(f"{name}: {error}") from None

    return apply


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        functions = {
            "mysql_literal": _mysql_text.literal,
            "mysql_identifier": _mysql_text.identifier,
            "mysql_grant_pattern": _mysql_text.grant_pattern,
            "mysql_option": _mysql_text.option,
            "redis_config_string": _mysql_text.redis_string,
        }
        return {name: _filter(name, function) for name, function in functions.items()}
