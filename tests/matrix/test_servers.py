# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the servers get: statements and files of a deploy, through the real MySQL and the real Redis, to a login with each password."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
import servers
import values
from ansible_collections.barehost.django.plugins.module_utils import (
    _accounts,
    _dump,
    _mysql_accounts,
    _mysql_text,
    _redis_users,
    _restore_mysql,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers import Server
    from stacks import Stack

SOCKET = "/sockets/redis.sock"
# Of what the first start of the image pastes into SQL, all that it takes.
FIRST_ROOT = ' %41 # $X ${Y} $$ `id` {{ x }} "é" ;!&a*'
# Each in turn is what root has; the others are as long as one server start each.
AS_ROOT = 24


@pytest.fixture(scope="module")
def folder(rendered: list[Stack], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of each stack in one of its own."""
    place = tmp_path_factory.mktemp("matrix")
    # The servers step down to users of their own.
    place.chmod(0o755)
    for stack in rendered:
        (place / str(stack.number)).mkdir()
        for name in ("client.cnf", "backup.cnf", "root_password", "password"):
            (place / str(stack.number) / name).write_text(stack.files[name], encoding="utf-8", newline="")
    (place / "root_password").write_text(FIRST_ROOT, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def mysql(folder: Path) -> Iterator[Server]:
    """Start MySQL, with a password of root that is as awkward as its first start takes."""
    options = (
        "--tmpfs=/var/lib/mysql",
        "--tmpfs=/run/secrets",
        "--env=MYSQL_ROOT_PASSWORD_FILE=/matrix/root_password",
        "--env=MYSQL_ROOT_HOST=localhost",
    )
    command = ("--skip-log-bin", "--innodb-buffer-pool-size=64M", "--performance-schema=OFF")
    with servers.serving("mysql:9.7", options, command, folder) as server:
        # The temporary server of the first start says port 0.
        server.wait_for_log("port: 3306 ")
        server.run("cp", "/matrix/root_password", "/run/secrets/root_password")
        yield server


def as_root(statements: str, password: str) -> tuple[list[str], str]:
    """Return what a deploy runs inside of the container to change accounts, and what it gives to it."""
    return inside(_mysql_accounts.as_root_cmd("c")), f"{_mysql_text.option(password)}\n{statements}"


def inside(argv: list[str]) -> list[str]:
    """Return the part of a command line of `docker exec` that runs in the container."""
    return argv[argv.index("c") + 1 :]


def test_each_account_of_mysql_logs_in_with_its_file(rendered: list[Stack], mysql: Server) -> None:
    # The first initialisation makes the application's account, a deploy the others.
    made = "".join(stack.files["init.sql"] for stack in rendered)
    known = {f"b{stack.number}": stack.secrets["mysql_backup_password"] for stack in rendered}
    for name, password in known.items():
        account = _accounts.Account(name, "localhost", name, "backup")
        made += _accounts._made(account, _accounts.Passwords({name: password}, {})).sql + ";\n"
    command, given = as_root(made, FIRST_ROOT)
    mysql.run(*command, given=given)
    login = 'mysql --defaults-extra-file="$0" --batch --skip-column-names --execute="SELECT CURRENT_USER()" 2>&1 || echo "no: $0"'
    files = "\n".join(f"/matrix/{stack.number}/{name}" for stack in rendered for name in ("client.cnf", "backup.cnf"))
    said = mysql.run("xargs", "-P", "2", "-n", "1", "sh", "-c", login, given=files).split("\n")
    wanted = {f"u{stack.number}@%" for stack in rendered} | {f"b{stack.number}@localhost" for stack in rendered}
    assert {line for line in said if line} == wanted


def test_root_is_root_with_each_password(rendered: list[Stack], mysql: Server) -> None:
    fit = [stack for stack in rendered if not set(values.UNFIT_FOR_ROOT) & set(stack.secrets["mysql_root_password"])]
    chosen = fit[:: len(fit) // AS_ROOT]
    before, lines = FIRST_ROOT, ["set -e"]
    for stack in chosen:
        password = stack.secrets["mysql_root_password"]
        command, given = as_root(f"ALTER USER root@localhost IDENTIFIED BY {_mysql_text.literal(password)};\n", before)
        lines += [f"printf %s {shlex.quote(given)} | {shlex.join(command)}"]
        lines += [f"cat /matrix/{stack.number}/root_password > /run/secrets/root_password"]
        # A dump, a question about it, and a restore.
        lines += [
            shlex.join(inside(_dump.as_root_cmd("c", ["mysql", "--batch", "-N", "-e", f"SELECT {stack.number}"], 9)))
        ]
        lines += [
            f"echo 'SELECT {stack.number};' | "
            + shlex.join(inside(_restore_mysql.client_cmd("c", _restore_mysql.AS_ROOT, 9)))
        ]
        before = password
    command, given = as_root(f"ALTER USER root@localhost IDENTIFIED BY {_mysql_text.literal(FIRST_ROOT)};\n", before)
    lines += [
        f"printf %s {shlex.quote(given)} | {shlex.join(command)}",
        "cp /matrix/root_password /run/secrets/root_password",
    ]
    said = mysql.run("sh", "-s", given="\n".join(lines) + "\n").split()
    assert [word for word in said if word.isdigit()] == [str(stack.number) for stack in chosen for _ in range(2)]


def test_a_password_that_mysql_does_not_take_is_one_that_preflight_refuses(mysql: Server) -> None:
    statements = f"CREATE USER longest@localhost IDENTIFIED BY '{'x' * values.MYSQL_LONGEST}'; "
    command, given = as_root(statements, FIRST_ROOT)
    mysql.run(*command, given=given)
    command, given = as_root(
        f"CREATE USER longer@localhost IDENTIFIED BY '{'x' * (values.MYSQL_LONGEST + 1)}';", FIRST_ROOT
    )
    mysql.run(*command, given=given, check=False)
    command, given = as_root("SELECT User FROM mysql.user WHERE User LIKE 'longe%';", FIRST_ROOT)
    assert mysql.run(*command, given=given).split() == ["longest"]


def test_redis_lets_each_password_in_by_file_and_by_command(rendered: list[Stack], folder: Path) -> None:
    users = "".join(
        _redis_users.file_text([_redis_users.hash_of(stack.secrets["redis_password"])]).replace(
            "default", f"u{stack.number}"
        )
        for stack in rendered
    )
    (folder / "users.conf").write_text("user default off\n" + users)
    command = (
        "redis-server",
        "--include",
        "/matrix/users.conf",
        "--save",
        "",
        "--port",
        "0",
        "--unixsocket",
        SOCKET,
    )
    with servers.serving("redis:8-alpine", ("--tmpfs=/sockets", "--user=999"), command, folder) as redis:
        cli = ("redis-cli", "-s", SOCKET)
        redis.wait(*cli, "ping", said="NOAUTH")
        # The healthcheck, and whoever asks about queues: the password from its file, in the environment.
        script = f'REDISCLI_AUTH="$(cat "/matrix/$0/password")" redis-cli -e -s {SOCKET} --user "u$0" --no-auth-warning ACL WHOAMI'
        numbers = "\n".join(str(stack.number) for stack in rendered)
        said = redis.run("xargs", "-P", "2", "-n", "1", "sh", "-c", script, given=numbers).split()
        assert sorted(said) == sorted(f"u{stack.number}" for stack in rendered)
        # A deploy: the password as a word of a command on the standard input.
        words = [_mysql_text.redis_string(stack.secrets["redis_password"]) for stack in rendered]
        given = "".join(
            f"AUTH u{stack.number} {word}\nACL WHOAMI\n" for stack, word in zip(rendered, words, strict=True)
        )
        said = redis.run(*cli, given=given).split()
        assert said == [word for stack in rendered for word in ("OK", f"u{stack.number}")]
        refused = redis.run(*cli, given='AUTH u0 "wrong"\n', check=False)
        assert "WRONGPASS" in refused
