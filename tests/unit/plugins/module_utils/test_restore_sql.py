# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The SQL of a restore: names, objects and their owners, and the order of a swap."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _restore_mysql,
    _restore_objects,
    _restore_sql,
    _restore_text,
)
from hypothesis import given
from hypothesis import strategies as st

EVERYTHING = (Path(__file__).parents[2] / "fixtures" / "dumps" / "everything.sql").read_bytes()
STAMP = "20261126T030000Z"


def items() -> list[_restore_objects.Item]:
    reader = _restore_text.Reader(lambda _piece: None)
    reader.feed(EVERYTHING)
    return reader.end().items


@given(st.text(alphabet="ab_-$é", min_size=1, max_size=64))
def test_schemas_beside_have_names_that_mysql_takes_and_that_are_known_again(live: str) -> None:
    schemas = _restore_sql.Schemas.of(live, STAMP)
    assert len({live, schemas.new, schemas.old}) == 3
    assert max(len(schemas.new), len(schemas.old)) <= 64
    there = [live, schemas.new, schemas.old, f"{schemas.new}x", "mysql", "other__restore_20261126t030000z"]
    assert _restore_sql.ours(live, _restore_sql.NEW, there)[:1] == [schemas.new] or schemas.new.startswith("other__")
    assert schemas.old in _restore_sql.ours(live, _restore_sql.OLD, there)


@pytest.mark.parametrize(
    "name", ["app", "mysql", "app__restore_", "app__restore_20261126t030000z_x", "app__kept_20261126t030000z"]
)
def test_no_schema_is_dropped_but_those_that_a_restore_has_made(name: str) -> None:
    with pytest.raises(ValueError, match="is no schema that a restore has made"):
        _restore_sql.drop_schema(name)


def test_the_account_of_a_load_reaches_the_new_schema_alone() -> None:
    sql = _restore_sql.prepare(_restore_sql.Schemas.of("my_app", STAMP), "utf8mb4", "utf8mb4_bin", "s3cret")
    assert [line for line in sql.splitlines() if line.startswith("GRANT")] == [
        r"GRANT ALL ON `my\_app\_\_restore\_20261126t030000z`.* TO 'barehost_restore'@'localhost';"
    ]
    with pytest.raises(ValueError, match="cannot be"):
        _restore_sql.prepare(_restore_sql.Schemas.of("a", STAMP), "utf8mb4; DROP", "x", "y")


def test_a_password_is_on_no_command_line() -> None:
    argv = _restore_mysql.load_cmd("0a1b", 60, "app")
    assert argv == [
        "docker", "exec", "--interactive", "0a1b", "sh", "-c", argv[6], "sh",
        "timeout", "--kill-after=10", "60", "mysql", "--defaults-extra-file=/dev/fd/4", "--batch", "--raw",
        "--skip-column-names", "--binary-mode", "--loose-system-command=OFF", "--default-character-set=utf8mb4",
        "--max-allowed-packet=1G", "app",
    ]  # fmt: skip


def test_the_password_and_the_dump_come_one_after_the_other(tmp_path: Path) -> None:
    """Without a container: what would be the client prints its options and what it reads."""
    for pipe in ("", str(tmp_path / "pipe")):
        argv = _restore_mysql.load_cmd("0a1b", 60, "app", pipe)[5:8]
        client = ["sh", "-c", f"cat <&4 > {tmp_path}/options; cat > {tmp_path}/sql"]
        load = _restore_mysql.Load(["sh", *argv, *client], "s3cret", 60, pipe)
        load.write(b"SELECT 1;\n" * 100_000)
        load.finish()
        load.close()
        assert (tmp_path / "options").read_text() == '[client]\nuser=barehost_restore\npassword="s3cret"\n'
        assert (tmp_path / "sql").read_bytes() == b"SELECT 1;\n" * 100_000
        assert not pipe or not Path(pipe).exists()


def test_a_client_that_ends_early_says_why(tmp_path: Path) -> None:
    client = ["sh", "-c", "echo 'ERROR 1146 (42S02) at line 3: no table' >&2; exit 1"]
    for pipe in ("", str(tmp_path / "pipe")):
        load = _restore_mysql.Load(
            ["sh", *_restore_mysql.load_cmd("0a1b", 60, "app", pipe)[5:8], *client], "x", 60, pipe
        )
        with pytest.raises(_restore_mysql.MysqlError, match="MySQL said 1146: no table"):
            load.write(b"x" * 10_000_000)
        load.close()
    with pytest.raises(_restore_mysql.MysqlError, match="no such thing"):
        _restore_mysql.Load(["sh", "-c", "echo no such thing >&2; exit 9"], "x", 60, str(tmp_path / "never"))


def contents(tables: str, **objects: list[str]) -> _restore_sql.Contents:
    return _restore_sql.Contents(tables.split(), objects)


def kept(sql: str, *beginnings: str) -> list[str]:
    return [line for line in sql.splitlines() if line.startswith(beginnings)]


def test_tables_without_triggers_change_places_in_one_statement() -> None:
    sql = _restore_sql.swap(_restore_sql.Way("a", "o", "n"), contents("t u"), contents("t v"), [], 9)
    assert kept(sql, "RENAME", "LOCK", "DROP") == [
        "RENAME TABLE `a`.`t` TO `o`.`t`, `a`.`u` TO `o`.`u`, `n`.`t` TO `a`.`t`, `n`.`v` TO `a`.`v`;"
    ]
    assert "lock_wait_timeout = 9" in sql


