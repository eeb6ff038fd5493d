# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Batches are what a play takes as `serial`, whether one size is given or several."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.filter.verdict import verdict_batches


@pytest.mark.parametrize(
    ("value", "batches"), [("100%", ["100%"]), (2, [2]), ([1, "30%"], [1, "30%"]), ((1, 2), [1, 2])]
)
def test_one_size_or_several(value: Any, batches: list[Any]) -> None:
    assert verdict_batches(value) == batches
