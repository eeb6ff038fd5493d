# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the records of the releases say about the schema: what each release did to it, and what its image knows of it.

`migrations` of a record are those that were applied from its image, or begun: with the kinds of their operations, how far
they came, when, and the dump from before. They are written before the first one is applied, as begun: whoever is killed in
the middle can write nothing any more, and the next plan does not hold what was done.

`lacks` of a record is what the database of the release has not had since it was restored from an earlier backup.

`schema` of a record is what Django said from its image when it was asked, last and for the deploy that it served after: the
migrations that the image has, and those that the database has beside them. A comparison of two images needs all of their
names: the last one of an app does not say whether another one comes before it or after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Record = Mapping[str, Any]
    Entry = Mapping[str, Any]

BEGUN, HALF, APPLIED = "begun", "half", "applied"


def kinds_in(plan: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Map each migration of a plan to the kinds of its operations."""
    return {str(step["migration"]): {str(found["kind"]) for found in step["operations"]} for step in plan}


def note(
    entries: Sequence[Entry],
    plan: Iterable[Mapping[str, Any]],
    states: Mapping[str, str],
    *,
    at: str,
    dump: str,
) -> list[dict[str, Any]]:
    """Return a record's entries with how far these migrations have come; what an earlier try was like is not forgotten."""
    earlier = {str(entry["migration"]): entry for entry in entries}
    kinds = kinds_in(plan)
    new = [
        {
            "migration": name,
            "kinds": sorted(kinds.get(name, set()) | set(earlier.get(name, {}).get("kinds", []))),
            "state": state,
            "at": at,
            # Of a second try the first dump: the one after it holds what the first try had done.
            "dump": earlier.get(name, {}).get("dump") or dump,
        }
        for name, state in states.items()
    ]
    return [*(dict(entry) for entry in entries if entry["migration"] not in states), *new]


def settle(entries: Iterable[Entry], planned: Iterable[str], known: Iterable[str]) -> list[dict[str, Any]]:
    """Return a record's entries; what was only begun and is not missing any more has been applied in the meantime."""
    done = set(known) - set(planned)
    return [{**entry, "state": APPLIED} if entry["migration"] in done else dict(entry) for entry in entries]


def said(planned: Mapping[str, Any], *, asked: str) -> dict[str, Any]:
    """Return what a record keeps of Django's answer."""
    return {"asked": asked, **{key: list(planned.get(key, [])) for key in ("known", "replacing", "unknown")}}


def answer_of(record: Record) -> Mapping[str, Any]:
    """Return what Django said for the deploy after which the release served; a later try that failed proves nothing."""
    answers = record.get("schema", [])
    lived = [answer for answer in answers if answer["asked"] <= str(record.get("activated", ""))]
    return dict((lived or answers or [{}])[-1])


def remember(record: Record, answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the answers that a record keeps once there is a new one."""
    lived = answer_of(record) if record.get("activated") else {}
    return [*([lived] if lived else []), answer]


def asked(record: Record) -> str:
    """Return when the database was asked for this release: what was done later, its code has never heard of."""
    return str(answer_of(record).get("asked") or record.get("created", ""))


def heads(record: Record) -> set[str]:
    """Return the last migration of each app that a release has."""
    return {f"{app}.{name}" for app, name in record.get("heads", {}).items()}


def lived_with(record: Record) -> set[str]:
    """Return the migrations that a release has, or that the database had beside them when it was deployed."""
    answer = answer_of(record)
    return {*answer.get("known", []), *answer.get("unknown", []), *heads(record)}


def missed(target: Record, current: Record) -> set[str]:
    """Return what the database must have since the current release serves, and what the target has never lived with."""
    applied = heads(current)
    if answer_of(target).get("known") and answer_of(current).get("known"):
        # One that replaces others, which the target may have, is no change of the schema.
        applied = lived_with(current) - set(answer_of(current)["replacing"])
    return applied - lacks(current) - lived_with(target)


def lacks(record: Record) -> set[str]:
    """Return the migrations that a release has and the data of a restore had not, and that it has not applied again since."""
    note = record.get("lacks") or {}
    again = {
        str(entry["migration"])
        for entry in entries_of(record)
        if entry["state"] == APPLIED and str(entry["at"]) > str(note.get("at", ""))
    }
    return set(note.get("migrations", [])) - again


def after_restore(records: Iterable[Record], serving: str, data: set[str], at: str) -> list[dict[str, Any]]:
    """Return the records that have to change once the database has just these migrations, and what was done since is gone."""
    changed = []
    for record in records:
        done = record.get("migrations", [])
        new = (
            {**record, "migrations": [entry for entry in done if entry["migration"] in data]} if done else dict(record)
        )
        if record["id"] == serving:
            answer = answer_of(record)
            lacking = sorted({*answer.get("known", [])} - {*answer.get("replacing", [])} - data)
            new.update({"lacks": {"at": at, "migrations": lacking}} if lacking or record.get("lacks") else {})
        if new != record:
            changed.append(new)
    return changed


def since(records: Iterable[Record], target: Record) -> set[str]:
    """Return what other releases have done to the schema, or begun, after the target's image was asked about it."""
    later = {
        str(entry["migration"])
        for record in records
        if record["id"] != target["id"]
        for entry in entries_of(record)
        if str(entry["at"]) > asked(target)
    }
    return later - lived_with(target)


def entries_of(record: Record) -> list[dict[str, Any]]:
    """Return what a release did to the schema, in the form of today."""
    old = {
        "kinds": [],
        "state": APPLIED,
        "at": max(str(record.get("created", "")), str(record.get("activated", ""))),
        "dump": str(record.get("dump", "")),
    }
    return [{**old, **entry} for entry in record.get("migrations", [])]


def last_change(record: Record) -> str:
    """Return when something was last written that a way back has to know."""
    return max([str(record.get("created", "")), *(str(entry["at"]) for entry in entries_of(record))])


def find(records: Iterable[Record], names: Iterable[str]) -> list[dict[str, Any]]:
    """Return what the records know of some migrations: those first of which none knows, then in the order they were done.

    Several records may speak of one: a release that failed half-way, and the next one, which came to its end.
    """
    wanted = set(names)
    found: dict[str, dict[str, Any]] = {}
    for entry in sorted(
        (entry for record in records for entry in entries_of(record)), key=lambda entry: str(entry["at"])
    ):
        name = str(entry["migration"])
        if name in wanted:
            first = found.get(name, entry)
            kinds = sorted({*first["kinds"], *entry["kinds"]})
            found[name] = {**entry, "kinds": kinds, "dump": first["dump"] or entry["dump"]}
    missing = [{"migration": name, "kinds": [], "state": APPLIED, "dump": ""} for name in sorted(wanted - set(found))]
    return [*missing, *found.values()]


def describe(entry: Entry) -> str:
    """Return a migration with what is known of it."""
    kinds = ", ".join(entry["kinds"]) or "of an unknown kind"
    state = {HALF: ", half done", BEGUN: ", perhaps half done"}.get(entry["state"], "")
    return f"{entry['migration']} ({kinds}{state})"
