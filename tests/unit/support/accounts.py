# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Accounts of a MySQL server, as a deploy wants them and as the server has them."""

from __future__ import annotations

from typing import Any

from ansible_collections.barehost.django.plugins.module_utils import _accounts, _accounts_seen, _mysql_password

OPEN = "not-for-production-"
PASSWORDS = {"mysql_password": f"{OPEN}1", "migrate": f"{OPEN}2", "backup": f"{OPEN}3", "root": f"{OPEN}4"}
RUNTIME = ["SELECT", "INSERT"]


def wish(**changed: Any) -> _accounts.Wish:
    """Return what the role wants."""

    def account(name: str, kind: str, secret: str, host: str = "%", **more: list[str]) -> dict[str, Any]:
        base = {"name": name, "host": host, "kind": kind, "secret": secret, "privileges": [], "global_privileges": []}
        return {**base, **more}

    accounts = [
        account("root", "root", "root", "localhost"),
        account("shop", "runtime", "mysql_password", privileges=RUNTIME),
        account("shop_migrate", "migration", "migrate", privileges=["ALL"]),
        account(
            "shop_backup", "backup", "backup", "localhost", privileges=["SELECT"], global_privileges=["SHOW_ROUTINE"]
        ),
    ]
    params = {"database": "shop_db", "charset": "utf8mb4", "collation": "utf8mb4_bin", "accounts": accounts}
    return _accounts.Wish.read({**params, **changed})


def stored(password: str, second: str = "", kind: str = "", **more: Any) -> _accounts_seen.Stored:
    """Return an account as the server keeps it; in these tests a hash is the password itself."""
    attributes = {_accounts.MARK: kind} if kind else {}
    return _accounts_seen.Stored(_mysql_password.CACHING, password.encode(), second.encode(), attributes, **more)


def settled() -> _accounts_seen.Seen:
    """Return a server that is as it should be."""
    return _accounts_seen.Seen(
        ready=True,
        schema=("utf8mb4", "utf8mb4_bin"),
        accounts={
            ("root", "localhost"): stored(PASSWORDS["root"]),
            ("shop", "%"): stored(PASSWORDS["mysql_password"], kind="runtime"),
            ("shop_migrate", "%"): stored(PASSWORDS["migrate"], kind="migration"),
            ("shop_backup", "localhost"): stored(PASSWORDS["backup"], kind="backup"),
            ("mysql.sys", "localhost"): stored("", locked=True),
            ("dba", "%"): stored("somebody else's"),
        },
        grants={
            "'shop'@'%'": _accounts_seen.Grants(schemas={"shop\\_db": frozenset(RUNTIME)}),
            "'shop_migrate'@'%'": _accounts_seen.Grants(schemas={"shop\\_db": frozenset(_accounts.ALL)}),
            "'shop_backup'@'localhost'": _accounts_seen.Grants(
                frozenset({"SHOW_ROUTINE"}), {"shop\\_db": frozenset({"SELECT"})}
            ),
        },
    )


def but(seen: _accounts_seen.Seen, **changed: Any) -> _accounts_seen.Seen:
    """Return a server that differs."""
    accounts = {**seen.accounts, **changed.pop("accounts", {})}
    grants = {**seen.grants, **changed.pop("grants", {})}
    schema, definers = changed.pop("schema", seen.schema), changed.pop("definers", seen.definers)
    return _accounts_seen.Seen(True, schema, {k: v for k, v in accounts.items() if v}, grants, definers)  # noqa: FBT003 - ready


def plan(seen: _accounts_seen.Seen, **options: Any) -> tuple[list[str], list[str]]:
    """Return the statements: at once, and in the end."""
    found = _accounts.plan(options.pop("wish", wish()), seen, _accounts.Passwords(PASSWORDS, **options))
    assert not [text for text in found.texts if OPEN in text]
    return [step.sql for step in found.now], [step.sql for step in found.later]


def plain_matches(plugin: str, kept: bytes, password: str) -> bool:
    """Compare passwords as they are: the real comparison has its own tests."""
    return plugin == _mysql_password.CACHING and kept == password.encode()
