# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for the `.env` file of an app."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.barehost.django.plugins.module_utils import _dotenv


def _checked(values: object) -> Mapping[str, object]:
    if not isinstance(values, Mapping):
        kind = type(values).__name__
        raise AnsibleFilterError(f"dotenv: expected a mapping of variable names to values, and got a {kind}")
    return values


def dotenv(values: object) -> str:
    """Return the text of an `.env` file."""
    try:
        return _dotenv.render(_checked(values))
    except ValueError as error:
        raise AnsibleFilterError(f"dotenv: {error}") from None


def dotenv_problems(values: object) -> list[str]:
    """Return one sentence for each variable that an `.env` file cannot carry."""
    return _dotenv.problems(_checked(values))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"dotenv": dotenv, "dotenv_problems": dotenv_problems}
