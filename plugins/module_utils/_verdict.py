# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run has come to on a host: begun, refused, gone back, and what is told of it to people, programs and the log.

A host that fails once the new release is committed has to go back, as have those that have switched where another one
failed. What serves is what the last step that knows it said, and never what was meant to.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SILENT = "the host does not answer any more"
NO_WORDS = "see above"
LIST_MARK = "- "
# How the module of the switch says that there is a release to go back from; the first that it says counts.
COMMITTED = ("returnable", "committed", "changed")


class State(str, Enum):
    """What a host has come to."""

    RUNNING = "running"
    SKIPPED = "skipped"
    FAILED = "failed"
    DEPLOYED = "deployed"
    RETURNED = "returned"
    RESTORED = "restored"


@dataclass(frozen=True)
class Verdict:
    """What a host has come to, why, and which release serves there; empty for none, or where nobody knows."""

    state: State = State.RUNNING
    reason: str = ""
    serving: str = ""

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Verdict:
        """Read one that a task has kept; nothing at all is a run that has not got that far."""
        return cls(
            State(value.get("state") or "running"), str(value.get("reason") or ""), str(value.get("serving") or "")
        )

    def as_dict(self) -> dict[str, str]:
        """Return it as a task keeps it."""
        return {**asdict(self), "state": self.state.value}


@dataclass(frozen=True)
class Run:
    """What is known about the run on a host."""

    serving: str = ""  # before anything was done
    wanted: str = ""  # the release that the run is about, as far as it has a name yet
    switched: Mapping[str, Any] = field(default_factory=dict)  # the result of the switch
    all_or_none: bool = True
    failed: Sequence[str] = ()  # hosts that have failed so far
    failed_in_the_end: Sequence[str] = ()  # those and the ones that do not answer any more
    check_mode: bool = False

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Run:
        """Read what the role knows."""
        return cls(**{name: value[name] for name in cls.__dataclass_fields__ if value.get(name) is not None})

    @property
    def before(self) -> str:
        """The release that there is to go back to."""
        return str(self.switched.get("before") or "")

    @property
    def committed(self) -> bool:
        """Whether the run has put its release in the place of what served; a dry run has not."""
        said = next((self.switched[key] for key in COMMITTED if key in self.switched), False)
        return bool(said) and not self.check_mode

    @property
    def serves(self) -> str:
        """The release that serves now; empty where the host was lost in the middle of the switch."""
        if self.switched.get("unreachable"):
            return ""
        if "serving" in self.switched:
            return str(self.switched["serving"] or "")
        return self.wanted if self.committed else self.serving


def words(result: Mapping[str, Any], fallback: str = NO_WORDS) -> str:
    """Return why a task failed: the first line, since it has said the rest itself. Nothing where it is to be kept secret.

    Of a list, which its first line only announces, the first entry as well.
    """
    if result.get("_ansible_no_log") or "censored" in result:
        return ""
    lines = str(result.get("msg") or "").strip().splitlines()
    return " ".join([*lines[:1], *(line for line in lines[1:2] if line.startswith(LIST_MARK))]) or fallback


