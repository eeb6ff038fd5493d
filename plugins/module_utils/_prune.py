# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of earlier releases is kept on a host, and what goes: images, static files, records, dumps, litter.

Kept are the last ones that have served, the one that serves first. What goes is taken by its name, one by one: a
`docker system prune` would take the images to go back to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.barehost.django.plugins.module_utils import _dump, _litter, _release, _schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Runner = Callable[[list[str]], "tuple[int, str, str]"]
# What we name after content. Another tag, or another directory, is somebody else's.
OWN = r"[0-9a-f]{12}"


@dataclass(frozen=True)
class There:
    """What a host has of all releases, beside their records."""

    images: Sequence[str] = ()  # tags
    static: Sequence[str] = ()
    dumps: Sequence[str] = ()


@dataclass(frozen=True)
class Doomed:
    """What goes."""

    images: tuple[str, ...] = ()  # tags
    static: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    dumps: tuple[str, ...] = ()


def kept_ids(records: Iterable[Mapping[str, Any]], keep: int, always: Iterable[str]) -> list[str]:
    """Return the releases that stay: those that are needed in any case, then the last good ones that have served.

    Where there is room left, those that somebody went back from, too: they can be named to a rollback, and are built the
    soonest again.
    """
    served = [record for record in records if record.get("activated")]
    served.sort(key=lambda r: str(r["activated"]), reverse=True)
    served.sort(key=lambda r: bool(r.get("rejected")))
    ids = list(dict.fromkeys(item for item in always if item))
    for record in served:
        if len(ids) >= keep:
            break
        if record["id"] not in ids:
            ids.append(str(record["id"]))
    return ids


def plan(records: Sequence[Mapping[str, Any]], there: There, *, keep: int, always: Iterable[str]) -> Doomed:
    """Decide what goes; `always` are the release that serves and the one that is being made."""
    ids = kept_ids(records, keep, always)
    # What a failed release did to the schema must be known for as long as there is an earlier one to go back to.
    oldest = min((str(r.get("created", "")) for r in records if r["id"] in ids), default="")
    gone = {str(r["id"]) for r in records if r["id"] not in ids and _schema.last_change(r) < oldest}
    # A dump is the way back over a migration for as long as a record tells of that.
    kept = [migration for r in records if str(r["id"]) not in gone for migration in r.get("migrations", [])]
    named = {Path(str(migration["dump"])).name for migration in kept if migration.get("dump")}
    return Doomed(
        images=tuple(sorted(tag for tag in there.images if tag not in ids)),
        static=tuple(sorted(name for name in there.static if name not in ids)),
        records=tuple(sorted(gone)),
        # Their names begin with the time.
        dumps=tuple(sorted(name for name in sorted(there.dumps, reverse=True)[keep:] if name not in named)),
    )


def list_cmd(repository: str) -> list[str]:
    """Return the argv that lists the tags of a repository."""
    return ["docker", "image", "ls", "--format", "{{.Tag}}", repository]


def remove_cmd(repository: str, tags: Sequence[str]) -> list[str]:
    """Return the argv that removes images by their names."""
    return ["docker", "image", "rm", *(f"{repository}:{tag}" for tag in tags)]


def names(folder: Path, pattern: str, problems: list[str]) -> list[str]:
    """List what in a directory has a name of ours; one that cannot be read keeps what it has, and the others do not."""
    try:
        return [path.name for path in folder.iterdir() if re.fullmatch(pattern, path.name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append(f"{folder} could not be read: {error}")
        return []


def look(run: Runner, root: Path, repository: str, problems: list[str]) -> There:
    """Find out what there is; an engine that does not answer has no images to remove."""
    code, out, err = run(list_cmd(repository))
    if code:
        problems.append(f"images of {repository} could not be listed: {err.strip()[-200:]}")
    return There(
        images=[tag for tag in out.split() if re.fullmatch(OWN, tag)] if not code else [],
        static=names(root / _release.STATIC, OWN, problems),
        dumps=names(root / _dump.FOLDER, _dump.BEFORE, problems),
    )


def files(root: Path, doomed: Doomed) -> Iterator[Path]:
    """Yield what goes, one after the other: whether a link leads nowhere is known when its directory is gone."""
    yield from (root / _release.STATIC / name for name in doomed.static)
    links = [root / _release.STATIC / name for name in _release.STATIC_LINKS]
    yield from (link for link in links if link.is_symlink() and not link.exists())
    yield from (root / _dump.FOLDER / name for name in doomed.dumps)
    yield from (_release.record_path(str(root), name) for name in doomed.records)
    yield from (_release.candidate_path(str(root), name) for name in sorted({*doomed.records, *doomed.images}))


def prune(run: Runner, root: Path, repository: str, *, keep: int, always: Iterable[str]) -> tuple[Doomed, list[str]]:
    """Remove what goes; return it, and what could not be removed: that is a warning and no reason to fail a release."""
    problems = _litter.clear(root)
    doomed = Doomed()
    try:
        there = look(run, root, repository, problems)
        served = _release.read_link(root / _release.STATIC / _release.CURRENT)
        doomed = plan(_release.records(str(root)), there, keep=keep, always=[*always, served])
        for tag in doomed.images:
            code, _, err = run(remove_cmd(repository, [tag]))
            problems += [f"image {repository}:{tag} could not be removed: {err.strip()[-200:]}"] if code else []
        for path in files(root, doomed):
            _litter.remove(path, problems)
    # A record whose id is none is a ValueError.
    except (OSError, ValueError) as error:
        problems.append(f"what there is could not be looked through: {error}")
    return doomed, problems
