# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How services are asked whether they accept their files, and what their answers mean."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _validate
from ansible_collections.barehost.django.plugins.module_utils._validate import Answer, Question

if TYPE_CHECKING:
    from pathlib import Path

MYSQL = Question(
    "mysql",
    ("mysqld", "--defaults-file=/etc/mysql/conf.d/stack.cnf", "--datadir={scratch}"),
    image="mysql:9.7",
    mounts={"mysql/conf.d": "/etc/mysql/conf.d"},
    user="mysql",
)
REDIS = Question(
    "redis",
    ("redis-server", "/usr/local/etc/redis/redis.conf", "--unixsocket", "/nowhere/redis.sock"),
    image="redis:8",
    mounts={"redis": "/usr/local/etc/redis"},
    entrypoint=True,
    accepted=("Failed opening Unix socket",),
)
SAID = "0 [ERROR] [MY-000067] [Server] unknown variable 'no_such_option=1'.\n0 [ERROR] [MY-010119] [Server] Aborting\n"


def test_a_real_run_asks_in_a_container_of_the_same_image_that_is_gone_afterwards() -> None:
    assert _validate.run_cmd(MYSQL, "/opt/app/.staging-1", "barehost-check-1", "/opt/app") == [
        *("docker", "run", "--name", "barehost-check-1", "--label", "barehost.django.oneshot=/opt/app"),
        *("--rm", "--network=none", "--user", "mysql"),
        *("--volume=/opt/app/.staging-1/mysql/conf.d:/etc/mysql/conf.d:ro", "--entrypoint=mysqld", "mysql:9.7"),
        *("--defaults-file=/etc/mysql/conf.d/stack.cnf", "--datadir=/dev/shm"),
    ]
    argv = _validate.run_cmd(REDIS, "/s", "n", "/opt/app")
    assert argv[argv.index("redis:8") + 1 :] == list(REDIS.command)
    assert not [word for word in argv if word.startswith("--entrypoint")]


@pytest.mark.parametrize(
    ("code", "there", "removed"),
    [(0, True, False), (1, False, False), (124, True, True), (137, False, True), (-9, True, True)],
)
def test_a_container_that_is_asked_has_its_time_and_an_image_that_is_pulled_before_as_much_as_it_takes(
    code: int, *, there: bool, removed: bool
) -> None:
    calls: list[list[str]] = []

    def run(argv: list[str], _data: str | None) -> tuple[int, str, str]:
        calls.append(argv)
        return (0 if there else 1) if "inspect" in argv else code if "run" in argv else 0, "", "said"

    answer = _validate.ask_image(run, MYSQL, "/opt/app/.staging-1", "/opt/app")
    assert (answer.code, answer.said) == (137 if code == -9 else code, "said")
    assert [argv for argv in calls if "pull" in argv] == ([] if there else [["docker", "pull", "--quiet", "mysql:9.7"]])
    (asked,) = (argv for argv in calls if "run" in argv)
    name = asked[asked.index("--name") + 1]
    assert name.startswith("barehost-check-")
    assert asked == [
        "timeout",
        "--kill-after=10",
        "60",
        *_validate.run_cmd(MYSQL, "/opt/app/.staging-1", name, "/opt/app"),
    ]
    assert (calls[-1] == ["docker", "rm", "--force", name]) is removed


def test_an_image_that_cannot_be_pulled_has_refused_nothing() -> None:
    calls: list[list[str]] = []

    def run(argv: list[str], _data: str | None) -> tuple[int, str, str]:
        calls.append(argv)
        return 1, "", "Error response from daemon: pull access denied for mysql\n"

    refusal = _validate.ask_image(run, MYSQL, "/s", "/opt/app").refusal("nothing was changed")
    assert "could not be checked with mysqld (exit code 125): Error response from daemon: pull access denied" in refusal
    assert not [argv for argv in calls if "run" in argv]


def test_a_dry_run_asks_in_the_container_that_runs_and_nothing_of_a_file_is_on_its_command_line() -> None:
    assert _validate.exec_cmd(MYSQL, "abc") == ["docker", "exec", "--interactive", "--user", "mysql", "abc", "sh", "-s"]


def test_a_copy_speaks_of_itself_and_of_nothing_that_only_looks_alike() -> None:
    text = (
        "include /etc/nginx/stack/a.conf; include /etc/nginx/stack2/a; include /x/etc/nginx/stack/a; # /etc/nginx/stack"
    )
    assert _validate.moved(text, ["/etc/nginx/stack"], "/m") == (
        "include /m/etc/nginx/stack/a.conf; include /etc/nginx/stack2/a; include /x/etc/nginx/stack/a; # /m/etc/nginx/stack"
    )