def reason(task: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """Return which task failed, and why where that may be read by everybody."""
    said = "" if task.get("no_log") else words(result)
    return ": ".join(part for part in (str(task.get("name") or task.get("action") or "a task"), said) if part)


def begin(run: Run) -> Verdict:
    """Begin, or leave a host as it is where another one of the run has failed."""
    if run.all_or_none and run.failed:
        return Verdict(State.SKIPPED, f"{', '.join(run.failed)} failed before its turn came")
    return Verdict()


def refuse(verdict: Verdict, run: Run, task: Mapping[str, Any], result: Mapping[str, Any]) -> Verdict:
    """Note that a task has failed; one that was to leave the host alone has not failed there."""
    if verdict.state is State.SKIPPED:
        return verdict
    done = f"{verdict.reason}; but " if verdict.state is State.RESTORED else ""
    return Verdict(State.FAILED, f"{done}{reason(task, result)}", run.serves)


def data_restored(run: Run, result: Mapping[str, Any]) -> Verdict:
    """Note that the data of a backup has taken the place of what was there; a dry run has only looked whether it can."""
    return Verdict(State.RESTORED, words(result), run.serves)


def decide(verdict: Verdict, run: Run) -> Verdict:
    """Decide what a run has come to that no task has refused: a host that stops to answer goes on through the tasks."""
    if verdict.state is not State.RUNNING:
        return verdict
    if "steps" in run.switched:
        return Verdict(State.DEPLOYED, serving=run.wanted)
    return Verdict(State.FAILED, words(run.switched, SILENT) or SILENT, run.serves)


def goes_back(verdict: Verdict, run: Run) -> bool:
    """Whether a host has to go back to what it served."""
    if not run.committed or not run.before:
        return False
    return verdict.state is State.FAILED or (run.all_or_none and bool(run.failed_in_the_end))


def came_back(verdict: Verdict, run: Run, result: Mapping[str, Any]) -> Verdict:
    """Note how going back ended: only what the switch itself has confirmed is believed."""
    why = verdict.reason or f"{', '.join(run.failed_in_the_end)} failed"
    if "steps" in result and not result.get("failed"):
        return Verdict(State.RETURNED, f"back on release {run.before}, since {why}", run.before)
    serves = str(result.get("serving") or "") or run.serves
    trouble = words(result, SILENT)
    failed = f"going back to release {run.before} failed{f' with {trouble}' if trouble else ''}"
    return Verdict(State.FAILED, f"{why}; {failed}; release {serves} serves", serves)


def restored(verdict: Verdict, run: Run, result: Mapping[str, Any]) -> Verdict:
    """Note what became of the configuration, which a host whose run has failed gets back."""
    if result.get("failed") or result.get("unreachable"):
        said = f"putting the configuration of before back failed: {words(result, SILENT) or NO_WORDS}"
    elif result.get("left"):
        said = f"its configuration is the new one: {result['left']}"
    elif result.get("services"):
        said = f"{', '.join(result['services'])} has the configuration of before again"
    else:
        return verdict
    why = verdict.reason or f"{', '.join(run.failed_in_the_end)} failed"
    return replace(verdict, reason=f"{why}; {said}")


def unclosed(verdict: Verdict, result: Mapping[str, Any], task: Mapping[str, Any]) -> Verdict:
    """Note that ports are still open by which the release before served; this one serves all the same."""
    why = f"ports that it does not have any more are still open ({reason(task, result)})"
    return replace(verdict, reason=f"the release serves, and {why}: run barehost.django.site again")


# What may happen to a verdict, by the name under which tasks know it.
EVENTS: Mapping[str, Callable[[Verdict, Run, Mapping[str, Any], Mapping[str, Any]], Verdict]] = {
    "begin": lambda _verdict, run, _task, _result: begin(run),
    "refuse": refuse,
    "decide": lambda verdict, run, _task, _result: decide(verdict, run),
    "data_restored": lambda _verdict, run, _task, result: data_restored(run, result),
    "restored": lambda verdict, run, _task, result: restored(verdict, run, result),
    "unclosed": lambda verdict, _run, task, result: unclosed(verdict, result, task),
    "came_back": lambda verdict, run, _task, result: came_back(verdict, run, result),
}


def outcome(verdict: Verdict, run: Run) -> dict[str, str]:
    """Return what the audit log says of it."""
    results = {State.DEPLOYED: "ok", State.RETURNED: "returned", State.RESTORED: "ok"}
    return {
        "result": results.get(verdict.state, "failed"),
        "from": run.before or run.serving,
        "to": run.wanted,
        "message": verdict.reason,
    }


def report(verdict: Verdict, url: str, changed: Sequence[str]) -> dict[str, Any]:
    """Return what a program that called us gets."""
    return {
        "release_id": verdict.serving,
        "url": url,
        "changed": list(changed),
        "verdict": verdict.state.value,
        "reason": verdict.reason,
    }
