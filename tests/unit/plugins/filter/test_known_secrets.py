# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets that were read are used only where they are all that is wanted."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.filter.known_secrets import known_secrets

KEPT = {"one": "first", "two": "second", "stray": "third"}


@pytest.mark.parametrize(
    ("specs", "known"),
    [
        ({"one": {}, "two": {"value": ""}}, {"one": "first", "two": "second"}),
        ({"one": {"value": "first"}}, {"one": "first"}),
        ({"one": {"value": "another"}, "two": {}}, {}),
        ({"one": {}, "missing": {}}, {}),
        ({"one": {"length": 3}}, {}),
        ({"one": {"strange": "key"}}, {}),
        ({}, {}),
    ],
)
def test_all_or_nothing(specs: dict[str, Any], known: dict[str, str]) -> None:
    assert known_secrets(specs, KEPT) == known


def test_nothing_was_read() -> None:
    assert known_secrets({"one": {}}, {}) == {}