def test_only_the_files_that_the_command_reads_are_copied() -> None:
    files = {"mysql/conf.d/stack.cnf": "[mysqld]\n", "mysql/secrets/root_password": "secret", ".env": "A=1"}
    assert _validate.copies(MYSQL, files, "/m") == {"/m/etc/mysql/conf.d/stack.cnf": "[mysqld]\n"}


@pytest.mark.parametrize("code", [0, 3])
def test_the_script_asks_about_a_copy_and_leaves_nothing(tmp_path: Path, code: int) -> None:
    """The shell that Docker would run runs here."""
    content = "it's $HOME `x`\n\\n no newline"
    target, program = "/conf", f'cat "$1/file"; ls "$0" > {tmp_path}/seen; echo said >&2; exit {code}'
    check = Question("s", ("sh", "-c", program, "{scratch}", "/conf"), mounts={"s": target}, entrypoint=True)
    scratch = tmp_path / "scratch"
    text = _validate.script(check, {"s/file": content}, str(scratch), ["env"])
    done = subprocess.run(["sh", "-s"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, content, "said\n")
    assert (tmp_path / "seen").read_text() == "conf\n"
    assert not scratch.exists()


def test_a_folder_that_cannot_be_made_is_no_refusal(tmp_path: Path) -> None:
    text = _validate.script(MYSQL, {}, str(tmp_path), [])
    done = subprocess.run(["sh", "-s"], input=text, capture_output=True, text=True, check=False)
    assert not Answer(MYSQL, done.returncode, done.stderr).asked
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - a list to compare


def test_an_answer_is_accepted_by_its_exit_code_or_by_what_it_says() -> None:
    assert Answer(MYSQL, 0, "a warning").accepted
    assert not Answer(MYSQL, 1, "Failed opening Unix socket: bind").accepted
    assert Answer(REDIS, 1, "1:M # Failed opening Unix socket: bind").accepted
    assert not Answer(REDIS, 1, "Fatal").accepted


def test_a_refusal_is_one_line_with_the_reason_and_what_to_do() -> None:
    assert Answer(MYSQL, 1, SAID).refusal("nothing was changed") == (
        "the new configuration of mysql was refused: mysqld says: unknown variable 'no_such_option=1'; nothing was changed: "
        "correct the variables of mysql, then run the same again"
    )
    assert Answer(MYSQL, 0, SAID).refusal("nothing was changed") == ""


@pytest.mark.parametrize("code", [124, 125, 127, 137, 143])
def test_a_program_that_did_not_run_has_refused_nothing(code: int) -> None:
    answer = Answer(MYSQL, code, "docker: Error response from daemon: no such image.\n")
    assert not answer.asked
    assert "could not be checked with mysqld" in answer.refusal("nothing was changed")
    assert "no such image" in answer.refusal("nothing was changed")


def test_what_a_service_does_not_say_of_its_check_is_known_of_the_service() -> None:
    service = {
        "image": "nginx:1",
        "volumes": [
            {"type": "bind", "source": "nginx", "target": "/etc/nginx/stack"},
            {"type": "bind", "source": "media", "target": "/srv/media"},
            {"type": "volume", "source": "nginx", "target": "/data"},
        ],
        "config": {"managed": ["nginx"]},
        "validate": {"command": ["nginx", "-t"]},
    }
    other = {**service, "validate": {"command": ["x"], "mounts": {"a": "/b"}, "user": "1"}}
    silent = {**service, "validate": {"command": []}}
    assert _validate.questions_of({"nginx": service, "a": other, "off": silent, "none": {"image": "x"}}) == [
        {"service": "a", "image": "nginx:1", "mounts": {"a": "/b"}, "command": ["x"], "user": "1"},
        {"service": "nginx", "image": "nginx:1", "mounts": {"nginx": "/etc/nginx/stack"}, "command": ["nginx", "-t"]},
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"command": ["a"]}, ""),
        ({"comand": ["a"]}, "validate has an unknown key 'comand'; known: accepted, command, entrypoint, mounts, user"),
        ({"command": "nginx -t"}, "validate.command is str, expected list"),
        ({"command": ["a"], "mounts": ["x"]}, "validate.mounts is list, expected dict"),
    ],
)
def test_a_broken_entry_is_refused(entry: dict[str, Any], message: str) -> None:
    assert _validate.problem(entry) == message
