# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of earlier releases is kept on a host, and what goes: images, static files, records.

Kept are the last ones that have served, the one that serves first. What goes is taken by its name, one by one: a
`docker system prune` would take the images to go back to.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.barehost.django.plugins.module_utils import _release, _schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Runner = Callable[[list[str]], "tuple[int, str, str]"]
# What we name after content. Another tag, or another directory, is somebody else's.
_OWN = re.compile(r"^[0-9a-f]{12}$")


@dataclass(frozen=True)
class Doomed:
    """What goes."""

    images: tuple[str, ...] = ()  # tags
    static: tuple[str, ...] = ()
    records: tuple[str, ...] = ()


def kept_ids(records: Iterable[Mapping[str, Any]], keep: int, always: Iterable[str]) -> list[str]:
    """Return the releases that stay: those that are needed in any case, then the last that have served."""
    served = sorted((r for r in records if r.get("activated")), key=lambda r: str(r["activated"]), reverse=True)
    ids = list(dict.fromkeys(item for item in always if item))
    for record in served:
        if len(ids) >= keep:
            break
        if record["id"] not in ids:
            ids.append(str(record["id"]))
    return ids


def plan(
    records: Sequence[Mapping[str, Any]],
    tags: Iterable[str],
    static: Iterable[str],
    *,
    keep: int,
    always: Iterable[str],
) -> Doomed:
    """Decide what goes; `always` are the release that serves and the one that is being made."""
    ids = kept_ids(records, keep, always)
    # What a failed release did to the schema must be known for as long as there is an earlier one to go back to.
    oldest = min((str(r.get("created", "")) for r in records if r["id"] in ids), default="")
    return Doomed(
        images=tuple(sorted(tag for tag in tags if tag not in ids)),
        static=tuple(sorted(name for name in static if name not in ids)),
        records=tuple(sorted(str(r["id"]) for r in records if r["id"] not in ids and _schema.last_change(r) < oldest)),
    )


def list_cmd(repository: str) -> list[str]:
    """Return the argv that lists the tags of a repository."""
    return ["docker", "image", "ls", "--format", "{{.Tag}}", repository]


def remove_cmd(repository: str, tags: Sequence[str]) -> list[str]:
    """Return the argv that removes images by their names."""
    return ["docker", "image", "rm", *(f"{repository}:{tag}" for tag in tags)]


def static_ids(root: Path) -> list[str]:
    """List the releases that have static files on the host."""
    folder = root / _release.STATIC
    return [path.name for path in folder.iterdir() if _OWN.match(path.name)] if folder.is_dir() else []


def prune(run: Runner, root: Path, repository: str, *, keep: int, always: Iterable[str]) -> tuple[Doomed, list[str]]:
    """Remove what goes; return it, and what could not be removed: that is a warning and no reason to fail a release."""
    code, out, err = run(list_cmd(repository))
    problems = [f"images of {repository} could not be listed: {err.strip()[-200:]}"] if code else []
    tags = [tag for tag in out.split() if _OWN.match(tag)] if not code else []
    links = [root / _release.STATIC / name for name in _release.STATIC_LINKS]
    records = _release.records(str(root))
    doomed = plan(records, tags, static_ids(root), keep=keep, always=[*always, _release.read_link(links[0])])
    for tag in doomed.images:
        code, _, err = run(remove_cmd(repository, [tag]))
        problems += [f"image {repository}:{tag} could not be removed: {err.strip()[-200:]}"] if code else []
    for path in [root / _release.STATIC / name for name in doomed.static]:
        shutil.rmtree(path, onerror=lambda _f, name, info: problems.append(f"{name} could not be removed: {info[1]}"))
    for link in [link for link in links if link.is_symlink() and not link.exists()]:
        link.unlink()
    for name in doomed.records:
        _release.record_path(str(root), name).unlink(missing_ok=True)
    for name in {*doomed.records, *doomed.images}:
        _release.candidate_path(str(root), name).unlink(missing_ok=True)
    return doomed, problems
