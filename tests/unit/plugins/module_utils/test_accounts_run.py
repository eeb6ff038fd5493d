# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Accounts as a run comes to them: with the services up, with some that are down, and at its end."""

from __future__ import annotations

import dataclasses
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _accounts_run,
    _accounts_seen,
    _before,
    _compose,
    _credentials,
    _mysql_accounts,
    _mysql_password,
    _redis_users,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD, NEW = "not-for-production-old", "not-for-production-new"
MYSQL = {
    "kind": "mysql",
    "service": "mysql",
    "database": "shop",
    "accounts": [
        {"name": "root", "host": "localhost", "kind": "root", "secret": "mysql_root_password"},
        {"name": "shop", "kind": "runtime", "secret": "mysql_password", "privileges": ["SELECT"]},
    ],
}
REDIS = {"kind": "redis", "service": "redis", "file": "redis_users/default.conf", "secret": "redis_password"}


class Server:
    """A MySQL and a Redis that take passwords, as far as these tests need them."""

    def __init__(self) -> None:
        """Begin with the old passwords."""
        self.passwords = {"root": [OLD], "shop": [OLD]}
        self.redis = [OLD]
        self.down = False
        self.calls: list[list[str]] = []
        self.statements: list[str] = []

    def run_command(self, argv: list[str], data: str | None = None) -> tuple[int, str, str]:
        """Stand in for the commands of the host."""
        self.calls.append(argv)
        assert not [word for word in argv if OLD in word or NEW in word]
        if argv[:2] == ["docker", "ps"]:
            return 0, f"the-{argv[-1].rpartition('=')[2]}\n", ""
        if "redis-cli" in argv:
            return self.ask_redis(argv, (data or "").splitlines())
        return self.ask_mysql(*(data or "").partition("\n")[::2])

    def ask_mysql(self, secret: str, statements: str) -> tuple[int, str, str]:
        """Let root in, and do what is said."""
        if self.down:
            return 1, "", "ERROR 2002 (HY000): Can't connect to local MySQL server through socket"
        if secret.strip('"') not in self.passwords["root"]:
            return 1, "", "ERROR 1045 (28000): Access denied for user 'root'@'localhost' (using password: YES)"
        if "JSON_ARRAY" in statements:
            return 0, self.answer(), ""
        return self.execute([line.rstrip(";") for line in statements.splitlines() if line.startswith("ALTER")])

    def execute(self, statements: list[str]) -> tuple[int, str, str]:
        """Change passwords."""
        for statement in statements:
            self.statements.append(statement)
            known = self.passwords[statement.split("'")[1]]
            if "DISCARD" in statement:
                del known[1:]
            elif "IDENTIFIED" in statement:
                kept = known[:1] if "RETAIN" in statement else known[1:]
                known[:] = [statement.split(" BY '")[1].partition("'")[0], *kept]
        return 0, "", ""

    def answer(self) -> str:
        """Say what there is."""
        rows: list[list[Any]] = [["server", 0], ["schema", "utf8mb4", "utf8mb4_unicode_ci"]]
        for user, host in (("root", "localhost"), ("shop", "%")):
            first, second = ([word.encode().hex() for word in self.passwords[user]] + [""])[:2]
            mark = {"barehost.django": "runtime"}
            rows.append(["account", user, host, _mysql_password.CACHING, first, second, mark, 0])
        rows.append(["on schema", "'shop'@'%'", "SELECT", 0, "shop"])
        return "".join(f"{json.dumps(row)}\n" for row in rows)

    def ask_redis(self, argv: list[str], lines: list[str]) -> tuple[int, str, str]:
        """Take passwords, from whoever knows one."""
        if argv[-1] == "ping":
            return (1, "", "Could not connect to Redis") if self.down else (0, "NOAUTH Authentication required.\n", "")
        logins = [line.split('"')[1] for line in lines if line.startswith("AUTH")]
        if not set(logins) & set(self.redis):
            return 0, "WRONGPASS invalid username-password pair or user is disabled.\n", ""
        hashes = _redis_users.HASH.findall(lines[-2])
        self.redis = [word for word in (OLD, NEW) if _redis_users.hash_of(word) in hashes]
        return 0, "\n".join(hashes) + "\n", ""


class Module:
    """A module, as far as these functions need one."""

    def __init__(self, server: Server, *, check: bool = False) -> None:
        """Take what answers."""
        self.run_command = server.run_command
        self.check_mode = check
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        """Note a warning."""
        self.warnings.append(text)


@pytest.fixture(autouse=True)
def plain_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare passwords as they are: the real comparison has its own tests."""
    monkeypatch.setattr(_mysql_password, "matches", lambda _plugin, kept, password: kept == password.encode())


@pytest.fixture
def server() -> Server:
    """Return the servers."""
    return Server()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the directory of a stack that serves with the old passwords."""
    (tmp_path / "compose.yaml").write_text("name: shop\n")
    for folder in ("secrets", "lock", "redis_users"):
        (tmp_path / folder).mkdir()
    for name in ("mysql_root_password", "mysql_password", "redis_password"):
        (tmp_path / "secrets" / name).write_text(OLD)
    (tmp_path / REDIS["file"]).write_text(_redis_users.file_text([_redis_users.hash_of(OLD)]))
    return tmp_path


