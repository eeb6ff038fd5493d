# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way back to an earlier release: which one, and whether its code can live with the schema as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ADDITIVE, DESTRUCTIVE = "additive", "destructive"
# Of more migrations the first ones are enough to understand; the result holds all.
SHOWN = 5


class RollbackError(Exception):
    """There is no way back, or none that is safe."""


@dataclass(frozen=True)
class Schema:
    """What has happened to the schema since a release was made."""

    known: bool
    migrations: tuple[str, ...] = ()  # that the release does not know
    harmful: tuple[str, ...] = ()  # those of them that its code may not live with, each with its kind
    dump: str = ""  # the dump that was made before the first of those

    @property
    def safe(self) -> bool:
        """Whether the release can serve."""
        return self.known and not self.harmful

    def describe(self) -> str:
        """Say it in a sentence."""
        if not self.known:
            return "the record of the release does not say which migrations it knows"
        if not self.migrations:
            return "the schema is the one that the release knows"
        if not self.harmful:
            return f"the schema is ahead of it by {some(self.migrations)}, which only added to it: its code can live with that"
        return f"the schema is ahead of it by {some(self.harmful)}: its code may not work, or may lose data"


def some(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def choose(records: Sequence[Mapping[str, Any]], current: str, wanted: str = "") -> Mapping[str, Any]:
    """Return the record of the release to go back to: the one that is named, or the last good one that served before this one."""
    served = [record for record in records if record.get("activated") and record["id"] != current]
    served.sort(key=lambda record: str(record["activated"]), reverse=True)
    known = ", ".join(str(record["id"]) for record in served) or "none"
    if wanted == current and wanted:
        raise RollbackError(f"release {wanted} is the one that serves; others that have served: {known}")
    if wanted:
        found = next((record for record in served if record["id"] == wanted), None)
        if found is None:
            raise RollbackError(f"release {wanted} has never served here; those that have: {known}")
        return found
    good = [record for record in served if not record.get("rejected")]
    if not good and served:
        raise RollbackError(
            f"every earlier release on this host was rejected; name one with release_id to go back to it all the same: {known}"
        )
    if not good:
        raise RollbackError("there is no earlier release on this host that has served: deploy one instead")
    return good[0]


def schema(records: Sequence[Mapping[str, Any]], target: Mapping[str, Any], current: Mapping[str, Any]) -> Schema:
    """Find out what has been done to the schema that the target's code has never heard of.

    Two sources say it. The images of both releases: what the current one has and the target has not is in the database. The
    records: what was begun after the target was deployed, by releases that failed, too. A migration of which no record says
    what it does is none that the target's code can be trusted to live with.
    """
    if "heads" not in target:
        return Schema(known=False)
    found = _schema.find(records, _schema.missed(target, current) | _schema.since(records, target))
    harmful = [entry for entry in found if entry["kinds"] != [ADDITIVE]]
    return Schema(
        known=True,
        migrations=tuple(str(entry["migration"]) for entry in found),
        harmful=tuple(_schema.describe(entry) for entry in harmful),
        dump=str(harmful[0]["dump"]) if harmful else "",
    )


def beside(records: Sequence[Mapping[str, Any]], unknown: Sequence[str]) -> Schema:
    """Judge the migrations that the database has and an image that is to be deployed does not.

    Whoever deploys it says what should serve, so only what is known to have taken something away is harmful.
    """
    found = _schema.find(records, unknown)
    harmful = [entry for entry in found if DESTRUCTIVE in entry["kinds"]]
    return Schema(
        known=True,
        migrations=tuple(_schema.describe(entry) for entry in found),
        harmful=tuple(_schema.describe(entry) for entry in harmful),
        dump=str(harmful[0]["dump"]) if harmful else "",
    )


def restore_hint(schema_now: Schema) -> str:
    """Return what puts the dump back, for whoever decides to lose what was written since."""
    if not schema_now.dump:
        return "there is no dump of the schema before that"
    return f"the data as it was before: barehost.django.restore -e restore_from={schema_now.dump}"
