# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command `barehost-backup` on the host: what the timers run, and an operator who is logged in there."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.barehost.django.plugins.module_utils import (
    _backup,
    _backup_settings,
    _backup_state,
    _drill_run,
    _dump,
    _manifest,
    _offsite,
    _restic,
    _work,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ansible_collections.barehost.django.plugins.module_utils._backup_settings import Settings

FAILED = 1


def warn(texts: Sequence[str]) -> None:
    """Say what is not as it should be, and decides nothing."""
    for text in texts:
        print(f"warning: {text}", file=sys.stderr)


def backup(settings: Settings, args: argparse.Namespace) -> int:
    """Make a backup, and bring it off-site where that is wanted."""
    if args.wait is not None:
        settings = replace(settings, wait_seconds=args.wait)
    settings = replace(settings, rest_percent=args.rest)
    report = _backup.run(settings, args.who)
    warn(report.warnings)
    print(
        f"{report.path}: {_dump.contents(report.rows, report.tables)}, {_dump.megabytes(report.bytes)}, {report.seconds} s"
        + (f"; removed: {', '.join(report.removed)}" if report.removed else "")
    )
    return offsite(settings, args) if settings.offsite else 0


def offsite(settings: Settings, args: argparse.Namespace) -> int:
    """Bring off-site what is not there."""
    report = _offsite.run(settings, args.who, init=args.init)
    warn(report.warnings)
    print(f"{settings.offsite['repository']}: {report.message}")
    return 0


def snapshots(settings: Settings, args: argparse.Namespace) -> int:
    """List what lies off-site, the newest last."""
    found = _offsite.listing(settings)
    if args.json:
        print(json.dumps([vars(item) for item in found]))
        return 0
    for item in found:
        print(f"{item.backup}  snapshot {item.id[:8]}  {item.stack} on {item.host}")
    return 0


def fetch(settings: Settings, args: argparse.Namespace) -> int:
    """Bring a backup back from off-site."""
    print(_offsite.fetch(settings, args.backup, args.who))
    return 0


def drill(settings: Settings, args: argparse.Namespace) -> int:
    """Load a backup into a throw-away server, and compare."""
    report = _drill_run.run(settings, args.who, args.backup)
    warn(report.warnings)
    print(report.message)
    return 0


def check(settings: Settings, _args: argparse.Namespace) -> int:
    """Say whether the backups are as they should be: for whatever watches this host."""
    problems = _backup_state.problems(settings, _backup_state.now())
    print("\n".join(problems) or "ok")
    return FAILED if problems else 0


def listing(settings: Settings, args: argparse.Namespace) -> int:
    """List the backups that are here, the newest last; before them those that are damaged, which are none any more."""
    found, damaged = _manifest.survey(settings.backups)
    if args.json:
        bad: dict[str, Any] = {name: {"damaged": why} for name, why in damaged.items()}
        print(json.dumps({**bad, **{name: _manifest.summary(manifest) for name, manifest in found.items()}}))
        return 0
    for name, why in damaged.items():
        print(f"{name}  DAMAGED  {why}")
    for name, manifest in found.items():
        size = _dump.megabytes(sum(item["bytes"] for item in manifest.files.values()))
        print(f"{name}  {_dump.counted(manifest.rows, 'row')}  {size}  release {manifest.release['id'] or '-'}")
    return 0


def percent(text: str) -> int:
    """Take a whole number that is not negative."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def wanted(text: str) -> str:
    """Take what looks like an id."""
    flaw = _restic.id_flaw(text)
    if flaw:
        raise argparse.ArgumentTypeError(flaw)
    return text


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    top = argparse.ArgumentParser(prog="barehost-backup", description="Backups of one stack.", allow_abbrev=False)
    verbs = top.add_subparsers(dest="verb", required=True)

    def verb(name: str, run: Callable[..., int], text: str) -> argparse.ArgumentParser:
        found = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        found.set_defaults(run=run)
        return found

    made = verb("backup", backup, "make a backup")
    made.set_defaults(init=False)
    made.add_argument("--wait", type=int, help="seconds to wait for what else is at work on the data")
    made.add_argument(
        "--rest", type=percent, default=0, help="percent of the time it reads the dump for which it rests"
    )
    sent = verb("offsite", offsite, "bring off-site what is not there")
    sent.add_argument("--init", action="store_true", help="make the repository where there is none")
    verb("snapshots", snapshots, "list what lies off-site").add_argument("--json", action="store_true")
    fetched = verb("fetch", fetch, "bring a backup back from off-site")
    fetched.add_argument("backup", type=wanted, help="its id, or that of a snapshot")
    drilled = verb("drill", drill, "load the newest backup into a throw-away server, and compare")
    drilled.add_argument("--backup", default="", help="id of another one than the newest")
    for name in (made, sent, fetched, drilled):
        name.add_argument("--who", default="by hand", help="what the audit log names")
    verb("check", check, "exit with 1, and say why, where a backup has failed or is overdue")
    verb("list", listing, "list the backups on this host").add_argument("--json", action="store_true")
    return top


def main(root: Path, argv: Sequence[str]) -> int:
    """Run the program for the stack in root; return its exit code."""
    args = parser().parse_args(argv)
    _work.stoppable()
    trouble: tuple[Any, ...] = (
        *_backup.Trouble,
        *_drill_run.Trouble,
        *_offsite.Trouble,
        _backup_settings.SettingsError,
    )
    try:
        settings = _backup_settings.load(root)
        return int(args.run(settings, args))
    except trouble as error:
        print(f"barehost-backup {args.verb}: {_work.sentence(error)}", file=sys.stderr)
        return FAILED