def replace(root: Path, value: str = NEW) -> None:
    """Give all secrets another value, as a deploy does."""
    names = sorted(path.name for path in (root / "secrets").iterdir())
    _before.note(root, [f"secrets/{name}" for name in names])
    for name in names:
        (root / "secrets" / name).write_text(value)


def container(service: str, state: str = "running") -> _compose.Container:
    """Describe a container."""
    more = {"restarts": 0, "exit_code": 0, "oom_killed": False, "started": ""}
    return _compose.Container(
        f"the-{service}", service, service, "", "", "", state, "healthy", pid=42 if state == "running" else 0, **more
    )


def replace_health(found: _compose.Container, health: str) -> _compose.Container:
    """Describe a container whose health is another one."""
    return dataclasses.replace(found, health=health)


BOTH = [container("mysql"), container("redis")]


def accounts(server: Server, root: Path, *, check: bool = False, **more: Any) -> _accounts_run.Accounts:
    """Return what sees to both servers."""
    module: Any = Module(server, check=check)
    return _accounts_run.Accounts(module, str(root), "shop", {"servers": [MYSQL, REDIS], **more})


def deploy(server: Server, root: Path) -> list[str]:
    """See to both servers as a deploy does; return what was said."""
    task = accounts(server, root)
    task.prepare()
    task.converge(BOTH)
    return task.texts


def test_servers_that_are_as_they_should_be_take_one_question(server: Server, root: Path) -> None:
    assert deploy(server, root) == []
    assert len(server.calls) == 1
    assert not (root / _credentials.NOTE).exists()
    module: Any = Module(server)
    assert _accounts_run.finish(module, str(root)) == []
    assert len(server.calls) == 1


def test_both_passwords_are_taken_until_the_end(server: Server, root: Path) -> None:
    replace(root)
    said = deploy(server, root)
    assert said[:2] == ["account 'root'@'localhost': new password", "account 'shop'@'%': new password"]
    assert server.passwords == {"root": [NEW, OLD], "shop": [NEW, OLD]}
    assert server.redis == [OLD, NEW]
    _before.forget(root)
    module: Any = Module(server)
    assert len(_accounts_run.finish(module, str(root))) == 3
    assert server.passwords == {"root": [NEW], "shop": [NEW]}
    assert server.redis == [NEW]
    assert not (root / _credentials.NOTE).exists()
    assert deploy(server, root) == []


@contextmanager
def killed(server: Server, after: int) -> Iterator[None]:
    """Let a run die before one of its commands."""
    real, left = server.run_command, [after]

    def run_command(argv: list[str], data: str | None = None) -> tuple[int, str, str]:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(argv, data)

    server.run_command = run_command  # type: ignore[method-assign]
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        server.run_command = real  # type: ignore[method-assign]


@pytest.mark.parametrize("after", range(12))
def test_a_run_that_is_killed_anywhere_is_completed_by_the_next(server: Server, root: Path, after: int) -> None:
    replace(root)
    with killed(server, after):
        deploy(server, root)
        _before.forget(root)
        module: Any = Module(server)
        _accounts_run.finish(module, str(root))
    if (root / _before.FILE).exists():
        # Whoever serves has not been told of anything else.
        assert OLD in server.passwords["shop"]
        assert OLD in server.redis
    deploy(server, root)
    _before.forget(root)
    module = Module(server)
    _accounts_run.finish(module, str(root))
    assert server.passwords == {"root": [NEW], "shop": [NEW]}
    assert server.redis == [NEW]
    assert deploy(server, root) == []


@pytest.mark.parametrize("after", range(8))
def test_a_deploy_that_fails_goes_back_to_what_still_counts(server: Server, root: Path, after: int) -> None:
    replace(root)
    with killed(server, after):
        deploy(server, root)
    _before.put_back(root)
    assert OLD in server.passwords["shop"]
    assert OLD in server.passwords["root"]
    assert OLD in server.redis
    deploy(server, root)
    module: Any = Module(server)
    _accounts_run.finish(module, str(root))
    assert server.passwords == {"root": [OLD], "shop": [OLD]}
    assert server.redis == [OLD]
    assert deploy(server, root) == []


def test_a_dry_run_says_the_same_and_touches_nothing(server: Server, root: Path) -> None:
    task = accounts(server, root, check=True, changing=["mysql_password", "mysql_root_password", "redis_password"])
    task.prepare()
    task.converge(BOTH)
    assert (server.passwords, server.redis) == ({"root": [OLD], "shop": [OLD]}, [OLD])
    replace(root)
    assert deploy(server, root) == task.texts


