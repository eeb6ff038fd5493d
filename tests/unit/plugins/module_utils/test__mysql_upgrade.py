# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What MySQL is asked before and after an upgrade, and what its answers mean."""

from __future__ import annotations

from ansible_collections.barehost.django.plugins.module_utils import _mysql_upgrade


def test_the_answers_of_check_table() -> None:
    rows = _mysql_upgrade.parse_rows(
        "a.b\tcheck\tstatus\tOK\na.c\tcheck\tnote\tThe storage engine for the table doesn't support check\n"
        "a.d\tcheck\twarning\t1 client is using it\na.e\tcheck\tstatus\tOperation failed\n"
    )
    assert _mysql_upgrade.broken(rows) == ["a.d: 1 client is using it", "a.e: Operation failed"]


def test_tables_are_asked_some_at_a_time() -> None:
    names = [["shop", f"t`{number}"] for number in range(_mysql_upgrade.BATCH + 1)]
    first, second = _mysql_upgrade.batches(names)
    assert len(first) == _mysql_upgrade.BATCH
    assert second == [f"`shop`.`t``{_mysql_upgrade.BATCH}`"]
    assert (
        _mysql_upgrade.count_sql(["`a`.`b`", "`c`"])
        == "SELECT '`a`.`b`', COUNT(*) FROM `a`.`b` UNION ALL SELECT '`c`', COUNT(*) FROM `c`"
    )


def test_a_new_version_is_tried_on_the_data_with_no_more_than_the_server_may_do() -> None:
    volumes = [
        {"type": "volume", "source": "mysql", "target": "/var/lib/mysql"},
        {"type": "bind", "source": "mysql/conf.d", "target": "/etc/mysql/conf.d", "read_only": True},
    ]
    box = ["--read-only", "--cap-drop=ALL", "--memory=1352m"]
    trial = _mysql_upgrade.Trial("trial", "shop", "/opt/shop", "mysql:9.7", volumes, [], user="mysql", box=box)
    argv = trial.run_cmd()
    assert argv[5:] == [
        "--network=none",
        *box,
        "--user=mysql",
        "--volume=shop_mysql:/var/lib/mysql",
        "--volume=/opt/shop/mysql/conf.d:/etc/mysql/conf.d:ro",
        "mysql:9.7",
    ]
