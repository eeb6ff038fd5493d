# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that say what a run has come to on a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError
from ansible_collections.barehost.django.plugins.module_utils import _verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def verdict(
    value: Mapping[str, Any],
    event: str,
    run: Mapping[str, Any],
    task: Mapping[str, Any] | None = None,
    result: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Return the verdict after an event."""
    if event not in _verdict.EVENTS:
        raise AnsibleFilterError(f"verdict: {event!r} is no event: expected one of {', '.join(_verdict.EVENTS)}")
    change = _verdict.EVENTS[event]
    return change(_verdict.Verdict.of(value), _verdict.Run.of(run), task or {}, result or {}).as_dict()


def verdict_goes_back(value: Mapping[str, Any], run: Mapping[str, Any]) -> bool:
    """Return whether the host has to go back to what it served."""
    return _verdict.goes_back(_verdict.Verdict.of(value), _verdict.Run.of(run))


def verdict_outcome(value: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, str]:
    """Return what the audit log says of it."""
    return _verdict.outcome(_verdict.Verdict.of(value), _verdict.Run.of(run))


def verdict_report(value: Mapping[str, Any], url: str, changed: Sequence[str]) -> dict[str, Any]:
    """Return what a program gets."""
    return _verdict.report(_verdict.Verdict.of(value), url, changed)


def verdict_batches(value: Any) -> list[Any]:  # noqa: ANN401 - what the inventory holds
    """Return the batches in which hosts come to their verdict, as a play's `serial` takes them; 1 to so many hosts each."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def failure_reason(result: Mapping[str, Any], task: Mapping[str, Any]) -> str:
    """Return which task failed and why, as far as everybody may read it."""
    return _verdict.reason(task, result)


class FilterModule:
    """The filters of this file, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them."""
        return {
            "failure_reason": failure_reason,
            "verdict": verdict,
            "verdict_batches": verdict_batches,
            "verdict_goes_back": verdict_goes_back,
            "verdict_outcome": verdict_outcome,
            "verdict_report": verdict_report,
        }
