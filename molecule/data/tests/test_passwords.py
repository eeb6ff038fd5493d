# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Passwords with every sign that some format takes for its own, all of them at once, from an inventory to logins on a real host."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from conftest import ROOT, STACK_DIR, Host
from test_accounts import EACH, SECRETS, Servers

sys.path.insert(0, str(ROOT / "tests" / "matrix"))

import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.playbooks import PlaybookRun

# Redis has one password, and so has each purpose of MySQL: these take turns.
TURNS = (
    {"any": 'it\'s "$X" ${Y} $$ %41 # {{ x }} {% \\', "root": ' %41 # $X ${Y} {{ x }} "é" '},
    {"any": " \\' ñ 密 \U0001f512 `id` !vault &a *b ", "root": "!vault `id` 密 $$ "},
    {"any": "\\" * 255, "root": '"' * 256},
)
WORDS = ("yes", "null", "0123", "1e3", "x")


class Unsafe(str):
    """A text that Ansible is told not to take for a template."""

    __slots__ = ()


class Dumper(yaml.SafeDumper):
    """Writes variables as an inventory has them."""


Dumper.add_representer(Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", str(value), style='"'))


def marked(value: Any) -> Any:
    """Mark each text that would be taken for a template; nothing else, since `!unsafe "yes"` is true for Ansible."""
    if isinstance(value, dict):
        return {name: marked(item) for name, item in value.items()}
    taken = isinstance(value, str) and any(mark in value for mark in ("{{", "{%", "{#"))
    return Unsafe(value) if taken else value


def kept(machine: Host) -> dict[str, str]:
    """Return the passwords as the host keeps them, blanks at their ends and all."""
    return {name: machine.run(f"printf '<'; cat {STACK_DIR}/secrets/{name}; printf '>'")[1:-1] for name in SECRETS}


@pytest.fixture
def servers(machine: Host) -> Servers:
    """Return both servers of the host."""
    return Servers(machine)


@pytest.fixture
def deploy(runner: Callable[..., PlaybookRun], tmp_path: Path) -> Callable[..., PlaybookRun]:
    """Return the function that deploys with variables from a file, where each text is as it is."""

    def run(given: dict[str, Any], **templates: Any) -> PlaybookRun:
        file = tmp_path / "variables.yml"
        file.write_text(yaml.dump({**marked(given), **templates}, Dumper=Dumper, allow_unicode=True), encoding="utf-8")
        done = runner("deploy", "-e", f"@{file}")
        assert done.code == 0, done.message
        return done

    return run


@pytest.fixture
def matrix(machine: Host, runner: Callable[..., PlaybookRun]) -> Iterator[dict[str, str]]:
    """Return every password by the name of its account; what was made for them goes again."""
    yield {f"matrix_{number}": value for number, value in enumerate(values.fit())}
    machine.run(f"rm -f {STACK_DIR}/secrets/matrix_*")
    assert runner("deploy").code == 0


def environment(machine: Host, container: str) -> dict[str, str]:
    """Return the environment of the first process of a container."""
    pid = machine.run(f"docker inspect --format '{{{{.State.Pid}}}}' {container}")
    text = machine.run(f"cat /proc/{pid}/environ")
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


def test_each_of_the_passwords_logs_in_and_arrives(
    servers: Servers, machine: Host, deploy: Callable[..., PlaybookRun], matrix: dict[str, str]
) -> None:
    accounts = [{"name": name, "secret": name, "kind": "extra", "privileges": ["SELECT"]} for name in matrix]
    secrets = {"matrix_stack_secrets": {name: {"value": value} for name, value in matrix.items()}}
    # The accounts of the stack and one for each password, as a role of somebody's own would add them.
    wish = {
        "kind": "mysql",
        "service": "mysql",
        "database": "{{ mysql_database }}",
        "accounts": "{{ [mysql__root, mysql__runtime, mysql__migration, mysql__backup] + matrix_accounts }}",
    }
    allowed = ["matrix_stack_secrets", "matrix_accounts"]
    done = deploy(
        {**secrets, "django_env": {f"M{name}": value for name, value in matrix.items()}, "matrix_accounts": accounts},
        mysql_stack_accounts=wish,
        preflight_allowed_variables=allowed,
    )
    # The output is JSON, which has such words of its own, and holds ids of many digits.
    words = {"true", "null", "0123"}
    long = [value for value in matrix.values() if len(value) > 3 and value not in words]
    assert [value for value in long if value in done.output] == []
    script = (
        'while IFS= read -r name && IFS= read -r MYSQL_PWD; do export MYSQL_PWD; mysql --user="$name" --batch '
        '--skip-column-names --execute="SELECT CURRENT_USER()" < /dev/null 2>&1 || echo "no: $name"; done'
    )
    command = f"docker exec --interactive {servers.container('mysql')} sh -c '{script}'"
    given = "".join(f"{name}\n{value}\n" for name, value in matrix.items())
    assert sorted(machine.run(command, given=given).split("\n")) == sorted(f"{name}@%" for name in matrix)
    for service in ("web", "worker"):
        found = environment(machine, servers.container(service))
        assert {name: found.get(f"M{name}") for name in matrix} == matrix


@pytest.mark.parametrize("turn", [*TURNS, *({"any": word, "root": word} for word in WORDS)])
def test_all_services_go_on_with_awkward_passwords(
    servers: Servers, machine: Host, deploy: Callable[..., PlaybookRun], turn: dict[str, str]
) -> None:
    secrets = {name: turn["root" if name == "mysql_root_password" else "any"] for name in SECRETS}
    # Python's smtplib sends nothing else.
    mail = turn["any"] if turn["any"].isascii() else turn["root"].encode("ascii", "ignore").decode()
    done = deploy({**secrets, "django_email_host_password": mail, "django_secret_key": values.key_of(turn["any"])})
    assert kept(machine) == secrets
    assert servers.taken(secrets) == EACH
    assert machine.serves()
    found = environment(machine, servers.container("web"))
    assert found["DB_PASSWORD"] == found["REDIS_PASSWORD"] == turn["any"]
    assert found["EMAIL_HOST_PASSWORD"] == mail
    assert found["SECRET_KEY"] == values.key_of(turn["any"])
    assert turn["any"] not in done.output or turn["any"] in WORDS
