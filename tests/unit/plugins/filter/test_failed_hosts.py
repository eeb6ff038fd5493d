# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which hosts of a run have failed, while it goes on and at its end."""

from __future__ import annotations

from ansible_collections.barehost.django.plugins.filter.failed_hosts import failed_hosts

VARIABLES = {
    "a": {"release_verdict": {"state": "deployed"}},
    "b": {"release_verdict": {"state": "failed"}},
    "c": {"release_verdict": {"state": "skipped"}},
    "d": {},
    "e": {"release_verdict": {"state": "running"}},
}


def test_while_it_goes_on_a_host_without_a_verdict_has_its_turn_still_to_come() -> None:
    assert failed_hosts("abcde", VARIABLES) == ["b"]


def test_at_the_end_a_host_without_a_verdict_does_not_answer_any_more() -> None:
    assert failed_hosts("abcde", VARIABLES, finished=True) == ["b", "d", "e"]
