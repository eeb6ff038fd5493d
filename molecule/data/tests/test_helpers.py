# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A look that sees nothing would let every other test pass: what the tests of this folder see and do is tried here."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from conftest import STACK_DIR
from contents import count_rows, look, make_media, make_rows, sql
from faults import MIB, fill, free, other_clock, small

if TYPE_CHECKING:
    from conftest import Host

ONE = "(SELECT id FROM (SELECT MAX(id) AS id FROM traffic_entry) x)"
DAY = 24 * 3600


def test_rows_are_made_as_many_as_asked(machine: Host) -> None:
    before = count_rows(machine)["traffic_entry"]
    make_rows(machine, 12345, "helpers")
    assert count_rows(machine)["traffic_entry"] == before + 12345
    assert sql(machine, "SELECT COUNT(DISTINCT uid) FROM traffic_entry WHERE uid LIKE 'helpers-%'") >= [["12345"]]
    sql(machine, "DELETE FROM traffic_entry WHERE uid LIKE 'helpers-%'")


def test_a_look_sees_a_changed_row_a_changed_file_and_what_is_gone(machine: Host) -> None:
    make_rows(machine, 10, "seen")
    make_media(machine, 3, folder="seen")
    media = f"{STACK_DIR}/media/seen"
    before = look(machine)
    assert before.differences(look(machine)) == []
    sql(machine, f"UPDATE traffic_entry SET uid = CONCAT(uid, '!') WHERE id = {ONE}")
    machine.run(f"printf x | dd of={media}/upload-000000 conv=notrunc status=none; rm {media}/upload-000001")
    machine.run(f"chmod 0600 {media}/upload-000002")
    sql(machine, "CREATE VIEW seen AS SELECT 1 AS one")
    found = before.differences(look(machine))
    assert found == ["seen/upload-000000", "seen/upload-000001", "seen/upload-000002", "traffic_entry", "view seen"]
    sql(machine, "DROP VIEW seen; DELETE FROM traffic_entry WHERE uid LIKE 'seen-%'")
    machine.run(f"rm -r {media}")


def test_a_disk_is_full_to_where_it_is_asked_and_has_space_again(machine: Host) -> None:
    with small(machine, "backups", 8 * MIB) as path:
        fill(machine, path, leave=MIB)
        machine.run(f"head -c {MIB // 2} /dev/zero > {path}/half")
        with pytest.raises(subprocess.CalledProcessError):
            machine.run(f"head -c {MIB} /dev/zero > {path}/whole")
        free(machine, path)
        machine.run(f"head -c {MIB} /dev/zero > {path}/whole")
    machine.run(f"test ! -e {path}/whole")


def test_a_program_believes_that_it_is_tomorrow(machine: Host) -> None:
    with other_clock(machine, "+1d") as python:
        ahead = machine.run(f"{python} -c 'import time; print(int(time.time()))'; date +%s").splitlines()
    assert DAY - 5 < int(ahead[0]) - int(ahead[1]) < DAY + 5