@pytest.mark.parametrize("state", ["exited", "paused", "none"])
def test_a_dry_run_beside_servers_that_are_down_goes_by_what_the_last_run_has_left(
    server: Server, root: Path, state: str
) -> None:
    deploy(server, root)
    calls = len(server.calls)
    there = [] if state == "none" else [container("mysql", state), container("redis", state)]
    task = accounts(server, root, check=True, changing=["mysql_password"])
    task.converge(there)
    assert task.texts == ["account 'shop'@'%': new password", "account 'shop'@'%': old password discarded"]
    assert len(server.calls) == calls


def test_a_dry_run_goes_on_beside_a_server_that_does_not_answer_yet(server: Server, root: Path) -> None:
    deploy(server, root)
    server.down = True
    task = accounts(server, root, check=True, changing=["mysql_password"])
    task.converge(BOTH)
    assert task.texts[0] == "account 'shop'@'%': new password"


def test_root_that_nobody_lets_in_is_an_error_in_a_dry_run_too(server: Server, root: Path) -> None:
    server.passwords["root"] = ["unknown"]
    for check in (True, False):
        with pytest.raises(_credentials.AccountsError, match="ERROR 1045") as refused:
            accounts(server, root, check=check).converge(BOTH)
        assert OLD not in str(refused.value)


def test_a_server_that_repeats_a_statement_does_not_show_its_password(server: Server, root: Path) -> None:
    replace(root)
    error = f"ERROR 1064 (42000) at line 2: You have an error in your SQL syntax near '{NEW}' at line 1\n"
    server.execute = lambda _statements: (1, "", error)  # type: ignore[method-assign, assignment]
    with pytest.raises(_credentials.AccountsError, match="ERROR 1064") as refused:
        accounts(server, root).converge(BOTH)
    assert "near '********'" in str(refused.value)


def test_a_server_that_takes_a_statement_and_does_not_do_it_is_an_error(server: Server, root: Path) -> None:
    replace(root)
    server.execute = lambda _statements: (0, "", "")  # type: ignore[method-assign, assignment]
    with pytest.raises(_credentials.AccountsError, match="has taken the statements and is not as it should be"):
        accounts(server, root).converge(BOTH)


def test_what_cannot_be_ended_now_is_left_to_the_next_run(server: Server, root: Path) -> None:
    replace(root)
    deploy(server, root)
    server.down = True
    module: Any = Module(server)
    assert _accounts_run.finish(module, str(root)) == []
    assert module.warnings[0].startswith("an old password is still taken beside the new one")
    assert (root / _credentials.NOTE).exists()


def test_servers_that_have_just_been_started_are_seen_to_while_they_are_waited_for(server: Server, root: Path) -> None:
    replace(root)
    task = accounts(server, root)
    task.prepare()
    with task.meanwhile(BOTH):
        pass
    task.converge(BOTH)
    assert server.passwords == {"root": [NEW, OLD], "shop": [NEW, OLD]}
    assert task.texts.count("account 'shop'@'%': new password") == 1


def test_a_redis_without_a_file_gets_one_that_lets_in_what_serves(server: Server, root: Path) -> None:
    (root / REDIS["file"]).unlink()
    replace(root)
    accounts(server, root).prepare()
    text = (root / REDIS["file"]).read_text()
    assert _redis_users.HASH.findall(text) == [_redis_users.hash_of(NEW), _redis_users.hash_of(OLD)]
    assert (root / REDIS["file"]).stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"kind": "oracle", "service": "x"}, "known are mysql, redis"),
        ({"kind": "redis", "service": "x"}, "missing required"),
        ({**MYSQL, "database": "x" * 65}, "has 65 characters"),
    ],
)
def test_a_wish_that_is_none_is_refused(server: Server, root: Path, wish: dict[str, Any], said: str) -> None:
    module: Any = Module(server)
    with pytest.raises(_credentials.AccountsError, match=said):
        _accounts_run.Accounts(module, str(root), "shop", {"servers": [wish]})


def test_no_secret_stands_on_the_command_line() -> None:
    argv = _mysql_accounts.as_root_cmd("abc")
    assert argv[:4] == ["docker", "exec", "--interactive", "abc"]
    assert "--defaults-extra-file=/dev/fd/4" in argv
    assert _redis_users.redis_cmd("abc") == ["docker", "exec", "--interactive", "abc", "redis-cli"]
    assert _accounts_seen.SESSION.startswith("SET SESSION sql_mode = ''")


def test_a_server_that_is_unhealthy_for_want_of_its_password_gets_it(server: Server, root: Path) -> None:
    replace(root)
    task = accounts(server, root)
    task.prepare()
    ill = [replace_health(one, "unhealthy") for one in BOTH]
    task.converge(ill)
    assert (server.passwords["shop"], server.redis) == ([NEW, OLD], [OLD, NEW])


def test_a_server_that_does_not_answer_yet_is_left_to_the_wait(server: Server, root: Path) -> None:
    replace(root)
    server.down = True
    task = accounts(server, root)
    task.prepare()
    task.converge([replace_health(one, "starting") for one in BOTH])
    assert task.done == set()
