# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The accounts of a MySQL server as they should be, against what the server says of them; and what that takes, as SQL.

Nothing here asks a server. What makes a new password or account valid comes at once, beside the old one, and what takes the
old one away comes last, once nothing uses it any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _accounts_definers,
    _accounts_seen,
    _mysql_password,
    _mysql_text,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ansible_collections.barehost.django.plugins.module_utils._accounts_seen import Seen, Stored

# An attribute of the account, which MySQL keeps for whoever made it. By it an account that is not wanted any more is known.
MARK = "barehost.django"
ROOT = ("root", "localhost")
ALL = (
    *("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER"),
    *("CREATE TEMPORARY TABLES", "LOCK TABLES", "CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE"),
    *("EXECUTE", "EVENT", "TRIGGER"),
)
# Of a stack itself; of another kind is what a playbook of somebody's own has made.
KINDS = ("runtime", "migration", "backup")
# What the server calls a set that is known by an older name, too.
ALIAS = ("utf8", "utf8mb3")


@dataclass(frozen=True)
class Account:
    """One account as it should be; its password is that of the secret of that name."""

    name: str
    host: str
    secret: str
    kind: str
    # On the stack's schema; (ALL,) stands for whatever the server has.
    privileges: tuple[str, ...] = ()
    # On *.*
    everywhere: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What the server knows it by."""
        return (self.name, self.host)

    @property
    def whole(self) -> bool:
        """Whether it may do everything in the schema."""
        return "ALL" in self.privileges

    @property
    def wanted(self) -> frozenset[str]:
        """Its privileges on the schema, by the names that the server gives them."""
        return frozenset(ALL if self.whole else self.privileges)


@dataclass(frozen=True)
class Wish:
    """The schema and the accounts that there should be."""

    database: str
    charset: str
    collation: str
    accounts: tuple[Account, ...]
    whole: bool = True

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> Wish:
        """Read the parameters of a module; ValueError says what is wrong with them."""
        accounts = [_account(item) for item in params["accounts"]]
        keys = [account.key for account in accounts]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice:
            raise ValueError(f"the account {shown(twice)} is named twice: give each its own name")
        _mysql_text.grant_pattern(params["database"])
        for text in (params["charset"], params["collation"]):
            if not text.replace("_", "").isalnum() or not text.isascii():
                raise ValueError(f"{text!r} is no character set and no collation: letters, digits and _")
        charset, collation = (_modern(text) for text in (params["charset"], params["collation"]))
        return cls(params["database"], charset, collation, tuple(accounts), bool(params.get("whole", True)))

    def described(self) -> dict[str, Any]:
        """Return it without any secret, as JSON."""
        accounts = {
            shown(account.key): sorted({*account.privileges, *(f"{word} everywhere" for word in account.everywhere)})
            for account in self.accounts
        }
        return {"database": [self.database, self.charset, self.collation], "accounts": accounts}


@dataclass(frozen=True)
class Passwords:
    """The values of the secrets that the accounts have."""

    values: Mapping[str, str]
    # What a deploy on its way has replaced, and what serves may still use.
    earlier: Mapping[str, str] = field(default_factory=dict)
    # Those that a real run has replaced by the time that it comes here, and this dry run has not.
    changing: Collection[str] = ()


@dataclass(frozen=True)
class Step:
    """One thing that is done: what is said of it, and the statement, which may hold a secret."""

    text: str
    sql: str


@dataclass
class Plan:
    """What there is to do: at once, and when the deploy has come to its good end."""

    now: list[Step] = field(default_factory=list)
    later: list[Step] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """What is said of it; each once, since one thing may take two statements."""
        return list(dict.fromkeys(step.text for step in (*self.now, *self.later)))


def _account(item: Mapping[str, Any]) -> Account:
    name, host, kind = item["name"], item["host"], item["kind"]
    if not name or len(name) > _mysql_text.MAX_USER:
        raise ValueError(
            f"the account {name!r} has {len(name)} characters, and MySQL takes 1 to {_mysql_text.MAX_USER}"
        )
    if name.startswith("mysql.") or (name == "root") != (kind == "root"):
        raise ValueError(f"the account {name!r} is MySQL's own: choose another name")
    for word in (*item["privileges"], *item["global_privileges"]):
        if not word.replace(" ", "").replace("_", "").isalpha() or not word.isascii() or word != word.upper():
            raise ValueError(f"{word!r} is no privilege: capital letters, blanks and _, as SHOW PRIVILEGES names them")
    privileges = tuple(item["privileges"])
    return Account(name, host, item["secret"], kind, privileges, tuple(item["global_privileges"]))


def _modern(text: str) -> str:
    old, new = ALIAS
    return new + text[len(old) :] if text == old or text.startswith(f"{old}_") else text


def shown(key: tuple[str, str]) -> str:
    """Return an account as the server shows it among its grants, where nothing is escaped."""
    return f"'{key[0]}'@'{key[1]}'"


def quoted(key: tuple[str, str]) -> str:
    """Return an account for a statement."""
    return f"{_mysql_text.literal(key[0])}@{_mysql_text.literal(key[1])}"


def plan(wish: Wish, seen: Seen, passwords: Passwords | None) -> Plan:
    """Compare what is wanted with what there is; without passwords for a server that has just been made with its first ones."""
    found = Plan()
    found.now += _schema_steps(wish, seen)
    left = _left_over(wish, seen)
    kin = _accounts_definers.kin(wish, seen, left)
    for account in (*wish.accounts, *kin):
        stored = seen.accounts.get(account.key)
        if stored is None:
            found.now.append(_made(account, passwords))
        else:
            now, later = _password_steps(account, stored, passwords) if passwords else ([], [])
            found.now += now + _state_steps(account, stored)
            found.later += later
        if account.kind != "root":
            found.now += _grant_steps(account, wish, seen)
            found.warnings += _definer_warnings(account, wish, seen)
    wanted = {account.key for account in (*wish.accounts, *kin)}
    for key, why in _open_doors(seen, wanted):
        _end(key, why, seen, found.now, found.warnings)
    for key in left:
        if key not in wanted:
            _end(key, "not wanted any more", seen, found.later, found.warnings)
    found.warnings += [_accounts_definers.beside(shown(one.key), seen.defined_by(one.key)) for one in kin]
    found.warnings += _shadows(wish, seen, wanted)
    return found


def _left_over(wish: Wish, seen: Seen) -> list[tuple[str, str]]:
    """Return the accounts of the stack that are not wanted any more."""
    wanted = {account.key for account in wish.accounts}
    return [
        key
        for key, stored in sorted(seen.accounts.items())
        if wish.whole and stored.attributes.get(MARK) in KINDS and key not in wanted
    ]


def _end(key: tuple[str, str], why: str, seen: Seen, steps: list[Step], warnings: list[str]) -> None:
    """Remove an account, or let nobody log in with it where something runs as it."""
    found = seen.defined_by(key)
    # One without a name would be taken for whoever logs in, locked or not.
    if not found or not key[0]:
        steps.append(_dropped(key, why))
        return
    warnings.append(_accounts_definers.locked(shown(key), found))
    if not seen.accounts[key].locked:
        text = f"account {shown(key)}: locked, {why}, and still a definer"
        steps.append(Step(text, f"ALTER USER {quoted(key)} ACCOUNT LOCK"))


def foresee(wish: Wish, recorded: Mapping[str, Any], changing: Collection[str]) -> list[str]:
    """Return what will have to be done to a server that does not answer, as far as the last run has noted what it had."""
    if not recorded:
        return plan(wish, _accounts_seen.fresh(wish), None).texts
    described = wish.described()
    texts = []
    if recorded.get("database") != described["database"]:
        texts.append(f"database {wish.database}: {wish.charset}, {wish.collation}")
    before, last = recorded.get("accounts", {}), []
    for account in wish.accounts:
        name = shown(account.key)
        if name not in before:
            texts.append(f"account {name}: made")
            continue
        if account.secret in changing:
            texts.append(f"account {name}: new password")
            last.append(f"account {name}: old password discarded")
        if before[name] != described["accounts"][name]:
            texts.append(f"account {name}: other privileges")
    gone = [f"account {name}: removed, not wanted any more" for name in before if name not in described["accounts"]]
    return texts + last + gone


def _schema_steps(wish: Wish, seen: Seen) -> list[Step]:
    words = f"CHARACTER SET {wish.charset} COLLATE {wish.collation}"
    name = _mysql_text.identifier(wish.database)
    if seen.schema is None:
        return [Step(f"database {wish.database}: made", f"CREATE DATABASE {name} {words}")]
    if seen.schema == (wish.charset, wish.collation):
        return []
    text = f"database {wish.database}: {wish.charset}, {wish.collation} in place of {', '.join(seen.schema)}"
    return [Step(text, f"ALTER DATABASE {name} {words}")]


def _made(account: Account, passwords: Passwords | None) -> Step:
    password = passwords.values.get(account.secret, "") if passwords else ""
    sql = f"CREATE USER {quoted(account.key)} {_identified(password)} {_marked(account)}"
    return Step(f"account {shown(account.key)}: made", sql)


def _identified(password: str) -> str:
    return f"IDENTIFIED WITH {_mysql_password.CACHING} BY {_mysql_text.literal(password)}"


def _marked(account: Account) -> str:
    return f'ATTRIBUTE \'{{"{MARK}": "{account.kind}"}}\''


def _password_steps(account: Account, stored: Stored, passwords: Passwords) -> tuple[list[Step], list[Step]]:
    """Return what gives an account its password, and what takes the old one away."""
    who, name = quoted(account.key), shown(account.key)
    discard = Step(f"account {name}: old password discarded", f"ALTER USER {who} DISCARD OLD PASSWORD")
    password, kept = passwords.values.get(account.secret, ""), passwords.earlier.get(account.secret)
    changing = account.secret in passwords.changing
    if account.secret not in passwords.values and not changing:
        # Its file is lost. A real run has read the value back by then, and this dry run has not: it is the one that serves.
        return [], []
    if not changing and _mysql_password.matches(stored.plugin, stored.primary, password):
        return [], [discard] if stored.secondary else []
    retains = bool(stored.primary) and stored.plugin == _mysql_password.CACHING
    if retains and kept is not None and _mysql_password.matches(stored.plugin, stored.secondary, kept):
        # The one that serves is the second one already; the first was of a deploy that came to no good end.
        retains = _mysql_password.matches(stored.plugin, stored.primary, kept)
    words = " RETAIN CURRENT PASSWORD" if retains else ""
    step = Step(f"account {name}: new password", f"ALTER USER {who} {_identified(password)}{words}")
    return [step], [discard] if retains or stored.secondary else []


def _state_steps(account: Account, stored: Stored) -> list[Step]:
    who, name = quoted(account.key), shown(account.key)
    steps = []
    if stored.locked:
        steps.append(Step(f"account {name}: unlocked", f"ALTER USER {who} ACCOUNT UNLOCK"))
    if stored.attributes.get(MARK) != account.kind and account.kind != "root":
        steps.append(Step(f"account {name}: marked as {account.kind}", f"ALTER USER {who} {_marked(account)}"))
    return steps


def _grant_steps(account: Account, wish: Wish, seen: Seen) -> list[Step]:
    """Return what gives an account just its privileges: first what is missing, then what is too many."""
    who, name = quoted(account.key), shown(account.key)
    pattern = _mysql_text.escaped_pattern(wish.database)
    target = f"{_mysql_text.grant_pattern(wish.database)}.*"
    grants = seen.grants_of(account.key)
    wanted = account.wanted | _accounts_definers.needs(account, wish, seen)
    steps = []
    missing = wanted - grants.schemas.get(pattern, frozenset())
    if missing:
        words = "ALL PRIVILEGES" if account.whole else listed(missing)
        text = f"account {name}: granted {'ALL' if account.whole else listed(missing)} on {wish.database}"
        steps.append(Step(text, f"GRANT {words} ON {target} TO {who}"))
    absent = frozenset(account.everywhere) - grants.everywhere
    if absent:
        steps.append(Step(f"account {name}: granted {listed(absent)}", f"GRANT {listed(absent)} ON *.* TO {who}"))
    for granted, held in sorted(grants.schemas.items()):
        own = granted == pattern
        known = held - {"GRANT OPTION"} if own and account.whole else wanted if own else frozenset()
        surplus = held - known
        if surplus:
            where = f"{_mysql_text.backticked(granted)}.*"
            text = f"account {name}: revoked {listed(surplus)} on {granted}"
            steps.append(Step(text, f"REVOKE {listed(surplus)} ON {where} FROM {who}"))
    surplus = grants.everywhere - frozenset(account.everywhere)
    if surplus:
        text = f"account {name}: revoked {listed(surplus)}"
        steps.append(Step(text, f"REVOKE {listed(surplus)} ON *.* FROM {who}"))
    for schema, words in sorted(grants.objects):
        # What somebody makes is given to him by the server, and who may do everything in the schema has no more by it.
        if not (account.whole and schema == wish.database):
            steps.append(Step(f"account {name}: revoked {words}", f"REVOKE {words} FROM {who}"))
    return steps


def _definer_warnings(account: Account, wish: Wish, seen: Seen) -> list[str]:
    """Say of an account what it keeps, and what it loses, though something runs as it."""
    found = [one for one in seen.defined_by(account.key) if one.as_definer]
    if account.whole or not found:
        return []
    needed = _accounts_definers.needs(account, wish, seen)
    extra = needed - account.wanted
    held = seen.grants_of(account.key).schemas.values()
    lost = frozenset().union(*held) - account.wanted - needed - {"GRANT OPTION"}
    words = [_accounts_definers.keeps(shown(account.key), extra, found)] if extra else []
    return words + ([_accounts_definers.loses(shown(account.key), listed(lost), found)] if lost else [])


def listed(privileges: Iterable[str]) -> str:
    """Return privileges in a fixed order."""
    return ", ".join(sorted(privileges))


def _open_doors(seen: Seen, wanted: Collection[tuple[str, str]]) -> list[tuple[tuple[str, str], str]]:
    """Return the accounts that let in whom nobody has asked for: those without a name, and root from elsewhere."""
    found = []
    for key in sorted(seen.accounts):
        name, host = key
        if not name:
            found.append((key, "it lets in anybody"))
        elif name == ROOT[0] and host != ROOT[1] and key not in wanted:
            found.append((key, "root comes from localhost alone"))
    return found


def _dropped(key: tuple[str, str], why: str) -> Step:
    return Step(f"account {shown(key)}: removed, {why}", f"DROP USER {quoted(key)}")


def _shadows(wish: Wish, seen: Seen, wanted: Collection[tuple[str, str]]) -> list[str]:
    """Say of accounts of somebody else's that have the name of one of ours: a narrower host is taken first."""
    names = {account.name for account in wish.accounts if account.kind != "root"}
    return [
        f"MySQL has an account {shown(key)} that is not of this stack: whoever logs in as {key[0]} from there gets its "
        "privileges and its password. Remove it, or choose another name"
        for key, stored in sorted(seen.accounts.items())
        if key[0] in names and key not in wanted and MARK not in stored.attributes
    ]
