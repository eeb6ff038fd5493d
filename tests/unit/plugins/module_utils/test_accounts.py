# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What it takes to have accounts as they should be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _accounts, _accounts_seen, _mysql_password
from hypothesis import given
from hypothesis import strategies as st
from support.accounts import PASSWORDS, RUNTIME, but, plain_matches, plan, settled, stored, wish

ANY = st.characters(exclude_categories=["Cs"])
IN_NAMES = st.characters(exclude_categories=["Cs", "Cc"], max_codepoint=0xFFFF)


@pytest.fixture(autouse=True)
def plain_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare passwords as they are."""
    monkeypatch.setattr(_mysql_password, "matches", plain_matches)


def test_nothing_is_done_to_accounts_that_are_as_they_should_be() -> None:
    assert plan(settled()) == ([], [])


def test_a_new_password_is_taken_beside_the_old_one_until_the_end() -> None:
    seen = but(settled(), accounts={("shop", "%"): stored("old", kind="runtime")})
    now, later = plan(seen)
    assert now == [
        "ALTER USER 'shop'@'%' IDENTIFIED WITH caching_sha2_password BY 'not-for-production-1' RETAIN CURRENT PASSWORD"
    ]
    assert later == ["ALTER USER 'shop'@'%' DISCARD OLD PASSWORD"]


def test_an_old_password_is_discarded_once_it_is_the_second_one() -> None:
    seen = but(settled(), accounts={("shop", "%"): stored(PASSWORDS["mysql_password"], "old", kind="runtime")})
    assert plan(seen) == ([], ["ALTER USER 'shop'@'%' DISCARD OLD PASSWORD"])


@pytest.mark.parametrize(
    ("primary", "secondary", "serves", "retained"),
    [
        # A deploy with another password failed, and what serves has the second one.
        ("failed", "serves", "serves", False),
        ("serves", "older", "serves", True),
        ("old", "", "serves", True),
        ("one", "other", None, True),
        ("", "", None, False),
    ],
)
def test_the_password_that_serves_stays(primary: str, secondary: str, serves: str | None, *, retained: bool) -> None:
    seen = but(settled(), accounts={("shop", "%"): stored(primary, secondary, kind="runtime")})
    now, _ = plan(seen, earlier={"mysql_password": serves} if serves else {})
    assert len(now) == 1
    assert now[0].endswith(" RETAIN CURRENT PASSWORD") is retained


def test_a_password_of_another_kind_is_replaced_by_one_that_can_be_compared() -> None:
    other = _accounts_seen.Stored("mysql_native_password", b"*94BD", b"", {_accounts.MARK: "runtime"})
    now, later = plan(but(settled(), accounts={("shop", "%"): other}))
    assert now == ["ALTER USER 'shop'@'%' IDENTIFIED WITH caching_sha2_password BY 'not-for-production-1'"]
    assert later == []


def test_a_dry_run_knows_which_passwords_will_be_others() -> None:
    found = _accounts.plan(wish(), settled(), _accounts.Passwords(PASSWORDS, changing=["mysql_password"]))
    assert found.texts == ["account 'shop'@'%': new password", "account 'shop'@'%': old password discarded"]


def test_a_dry_run_takes_a_password_whose_file_is_lost_for_the_one_that_serves() -> None:
    kept = {name: value for name, value in PASSWORDS.items() if name != "mysql_password"}
    assert _accounts.plan(wish(), settled(), _accounts.Passwords(kept)).texts == []


def test_a_missing_account_is_made_and_granted_what_it_needs() -> None:
    seen = but(
        settled(),
        accounts={("shop_backup", "localhost"): None},
        grants={"'shop_backup'@'localhost'": _accounts_seen.Grants()},
    )
    assert plan(seen)[0] == [
        (
            """CREATE USER 'shop_backup'@'localhost' IDENTIFIED WITH caching_sha2_password BY 'not-for-production-3' """
            """ATTRIBUTE '{"barehost.django": "backup"}'"""
        ),
        "GRANT SELECT ON `shop\\_db`.* TO 'shop_backup'@'localhost'",
        "GRANT SHOW_ROUTINE ON *.* TO 'shop_backup'@'localhost'",
    ]


def test_a_privilege_too_many_is_revoked_wherever_it_is() -> None:
    grants = _accounts_seen.Grants(
        frozenset({"PROCESS", "GRANT OPTION"}),
        {
            "shop\\_db": frozenset({*RUNTIME, "DROP", "GRANT OPTION"}),
            "shop_db": frozenset({"SELECT"}),
            "o`r": frozenset({"ALTER"}),
        },
        (("mysql", "ALL PRIVILEGES ON TABLE `mysql`.`user`"), ("", "'helper'@'%'")),
    )
    now, _ = plan(but(settled(), grants={"'shop'@'%'": grants}))
    assert now == [
        "REVOKE ALTER ON `o``r`.* FROM 'shop'@'%'",
        "REVOKE DROP, GRANT OPTION ON `shop\\_db`.* FROM 'shop'@'%'",
        "REVOKE SELECT ON `shop_db`.* FROM 'shop'@'%'",
        "REVOKE GRANT OPTION, PROCESS ON *.* FROM 'shop'@'%'",
        "REVOKE 'helper'@'%' FROM 'shop'@'%'",
        "REVOKE ALL PRIVILEGES ON TABLE `mysql`.`user` FROM 'shop'@'%'",
    ]


def test_who_may_do_everything_may_do_what_a_newer_server_calls_so() -> None:
    held = {"shop\\_db": frozenset({*_accounts.ALL, "NEW PRIVILEGE"})}
    made = (("shop_db", "ALL PRIVILEGES ON PROCEDURE `shop_db`.`own`"),)
    grants = _accounts_seen.Grants(schemas=held, objects=made)
    assert plan(but(settled(), grants={"'shop_migrate'@'%'": grants})) == ([], [])
    more = _accounts_seen.Grants(schemas={"shop\\_db": frozenset({*_accounts.ALL, "GRANT OPTION"})})
    assert plan(but(settled(), grants={"'shop_migrate'@'%'": more}))[0] == [
        "REVOKE GRANT OPTION ON `shop\\_db`.* FROM 'shop_migrate'@'%'"
    ]


def test_open_doors_are_closed_and_the_accounts_of_others_left_alone() -> None:
    seen = but(settled(), accounts={("", "%"): stored(""), ("root", "%"): stored("x"), ("rooter", "%"): stored("x")})
    assert plan(seen)[0] == ["DROP USER ''@'%'", "DROP USER 'root'@'%'"]


def test_an_account_of_ours_that_is_not_wanted_any_more_goes_in_the_end() -> None:
    seen = but(settled(), accounts={("shop_old", "%"): stored("old", kind="runtime")})
    assert plan(seen) == ([], ["DROP USER 'shop_old'@'%'"])


def test_an_account_of_somebody_else_with_our_name_is_named() -> None:
    seen = but(settled(), accounts={("shop", "localhost"): stored("x")})
    found = _accounts.plan(wish(), seen, _accounts.Passwords(PASSWORDS))
    assert found.texts == []
    assert found.warnings[0].startswith("MySQL has an account 'shop'@'localhost' that is not of this stack")


def test_a_locked_account_is_unlocked() -> None:
    seen = but(settled(), accounts={("shop", "%"): stored(PASSWORDS["mysql_password"], kind="runtime", locked=True)})
    assert plan(seen)[0] == ["ALTER USER 'shop'@'%' ACCOUNT UNLOCK"]


def test_the_schema_has_its_character_set() -> None:
    assert plan(but(settled(), schema=None))[0] == [
        "CREATE DATABASE `shop_db` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    ]
    assert plan(but(settled(), schema=("latin1", "latin1_bin")))[0] == [
        "ALTER DATABASE `shop_db` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    ]
    old = wish(charset="utf8", collation="utf8_general_ci")
    assert plan(but(settled(), schema=("utf8mb3", "utf8mb3_general_ci")), wish=old) == ([], [])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "has 0 characters"),
        ({"name": "a" * 33}, "MySQL takes 1 to 32"),
        ({"name": "mysql.sys"}, "is MySQL's own"),
        ({"name": "root"}, "is MySQL's own"),
        ({"privileges": ["SELECT ON *.* TO x --"]}, "is no privilege"),
        ({"privileges": ["select"]}, "is no privilege"),
    ],
)
def test_what_cannot_be_an_account_is_refused(changed: dict[str, Any], said: str) -> None:
    account = {"name": "shop", "host": "%", "kind": "runtime", "secret": "x", "privileges": [], "global_privileges": []}
    with pytest.raises(ValueError, match=said.replace("*", "[*]")):
        wish(accounts=[{**account, **changed}])


def test_two_accounts_of_one_name_and_a_collation_that_is_none_are_refused() -> None:
    account = {"name": "shop", "host": "%", "kind": "runtime", "secret": "x", "privileges": [], "global_privileges": []}
    with pytest.raises(ValueError, match="is named twice"):
        wish(accounts=[account, account])
    with pytest.raises(ValueError, match="is no character set"):
        wish(collation="utf8mb4_bin; DROP DATABASE shop")


def test_what_a_server_that_is_down_will_need() -> None:
    recorded = wish().described()
    assert _accounts.foresee(wish(), recorded, []) == []
    assert _accounts.foresee(wish(), recorded, ["mysql_password"]) == [
        "account 'shop'@'%': new password",
        "account 'shop'@'%': old password discarded",
    ]
    assert _accounts.foresee(wish(collation="utf8mb4_0900_ai_ci"), recorded, []) == [
        "database shop_db: utf8mb4, utf8mb4_0900_ai_ci"
    ]
    recorded["accounts"]["'shop_old'@'%'"] = recorded["accounts"].pop("'shop_backup'@'localhost'")
    recorded["accounts"]["'shop'@'%'"] = []
    assert _accounts.foresee(wish(), recorded, []) == [
        "account 'shop'@'%': other privileges",
        "account 'shop_backup'@'localhost': made",
        "account 'shop_old'@'%': removed, not wanted any more",
    ]


def test_a_server_that_is_not_there_yet_begins_with_what_the_image_makes() -> None:
    assert _accounts.foresee(wish(), {}, list(PASSWORDS)) == [
        "account 'shop'@'%': marked as runtime",
        "account 'shop'@'%': granted INSERT on shop_db",
        "account 'shop_migrate'@'%': made",
        "account 'shop_migrate'@'%': granted ALL on shop_db",
        "account 'shop_backup'@'localhost': made",
        "account 'shop_backup'@'localhost': granted SELECT on shop_db",
        "account 'shop_backup'@'localhost': granted SHOW_ROUTINE",
    ]


def unquoted(text: str) -> tuple[str, str]:
    """Read a literal as MySQL does; return it and what follows."""
    assert text[0] == "'"
    escapes = {"0": "\0", "n": "\n", "r": "\r", "Z": "\x1a"}
    value, at = [], 1
    while True:
        char, following = text[at], text[at + 1 : at + 2]
        if char == "\\":
            value.append(escapes.get(following, following))
            at += 2
        elif char == "'" and following == "'":
            value.append("'")
            at += 2
        elif char == "'":
            return "".join(value), text[at + 1 :]
        else:
            value.append(char)
            at += 1


@given(st.text(ANY, min_size=1), st.text(ANY, min_size=1, max_size=32))
def test_no_name_and_no_password_leaves_its_quotes(password: str, name: str) -> None:
    account = _accounts.Account(name, "%", "secret", "runtime")
    wanted = _accounts.Wish("shop", "utf8mb4", "utf8mb4_bin", (account,))
    seen = _accounts_seen.Seen(schema=("utf8mb4", "utf8mb4_bin"))
    (step, *_) = _accounts.plan(wanted, seen, _accounts.Passwords({"secret": password})).now
    user, rest = unquoted(step.sql.removeprefix("CREATE USER "))
    assert user == name
    host, rest = unquoted(rest.removeprefix("@"))
    assert host == "%"
    word, rest = unquoted(rest.removeprefix(" IDENTIFIED WITH caching_sha2_password BY "))
    assert word == password
    assert rest == ' ATTRIBUTE \'{"barehost.django": "runtime"}\''


ANSWER = [
    ["server", 0],
    ["schema", "utf8mb4", "utf8mb4_bin"],
    ["account", "shop", "%", "caching_sha2_password", "24", "25", {"barehost.django": "runtime"}, 0],
    ["account", "root", "localhost", "caching_sha2_password", "24", None, None, 1],
    ["everywhere", "'shop'@'%'", "USAGE", 0],
    ["everywhere", "'shop_backup'@'localhost'", "SHOW_ROUTINE", 0],
    ["on schema", "'shop'@'%'", "SELECT", 1, "shop\\_db"],
    ["on table", "'shop'@'%'", "mysql", "us`er"],
    ["on routine", "'shop'@'%'", "shop_db", "one", "PROCEDURE"],
    ["role", "'shop'@'%'", "helper", "%"],
    ["definer", "shop@%", "TRIGGER", "shop_db", "t", 1],
    ["definer", "shop@%", "VIEW", "shop_db", "v", 0],
]


def test_the_answer_of_a_server_is_read() -> None:
    seen = _accounts_seen.read("".join(f"{json.dumps(row)}\n" for row in ANSWER))
    assert (seen.ready, seen.schema) == (True, ("utf8mb4", "utf8mb4_bin"))
    assert seen.accounts["shop", "%"] == _accounts_seen.Stored(
        "caching_sha2_password", b"$", b"%", {"barehost.django": "runtime"}
    )
    assert seen.accounts["root", "localhost"].locked
    assert seen.grants_of(("shop", "%")) == _accounts_seen.Grants(
        frozenset(),
        {"shop\\_db": frozenset({"SELECT", "GRANT OPTION"})},
        (
            ("mysql", "ALL PRIVILEGES ON TABLE `mysql`.`us``er`"),
            ("shop_db", "ALL PRIVILEGES ON PROCEDURE `shop_db`.`one`"),
            ("", "'helper'@'%'"),
        ),
    )
    assert seen.grants_of(("shop_backup", "localhost")).everywhere == {"SHOW_ROUTINE"}
    assert seen.grants_of(("nobody", "%")) == _accounts_seen.Grants()
    assert seen.defined_by(("shop", "%")) == (
        _accounts_seen.Defined("TRIGGER", "shop_db", "t"),
        _accounts_seen.Defined("VIEW", "shop_db", "v", as_definer=False),
    )


@pytest.mark.parametrize("text", ["", "no JSON", '["schema", "a", "b"]\n'])
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        _accounts_seen.read(text)


def test_the_temporary_server_of_the_first_start_is_known() -> None:
    assert not _accounts_seen.read('["server", 1]\n').ready


@given(st.text(IN_NAMES, min_size=1, max_size=60).filter(lambda text: not text.endswith(" ")))
def test_the_question_holds_any_name_as_a_literal(name: str) -> None:
    asked = _accounts_seen.question(name, [(name[:32], "%")])
    at = asked.index("SCHEMA_NAME = ") + len("SCHEMA_NAME = ")
    assert unquoted(asked[at:])[0] == name
    at = asked.index("User IN (") + len("User IN (")
    assert unquoted(asked[at:])[0] == name[:32]
