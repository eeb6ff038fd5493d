# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command `barehost-backup` on the host: what the timers run, and an operator who is logged in there."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.barehost.django.plugins.module_utils import (
    _backup,
    _backup_settings,
    _backup_state,
    _dump,
    _manifest,
    _work,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ansible_collections.barehost.django.plugins.module_utils._backup_settings import Settings

FAILED = 1


def stop(number: int, _frame: object) -> None:
    """End what is at work as an error would, so that it tidies up and says so."""
    raise _work.StoppedError(f"it was stopped by {signal.Signals(number).name}")


def backup(settings: Settings, args: argparse.Namespace) -> int:
    """Make a backup."""
    if args.wait is not None:
        settings = replace(settings, wait_seconds=args.wait)
    report = _backup.run(settings, args.who)
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(
        f"{report.path}: {report.rows} rows in {report.tables} tables, {_dump.megabytes(report.bytes)}, {report.seconds} s"
        + (f"; removed: {', '.join(report.removed)}" if report.removed else "")
    )
    return 0


def check(settings: Settings, _args: argparse.Namespace) -> int:
    """Say whether the backups are as they should be: for whatever watches this host."""
    problems = _backup_state.problems(settings, _backup_state.now())
    print("\n".join(problems) or "ok")
    return FAILED if problems else 0


def listing(settings: Settings, args: argparse.Namespace) -> int:
    """List the backups that are here, the newest last."""
    found = _manifest.whole(settings.backups)
    if args.json:
        print(json.dumps({name: _manifest.summary(manifest) for name, manifest in found.items()}))
        return 0
    for name, manifest in found.items():
        size = _dump.megabytes(sum(item["bytes"] for item in manifest.files.values()))
        print(f"{name}  {manifest.rows} rows  {size}  release {manifest.release['id'] or '-'}")
    return 0


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    top = argparse.ArgumentParser(prog="barehost-backup", description="Backups of one stack.", allow_abbrev=False)
    verbs = top.add_subparsers(dest="verb", required=True)

    def verb(name: str, run: Callable[..., int], text: str) -> argparse.ArgumentParser:
        found = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        found.set_defaults(run=run)
        return found

    made = verb("backup", backup, "make a backup")
    made.add_argument("--who", default="by hand", help="what the audit log names")
    made.add_argument("--wait", type=int, help="seconds to wait for what else is at work on the data")
    verb("check", check, "exit with 1, and say why, where a backup has failed or is overdue")
    verb("list", listing, "list the backups on this host").add_argument("--json", action="store_true")
    return top


def main(root: Path, argv: Sequence[str]) -> int:
    """Run the program for the stack in root; return its exit code."""
    args = parser().parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    trouble: tuple[Any, ...] = (*_backup.Trouble, _backup_settings.SettingsError)
    try:
        settings = _backup_settings.load(root)
        return int(args.run(settings, args))
    except trouble as error:
        print(f"barehost-backup {args.verb}: {_work.sentence(error)}", file=sys.stderr)
        return FAILED
