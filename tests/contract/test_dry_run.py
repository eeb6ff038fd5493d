# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The truth table of dry runs: nothing of the collection is without a row, and no row is of something that is not there."""

from __future__ import annotations

import sys

import repo

sys.path.insert(0, str(repo.ROOT / "molecule" / "dry_run" / "tests"))

import rows

MODULES = {path.stem for path in (repo.ROOT / "plugins" / "modules").glob("*.py")}
PLAYBOOKS = {"site", "deploy", "rollback", "unlock", "uninstall", "superuser", "backup", "restore"}
LEAST_ROWS = 30


def test_every_role_and_module_has_a_row() -> None:
    covered = {name for row in rows.ROWS for name in row.covers}
    there = {*MODULES, *repo.ROLE_IDS}
    assert sorted(there - covered - rows.LOOKS_ONLY.keys()) == []
    assert sorted((covered | rows.LOOKS_ONLY.keys()) - there) == []
    assert sorted(covered & rows.LOOKS_ONLY.keys()) == []


def test_there_are_enough_rows_with_names_of_their_own() -> None:
    names = [row.name for row in rows.ROWS]
    assert len(names) == len(set(names))
    assert len(names) >= LEAST_ROWS


def test_every_verb_that_changes_something_has_a_row() -> None:
    assert sorted(PLAYBOOKS - {row.playbook for row in rows.ROWS}) == []
