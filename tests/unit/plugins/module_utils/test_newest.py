# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which backup is the newest where some are damaged, and clocks were wrong."""

from __future__ import annotations

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _newest

OLD, MID, NEW = "20261125T030000Z", "20261126T030000Z", "20261127T030000Z"


@pytest.mark.parametrize(
    ("damaged", "newest", "last", "doubtful"),
    [
        # What was noted as the last one is whole: everything else is older, whatever a clock said.
        ([OLD, NEW], MID, MID, []),
        # The last one is damaged, and its name is older, since the clock was ahead before.
        ([OLD], MID, OLD, [OLD]),
        # The note is of one that was removed, or there is none.
        ([OLD], MID, NEW, []),
        ([OLD], MID, "", []),
        ([OLD, NEW], MID, "", [NEW]),
        # There is no whole one.
        ([OLD, MID], "", "", [OLD, MID]),
        ([OLD], "", OLD, [OLD]),
    ],
)
def test_one_that_may_be_newer_is_never_passed_over(
    damaged: list[str], newest: str, last: str, doubtful: list[str]
) -> None:
    assert _newest.newer(damaged, newest, last) == doubtful


def test_some_are_named_and_the_others_counted() -> None:
    assert _newest.named([OLD, MID]) == f"{MID}, {OLD}"
    assert _newest.named([str(number) for number in range(7)]) == "6, 5, 4, 3, 2 and 2 older ones"
