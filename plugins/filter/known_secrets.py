# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter that says whether the secrets that were read are those that are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def known_secrets(specs: Mapping[str, Any], kept: Mapping[str, str]) -> dict[str, str]:
    """Return the value of each secret; nothing at all where one of them is missing, wanted otherwise, or wanted wrongly."""
    try:
        wishes = [_secrets.Wish.read(name, spec) for name, spec in specs.items()]
    except _secrets.SecretError:
        # The module says what is wrong with it.
        return {}
    if any(wish.name not in kept or wish.value not in ("", kept[wish.name]) for wish in wishes):
        return {}
    return {wish.name: kept[wish.name] for wish in wishes}


class FilterModule:
    """The filters of this file, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them."""
        return {"known_secrets": known_secrets}