def test_triggers_go_and_come_while_all_tables_are_locked() -> None:
    live = contents("t", trigger=["x"], event=["e"], view=["w"], function=["f"])
    sql = _restore_sql.swap(_restore_sql.Way("a", "o", "n"), live, contents("p log"), items(), 9)
    order = ["DROP EVENT", "LOCK TABLES `a`.`t` WRITE, `n`.`p` WRITE, `n`.`log` WRITE;", "DROP TRIGGER IF EXISTS `a`.`x`", "RENAME TABLE",
             "TRIGGER `t2`", "TRIGGER `tp`", "UNLOCK TABLES", "DROP VIEW IF EXISTS `a`.`w`", "VIEW `v` AS SELECT \n", "FUNCTION `f1`",
             "VIEW `v` AS select", "EVENT `e1`"]  # fmt: skip
    places = [sql.find(word) for word in order]
    assert -1 not in places
    assert places == sorted(places)


def test_a_view_makes_room_for_a_table_of_its_name_before_anything_is_locked() -> None:
    sql = _restore_sql.swap(_restore_sql.Way("a", "o", "n"), contents("t", view=["p", "q"]), contents("p"), [], 9)
    assert sql.find("DROP VIEW IF EXISTS `a`.`p`") < sql.find("RENAME") < sql.find("DROP VIEW IF EXISTS `a`.`q`")


def test_only_what_is_missing_is_made_again() -> None:
    there = contents("", trigger=["tp"], view=["v", "v2"], function=["f1"], procedure=[], event=["e1"])
    sql = _restore_sql.missing(items(), there)
    assert [name for name in ("`t2`", "`pr`") if name not in sql] == []
    assert [name for name in ("`tp`", "VIEW", "`f1`", "`e1`") if name in sql] == []
    everything = contents("", trigger=["tp", "t2"], view=["v", "v2"], function=["f1"], procedure=["pr"], event=["e1"])
    assert _restore_sql.missing(items(), everything) == ""


def test_an_owner_that_does_not_exist_is_replaced() -> None:
    accounts = {("root", "localhost")}
    owned = [_restore_objects.owned(item, accounts, ("a`pp", "%")) for item in items()]
    assert {item.definer for item in owned if item.definer} == {("root", "localhost"), ("a`pp", "%")}
    changed = [new.text for old, new in zip(items(), owned, strict=True) if old != new]
    assert len(changed) == 1
    assert changed[0].startswith("CREATE DEFINER=`a``pp`@`%` FUNCTION `f1`(a int)")


def test_a_word_in_a_body_is_no_owner() -> None:
    text = "CREATE DEFINER=`x`@`%` PROCEDURE `p`()\nSELECT 'DEFINER=`root`@`localhost`'"
    item = _restore_objects.item_of(text)
    assert item is not None
    assert item.definer == ("x", "%")
    bare = _restore_objects.item_of("CREATE PROCEDURE `p`()\nSELECT 'DEFINER=`root`@`localhost`'")
    assert bare is not None
    assert bare.definer is None


def test_settings_alone_make_nothing() -> None:
    only = [item for item in items() if item.kind == "set"]
    assert only
    assert _restore_objects.make(only) == ""


@pytest.mark.parametrize(
    ("code", "err", "said", "number", "line"),
    [
        (
            1,
            "ERROR 1142 (42000) at line 9: DROP command denied to user",
            "MySQL said 1142: DROP command denied to user",
            1142,
            9,
        ),
        (1, "ERROR 1045 (28000): Access denied for user", "is brought to its end by barehost.django.deploy", 1045, 0),
        (1, "ERROR at line 2: Unknown command '\\!'.", "its client said: Unknown command '\\!'.", 0, 2),
        (124, "", "it took longer than 60 seconds", 0, 0),
        (1, "sh: 1: mysql: not found\n", "ended with 1: sh: 1: mysql: not found", 0, 0),
    ],
)
def test_a_failure_is_told_in_the_servers_words(code: int, err: str, said: str, number: int, line: int) -> None:
    error = _restore_mysql.failure(code, err, 60)
    assert said in str(error)
    assert (error.number, error.line) == (number, line)


def test_a_statement_that_is_denied_is_no_wrong_password() -> None:
    denied = "Access denied for user 'barehost_restore'@'localhost' (using password: YES)"
    of_statement = str(_restore_mysql.failure(1, f"ERROR 1045 (28000) at line 9: {denied}", 60))
    assert of_statement == f"MySQL said 1045: {denied}; {_restore_mysql.NO_FILES}"
    assert "deploy" not in of_statement
    assert "deploy" in str(_restore_mysql.failure(1, f"ERROR 1045 (28000): {denied}", 60))


def test_what_is_tried_in_the_new_schema_is_roots_there_and_no_event() -> None:
    sql = _restore_sql.prove_objects(items())
    assert "ghost" not in sql
    assert "FUNCTION `f1`" in sql
    assert "TRIGGER `tp`" in sql
    assert "EVENT" not in sql
