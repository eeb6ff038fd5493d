# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is not taken away from an account, since MySQL runs something as it."""

from __future__ import annotations

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _accounts, _accounts_seen, _mysql_password
from support.accounts import PASSWORDS, RUNTIME, but, plain_matches, plan, settled, stored, wish


@pytest.fixture(autouse=True)
def plain_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare passwords as they are."""
    monkeypatch.setattr(_mysql_password, "matches", plain_matches)


def belongs(*kinds: str, schema: str = "shop_db") -> tuple[_accounts_seen.Defined, ...]:
    """Return an object of each kind."""
    return tuple(_accounts_seen.Defined(kind, schema, f"a_{kind.lower()}") for kind in kinds)


def after(seen: _accounts_seen.Seen, key: tuple[str, str], *privileges: str) -> _accounts_seen.Seen:
    """Return the server as the statements leave it."""
    grants = _accounts_seen.Grants(schemas={"shop\\_db": frozenset(privileges)})
    return but(seen, grants={f"'{key[0]}'@'{key[1]}'": grants})


@pytest.mark.parametrize(
    ("kind", "privilege"),
    [
        ("TRIGGER", "TRIGGER"),
        ("EVENT", "EVENT"),
        ("PROCEDURE", "EXECUTE"),
        ("FUNCTION", "EXECUTE"),
    ],
)
def test_an_account_keeps_what_mysql_demands_of_it_each_time(kind: str, privilege: str) -> None:
    seen = after(but(settled(), definers={"shop@%": belongs(kind)}), ("shop", "%"), *_accounts.ALL)
    (revoked,), later = plan(seen)
    assert revoked.startswith("REVOKE ALTER, ")
    assert privilege not in revoked.partition(" ON ")[0].removeprefix("REVOKE ").split(", ")
    assert later == []
    found = _accounts.plan(wish(), seen, _accounts.Passwords(PASSWORDS))
    assert len(found.warnings) == 2
    assert f"{kind.lower()} shop_db.a_{kind.lower()}. Each time it demands {privilege} of" in found.warnings[0]
    assert "make them anew in a migration" in found.warnings[0]
    assert "That account loses ALTER, " in found.warnings[1]
    # A second run has nothing to do, and still says it.
    again = after(seen, ("shop", "%"), *RUNTIME, privilege)
    assert plan(again) == ([], [])
    assert _accounts.plan(wish(), again, _accounts.Passwords(PASSWORDS)).warnings == found.warnings[:1]
    # What was taken before is given back; and once nothing runs as it any more, it goes.
    assert plan(after(seen, ("shop", "%"), *RUNTIME))[0] == [f"GRANT {privilege} ON `shop\\_db`.* TO 'shop'@'%'"]
    assert plan(but(again, definers={}))[0] == [f"REVOKE {privilege} ON `shop\\_db`.* FROM 'shop'@'%'"]


def test_what_runs_as_whoever_calls_it_and_what_is_elsewhere_demands_nothing_here() -> None:
    invoked = (_accounts_seen.Defined("PROCEDURE", "shop_db", "p", as_definer=False),)
    for definers in ({"shop@%": invoked}, {"shop@%": belongs("TRIGGER", schema="other")}, {"a@b@%": belongs("EVENT")}):
        assert plan(but(settled(), definers=definers)) == ([], [])
    assert _accounts.plan(wish(), but(settled(), definers={"shop_migrate@%": belongs("TRIGGER")}), None).warnings == []


@pytest.mark.parametrize("schema", ["shop_db", "other"])
def test_an_account_that_something_belongs_to_is_locked_and_not_removed(schema: str) -> None:
    old = {("shop_old", "%"): stored("old", kind="runtime")}
    seen = but(settled(), accounts=old, definers={"shop_old@%": belongs("VIEW", schema=schema)})
    assert plan(seen) == ([], ["ALTER USER 'shop_old'@'%' ACCOUNT LOCK"])
    again = but(seen, accounts={("shop_old", "%"): stored("old", kind="runtime", locked=True)})
    assert plan(again) == ([], [])
    for found in (seen, again):
        (told,) = _accounts.plan(wish(), found, _accounts.Passwords(PASSWORDS)).warnings
        assert f"is the definer of view {schema}.a_view" in told
    assert plan(but(again, definers={})) == ([], ["DROP USER 'shop_old'@'%'"])


def test_root_from_elsewhere_is_locked_where_something_runs_as_it() -> None:
    seen = but(
        settled(),
        accounts={("root", "%"): stored("x"), ("", "%"): stored("")},
        definers={"root@%": belongs("TRIGGER"), "@%": belongs("VIEW")},
    )
    # One without a name would keep out whom it is taken for.
    assert plan(seen)[0] == ["DROP USER ''@'%'", "ALTER USER 'root'@'%' ACCOUNT LOCK"]
    again = but(seen, accounts={("root", "%"): stored("x", locked=True), ("", "%"): None})
    assert plan(again) == ([], [])


def test_one_of_the_same_name_from_elsewhere_lets_the_application_in_as_before() -> None:
    key = ("shop", "172.%")
    seen = but(
        settled(), accounts={key: stored("old", kind="runtime")}, definers={"shop@172.%": belongs("VIEW", "TRIGGER")}
    )
    seen = after(seen, key, *RUNTIME, "TRIGGER", "DROP")
    now, later = plan(seen)
    assert now == [
        (
            "ALTER USER 'shop'@'172.%' IDENTIFIED WITH caching_sha2_password BY 'not-for-production-1'"
            " RETAIN CURRENT PASSWORD"
        ),
        "REVOKE DROP ON `shop\\_db`.* FROM 'shop'@'172.%'",
    ]
    assert later == ["ALTER USER 'shop'@'172.%' DISCARD OLD PASSWORD"]
    again = after(
        but(seen, accounts={key: stored(PASSWORDS["mysql_password"], kind="runtime")}), key, *RUNTIME, "TRIGGER"
    )
    assert plan(again) == ([], [])
    told = _accounts.plan(wish(), again, _accounts.Passwords(PASSWORDS)).warnings
    assert "is kept beside the one of that name" in told[1]
    assert plan(but(again, definers={})) == ([], ["DROP USER 'shop'@'172.%'"])


def test_a_long_list_of_objects_is_cut() -> None:
    many = tuple(_accounts_seen.Defined("TRIGGER", "shop_db", f"t{number:02}") for number in range(12))
    (told,) = _accounts.plan(
        wish(),
        after(but(settled(), definers={"shop@%": many}), ("shop", "%"), *RUNTIME, "TRIGGER"),
        _accounts.Passwords(PASSWORDS),
    ).warnings
    assert "trigger shop_db.t09 and 2 more." in told
