# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A migration plan as people read it: what it means for the code that serves, and where a failure left it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Plan = Sequence[Mapping[str, Any]]

KINDS = ("additive", "destructive", "data")
ALLOW = "release_allow_destructive_migrations: true"
# Of a longer plan the first ones are enough to understand; the result holds all.
SHOWN = 5
HALF_WAY = (
    "This database does not undo the part of a migration that was done, and the foreign keys and indexes that Django adds "
    "at its end may be missing: look at the schema before the next try"
)
# MySQL's number for a lock that was not given in time.
LOCK_WAIT = "(1205,"
LOCK_HINT = "A transaction holds the table: find it in performance_schema.metadata_locks, or try again when it is quiet"


def count(number: int) -> str:
    """Return a number of migrations in words."""
    return "1 migration" if number == 1 else f"{number} migrations"


def operations_of(plan: Plan) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return each operation of a plan, with the name of its migration."""
    return ((step["migration"], operation) for step in plan for operation in step["operations"])


def kinds(plan: Plan) -> dict[str, int]:
    """Count the operations of each kind, and those that Django cannot undo."""
    found = [operation for _migration, operation in operations_of(plan)]
    counts = {kind: sum(operation["kind"] == kind for operation in found) for kind in KINDS}
    counts["irreversible"] = sum(not operation["reversible"] for operation in found)
    return counts


def plan_text(plan: Plan) -> str:
    """Return a plan line by line, with the kind of each operation."""
    lines: list[str] = []
    for step in plan:
        lines += [step["migration"], *(f"  - {_operation_text(operation)}" for operation in step["operations"])]
    return "".join(f"{line}\n" for line in lines)


def _operation_text(operation: Mapping[str, Any]) -> str:
    """Return one operation as a line."""
    kind = operation["kind"] if operation["reversible"] else f"{operation['kind']}, irreversible"
    reason = f": {operation['reason']}" if operation["reason"] else ""
    return f"{operation['text']} ({kind}{reason})"


def refusal(plan: Plan) -> str:
    """Say in one line why a plan is refused while code of an earlier release serves."""
    found = [
        f"{migration}: {operation['text']} ({operation['reason']})"
        for migration, operation in operations_of(plan)
        if operation["kind"] == "destructive"
    ]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return (
        f"nothing was applied: the release that serves cannot live with {'; '.join(found[:SHOWN])}{more}. Split the change "
        f"over two releases, or accept errors of the release that serves until the switch with {ALLOW}"
    )


def aftermath(
    applied: Sequence[str], done: Sequence[str], failed: Mapping[str, Any], *, dump: str, half_way: bool
) -> str:
    """Say what state a failure leaves, after the sentence that says what failed."""
    sentences = []
    if failed.get("operation"):
        sentences.append(f"It failed at: {failed['operation']}")
    if LOCK_WAIT in failed.get("message", ""):
        sentences.append(LOCK_HINT)
    if failed.get("undone"):
        sentences.append("The database took back what this migration had done")
    elif half_way:
        sentences.append(f"Operations of it that were done: {'; '.join(done) or 'none'}")
    sentences.append(f"Applied before that: {', '.join(applied) or 'none'}")
    sentences.append(f"Dump from before: {dump}" if dump else "No dump was made before")
    if half_way and not failed.get("undone"):
        sentences.append(HALF_WAY)
    return ". ".join(["", *sentences])
