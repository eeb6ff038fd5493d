# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way back to an earlier release: which one, and whether its code can live with the schema as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ADDITIVE = "additive"


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
        names = ", ".join(self.migrations)
        if not self.harmful:
            return f"the schema is ahead of it by {names}, which only added to it: its code can live with that"
        return f"the schema is ahead of it by {', '.join(self.harmful)}: its code may not work, or may lose data"


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


def schema(records: Sequence[Mapping[str, Any]], target: Mapping[str, Any]) -> Schema:
    """Find out what has been done to the schema that the target's code has never heard of.

    Its code knows what was applied up to its own first deploy. What came later is in the records of later releases, of
    those that failed, too.
    """
    if "heads" not in target:
        return Schema(known=False)
    heads: Mapping[str, str] = target["heads"]
    later = sorted(
        (record for record in records if str(record.get("created", "")) > str(target.get("created", ""))),
        key=lambda record: str(record.get("created", "")),
    )
    names: list[str] = []
    harmful: list[str] = []
    dump = ""
    for record in later:
        for migration in record.get("migrations", []):
            name, kinds = str(migration["migration"]), list(migration.get("kinds", []))
            app, _, rest = name.partition(".")
            if heads.get(app) == rest:
                continue
            names.append(name)
            if kinds != [ADDITIVE]:
                harmful.append(f"{name} ({', '.join(kinds) or 'of an unknown kind'})")
                dump = dump or str(record.get("dump", ""))
    return Schema(known=True, migrations=tuple(names), harmful=tuple(harmful), dump=dump)


def restore_hint(schema_now: Schema, project_dir: str, database: str) -> str:
    """Return the command that puts the dump back, for whoever decides to lose what was written since."""
    if not schema_now.dump:
        return "there is no dump of the schema before that"
    client = f"docker compose --project-directory {project_dir} exec -T mysql mysql --defaults-extra-file=/run/secrets/client.cnf"
    return f"the data as it was before: zcat {schema_now.dump} | {client} {database}"
