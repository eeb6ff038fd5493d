# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Accounts that stored objects belong to: MySQL looks at them each time that one runs, long after it was made.

A trigger whose definer has lost the privilege TRIGGER fails each write to its table, and an object whose definer is gone fails
with error 1449. So neither is taken away while there is one; that is said instead, with what to do about it. A lock does not
keep an object from running as the account.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ansible_collections.barehost.django.plugins.module_utils._accounts import Account, Wish
    from ansible_collections.barehost.django.plugins.module_utils._accounts_seen import Defined, Seen

# What the definer must have for the object itself; what its body does comes on top of it. As
# https://dev.mysql.com/doc/refman/9.7/en/create-trigger.html, create-event.html and stored-objects-security.html have it.
NEEDS = {"TRIGGER": "TRIGGER", "EVENT": "EVENT", "PROCEDURE": "EXECUTE", "FUNCTION": "EXECUTE", "VIEW": "SELECT"}
# So many names in one line.
SHOWN = 10
ANEW = "drop them and make them anew in a migration, whose account they run as then"


def needs(account: Account, wish: Wish, seen: Seen) -> frozenset[str]:
    """Return the privileges on the schema without which what belongs to an account would fail."""
    own = [one for one in seen.defined_by(account.key) if one.as_definer and one.schema == wish.database]
    return frozenset(NEEDS[one.kind] for one in own if one.kind in NEEDS)


def kin(wish: Wish, seen: Seen, left: Collection[tuple[str, str]]) -> list[Account]:
    """Return the accounts that have the name of one that is wanted, come from elsewhere and are still needed.

    Whoever logs in may be taken for one of them, since the server takes the narrower host first. So they are not locked, and
    have the password and the privileges of the other one.
    """
    named = {account.name: account for account in reversed(wish.accounts) if account.kind != "root"}
    return [replace(named[key[0]], host=key[1]) for key in left if key[0] in named and seen.defined_by(key)]


def listed(found: Sequence[Defined]) -> str:
    """Name objects, so that they can be found."""
    names = sorted(f"{one.kind.lower()} {one.schema}.{one.name}" for one in found)
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def keeps(name: str, words: Collection[str], found: Sequence[Defined]) -> str:
    """Say that an account keeps what it should not have."""
    theirs = [one for one in found if NEEDS.get(one.kind) in words]
    return (
        f"MySQL runs as {name}: {listed(theirs)}. Each time it demands {', '.join(sorted(words))} of that account, which keeps it "
        f"though it should not have it: {ANEW}"
    )


def loses(name: str, words: str, found: Sequence[Defined]) -> str:
    """Say that an account has less than what belongs to it was made with."""
    return (
        f"MySQL runs as {name}: {listed(found)}. That account loses {words}, and one of them that needs it will fail: {ANEW}, or "
        "let the account have it (mysql_user_privileges)"
    )


def beside(name: str, found: Sequence[Defined]) -> str:
    """Say that an account is kept beside the one that has its name."""
    return (
        f"MySQL's account {name} is not wanted any more, and is kept beside the one of that name, with its password and its "
        f"privileges, since it is the definer of {listed(found)}: {ANEW}; the next deploy removes the account"
    )


def locked(name: str, found: Sequence[Defined]) -> str:
    """Say that an account is kept, and that nobody logs in with it."""
    return (
        f"MySQL's account {name} is not wanted any more, and is locked and not removed, since it is the definer of "
        f"{listed(found)}: {ANEW}; the next deploy removes the account"
    )
