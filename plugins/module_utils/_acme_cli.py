# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command `barehost-certificate` on the host: what the timer runs, and an operator who is logged in there."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _acme, _acme_run, _tls

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FAILED = 1


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    top = argparse.ArgumentParser(
        prog="barehost-certificate", description="The certificate of one stack.", allow_abbrev=False
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    renew = verbs.add_parser("renew", help="renew it where it ends soon", allow_abbrev=False)
    renew.add_argument("--now", action="store_true", help="renew it in any case: authorities limit how often")
    renew.add_argument("--who", default="by hand", help="what the audit log names")
    verbs.add_parser("check", help="exit with 1, and say why, where it is not as it should be", allow_abbrev=False)
    return top


def main(root: Path, argv: Sequence[str]) -> int:
    """Run the program for the stack in root; return its exit code."""
    args = parser().parse_args(argv)
    try:
        if args.verb == "check":
            problem = check(root)
            print(problem or "ok")
            return FAILED if problem else 0
        print(_acme_run.obtain(_acme.load(root), args.who, anew=args.now).message)
    except _acme.AcmeError as error:
        print(f"barehost-certificate {args.verb}: {error}", file=sys.stderr)
        return FAILED
    return 0


def check(root: Path) -> str:
    """Say what is wrong with the certificate that serves; empty where nothing is."""
    seen = _tls.look(root).get(_tls.ACME) or {}
    wrong = _tls.reason(seen, _acme.load(root).names, _tls.now(), seen.get("server", "-"))
    return str(seen.get("problem") or wrong)
