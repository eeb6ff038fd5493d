# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore says of itself: what was restored, where the data of before is, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _dump, _restore_kept

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ansible_collections.barehost.django.plugins.module_utils._restore import Plan
    from ansible_collections.barehost.django.plugins.module_utils._restore_run import Done


def diff(plan: Plan) -> dict[str, str]:
    """Return the rows of each table and the number of uploaded files, before and after."""
    texts = {"before": "", "after": ""}
    for entry in plan.tables():
        for side in texts:
            if entry[side] is not None:
                texts[side] += f"{entry['table']}: {_dump.counted(entry[side], 'row')}\n"
    if plan.source.media:
        found = plan.verified.media
        texts["before"] += f"uploaded files: {found.there}\n"
        texts["after"] += f"uploaded files: {found.files} ({found.changes})\n"
    return texts


def counted(plan: Plan) -> str:
    """Return how much it is."""
    rows = plan.verified.rows
    found = (
        [f"{_dump.counted(len(rows), 'table')} with {_dump.counted(sum(rows.values()), 'row')}"]
        if plan.database
        else []
    )
    if plan.source.media:
        found.append(_dump.counted(plan.verified.media.files, "uploaded file"))
    return ", ".join(found)


def whose(plan: Plan) -> str:
    """Return what it is, and whose where it is another stack's."""
    return f"{plan.source.name} of {plan.stranger}" if plan.stranger else plan.source.name


def common(plan: Plan) -> dict[str, Any]:
    """Return what a dry run knows as well."""
    noise = plan.verified.found.noise
    return {
        "changed": True,
        "restored": plan.source.name,
        "tables": plan.tables(),
        "fits": plan.verified.fits,
        "rows": sum(plan.verified.rows.values()) if plan.database else 0,
        "diff": diff(plan),
        "warned": [
            *plan.verified.warnings,
            *([f"left out, since it is no part of the dump: {', '.join(noise)}"] if noise else []),
        ],
    }


def foreseen(plan: Plan, left: Sequence[str]) -> dict[str, Any]:
    """Return what a dry run says."""
    found = common(plan)
    found["warned"] += [f"{what} is settled first" for what in left]
    return {**found, "msg": f"would restore {whose(plan)}: {counted(plan)}", "recovered": list(left)}


def result(plan: Plan, done: Done, recovered: Sequence[str], media: Path) -> dict[str, Any]:
    """Return what was done."""
    found = common(plan)
    found["warned"] += [*recovered, *done.warnings]
    kept = [
        f"the tables of before are in the schema {done.old_schema}" if done.old_schema else "",
        f"their dump is {done.safety_dump}" if done.safety_dump else "",
        f"the files of before are in {done.old_media}" if done.old_media else "",
    ]
    where = "; ".join(filter(None, kept))
    seconds = round(sum(done.seconds.values()), 1)
    return {
        **found,
        "msg": f"restored {whose(plan)}: {counted(plan)} in {seconds} s{f'; {where}' if where else ''}",
        "seconds": done.seconds,
        "safety_dump": done.safety_dump,
        "old_schema": done.old_schema,
        "old_media": done.old_media,
        "recovered": list(recovered),
        "next": next_steps(plan, done, media),
    }


def next_steps(plan: Plan, done: Done, media: Path) -> list[str]:
    """Return what there is to do now."""
    behind = [warning for warning in plan.verified.warnings if "barehost.django.deploy" in warning]
    steps = [*behind, "look at the site"]
    if done.old_schema:
        steps.append(
            f"the tables of the newest {_restore_kept.SCHEMAS} restores stay, and the dumps of {_restore_kept.DUMPS}"
        )
    if done.safety_dump:
        steps.append(f"to go back: the same playbook with -e restore_from={done.safety_dump}")
    if done.old_media:
        files = _restore_kept.way_back(done.old_media, media)
        steps.append(
            f"the uploaded files of the newest {_restore_kept.MEDIA} restores stay; to go back, on the host: {files}"
        )
    return [*steps, "tasks that were queued before may speak of rows that are not there any more"]
