# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a drill asks, and how it judges the answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _backup_source, _drill, _manifest

MANIFEST = _manifest.Manifest(
    id="20261126T030000Z",
    sequence=1,
    created="2026-11-26T03:00:00Z",
    seconds=1.0,
    stack={"name": "shop", "id": "x", "host": "one"},
    release={"id": "0a1b", "image": "shop/app:0a1b", "git_revision": ""},
    mysql={
        "version": "9.7.4",
        "image": "mysql:9.7",
        "database": "shop_1",
        "charset": "utf8mb4",
        "collation": "utf8mb4_bin",
    },
    tables={"item": 3, "order": 0},
    rows=3,
    objects={"views": 1, "triggers": 0, "routines": 0, "events": 0},
    migrations=[["shop", "0001_initial"]],
    files={_manifest.DATABASE: {"bytes": 9, "sha256": "0" * 64, "plain_bytes": 5 << 30}},
)
FACTS = _backup_source.Facts(
    version="9.7.4",
    charset="utf8mb4",
    collation="utf8mb4_bin",
    tables=["item", "order"],
    bytes=1,
    other_engines=[],
    objects={"views": 1, "triggers": 0, "routines": 0, "events": 0},
)
SERVER = _drill.Server(
    name="barehost-drill-shop-0a1b2c3d",
    stack_dir="/opt/shop",
    image="sha256:1234",
    entrypoint=["docker-entrypoint.sh"],
    hosts=("mysql", "db", "mysql"),
    config="/opt/shop/mysql/conf.d",
    memory_mb=1024,
    cpus=1.0,
    seconds=600,
)


def test_the_server_has_no_network_and_goes_by_itself() -> None:
    label = "barehost.django.drill=/opt/shop"
    assert _drill.server_cmd(SERVER) == [
        *["docker", "run", "--rm", "--init", "--name", SERVER.name, "--label", label, "--pull", "never"],
        *["--network", "none", "--user", "mysql"],
        *["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"],
        "--tmpfs=/var/run/mysqld:rw,noexec,nosuid,nodev,size=16m,mode=1777",
        *["--add-host", "db:127.0.0.1", "--add-host", "mysql:127.0.0.1"],
        *["--memory", "1024m", "--memory-swap", "1024m", "--cpus", "1", "--cpu-shares", "128", "--pids-limit", "1024"],
        *["--env", "MYSQL_ALLOW_EMPTY_PASSWORD=yes", "--env", "MYSQL_ROOT_HOST=localhost"],
        *["--mount", f"type=volume,target=/var/lib/mysql,volume-label={label}"],
        *["--mount", f"type=volume,target=/tmp,volume-label={label}"],
        *["--mount", "type=bind,source=/opt/shop/mysql/conf.d,target=/etc/mysql/conf.d,readonly"],
        *["--entrypoint", "timeout", "sha256:1234", "--kill-after=10", "720", "docker-entrypoint.sh", "mysqld"],
        *["--innodb-buffer-pool-size=256M", "--event-scheduler=OFF", "--skip-log-bin", "--performance-schema=OFF"],
        *["--innodb-doublewrite=OFF", "--max-allowed-packet=1G", "--mysqlx=OFF"],
    ]


def test_a_stack_without_a_configuration_of_its_own_mounts_none() -> None:
    assert "type=bind" not in " ".join(_drill.server_cmd(replace(SERVER, config="")))


def test_the_password_is_in_the_sql_and_on_no_command_line() -> None:
    sql = _drill.setup_sql(MANIFEST, "o'neil", "it's \\ secret")
    assert "CREATE DATABASE `shop_1` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;" in sql
    assert "CREATE USER 'o''neil'@'%' IDENTIFIED BY 'it''s \\\\ secret';" in sql
    # Otherwise it would be the account of every schema that begins like this one.
    assert "ON `shop\\_1`.* TO 'o''neil'@'%';" in sql
    assert "secret" not in " ".join(_drill.client_cmd("c", "shop_1"))


@pytest.mark.parametrize("key", ["charset", "collation"])
def test_a_character_set_that_is_sql_is_refused(key: str) -> None:
    with pytest.raises(_drill.DrillError, match="which are none"):
        _drill.setup_sql(replace(MANIFEST, mysql={**MANIFEST.mysql, key: "x; DROP"}), "a", "b")


def test_rows_are_counted_by_name() -> None:
    assert (
        _drill.counts_sql(["a`b", "it's"])
        == "SELECT JSON_ARRAY('a`b', COUNT(*)) FROM `a``b`;\nSELECT JSON_ARRAY('it''s', COUNT(*)) FROM `it's`;\n"
    )
    assert _drill.parse_counts('["a`b", 3]\n["it\'s", 0]\n') == {"a`b": 3, "it's": 0}
    with pytest.raises(_drill.DrillError, match="no number"):
        _drill.parse_counts("ERROR 1146")


def test_what_came_back_is_compared_whole() -> None:
    assert _drill.differences(MANIFEST, FACTS, {"item": 3, "order": 0}) == []
    assert _drill.differences(MANIFEST, FACTS, {"item": 2, "order": 0}) == [
        "table item has 2 rows and the manifest says 3"
    ]
    facts = replace(FACTS, tables=["item", "stray"], objects={**FACTS.objects, "views": 0})
    assert _drill.differences(MANIFEST, facts, {"item": 3, "stray": 1}) == [
        "table order is missing",
        "table stray is in no manifest",
        "there are 0 views and the manifest says 1",
    ]


def test_migrations_are_compared() -> None:
    assert _drill.migration_differences(MANIFEST, [["shop", "0001_initial"]]) == []
    assert _drill.migration_differences(MANIFEST, [["shop", "0002_more"]]) == [
        "migration shop.0001_initial is not applied and the manifest says it is",
        "migration shop.0002_more is applied and the manifest says nothing of it",
    ]


def test_a_summary_is_one_line() -> None:
    assert _drill.summary(["a"]) == "a"
    assert _drill.summary(["a", "b", "c", "d", "e"]) == "a; b; c, and 2 more"


def test_room_is_asked_for_by_the_size_of_the_text() -> None:
    assert _drill.needed(MANIFEST) == (1 << 30) + 2 * (5 << 30)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"user": ""}, "have to be names"),
        ({"host": "a b"}, "have to be names"),
        ({"memory_mb": 100}, "memory_mb is 100"),
        ({"memory_mb": "1024"}, "memory_mb is '1024'"),
        ({"timeout_seconds": True}, "timeout_seconds is True"),
        ({"cpus": 0}, "cpus is 0"),
        ({"cpu": 1}, "does not know: cpu"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(_drill.DrillError, match=why):
        _drill.Wish.read({"user": "shop", "secret": "mysql_password", **changes})


def test_settings_without_an_account_are_refused() -> None:
    with pytest.raises(_drill.DrillError, match="deploy again"):
        _drill.Wish.read({})
