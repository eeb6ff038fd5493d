# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a deploy understands of a password in an inventory: the very same text, or one sentence that refuses it by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import values
import yaml
from conftest import HERE, ROOT

SECRETS = ("mysql_password", "redis_password", "django_email_host_password", "django_superuser_password")
AWKWARD = 'it\'s {{ x }} {# "$X" ${Y} %41 #\\ ñ 密'
# Python's smtplib sends nothing else.
MAIL = AWKWARD.removesuffix(" ñ 密")
TEMPLATE = ("{{", "{%", "{#")
CONTROL = "contains a line break or another control character"
NUMBER = "is a number as it is written, and not the text that it looks like: put it in quotes"
# As somebody writes them without quotes -> what is said of it.
UNQUOTED = {
    "yes": "must be a string, not a value of type bool (not shown)",
    "~": "is empty (null)",
    "0123": NUMBER,
    "0x1F": NUMBER,
    "12_3": NUMBER,
    "1.50": NUMBER,
    "-7": NUMBER,
    "[hush]": "must be a string, not a list of 1",
    "'{{ hush'": "cannot be templated",
    "'{% hush'": "cannot be templated",
    "'hush{# hush #}'": "contains {#, which begins a comment of a template",
    "'{{ hush_hush }}'": "refers to 'hush_hush', which is not defined anywhere",
}


class Unsafe(str):
    """A text that Ansible is told not to take for a template."""

    __slots__ = ()


class Quoted(str):
    """A text in double quotes, with escapes: otherwise YAML takes some of these signs for ends of a line."""

    __slots__ = ()


class Dumper(yaml.SafeDumper):
    """Writes inventories as people do."""


Dumper.add_representer(
    Quoted, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style='"')
)
Dumper.add_representer(Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", str(value), style='"'))


@dataclass(frozen=True)
class Read:
    """What a deploy said of each host, and what it understood."""

    said: dict[str, str]
    understood: dict[str, Any]


def read(folder: Path, hosts: str) -> Read:
    """Have an inventory checked."""
    common = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "matrix_folder": str(folder),
        "django_source_path": str(ROOT / "app"),
        "django_settings_module": "settings.settings",
        "preflight_allowed_variables": ["matrix_folder"],
    }
    (folder / "hosts.yml").write_text(f"all:\n  vars: {json.dumps(common)}\n  hosts:\n{hosts}", encoding="utf-8")
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    env = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_FORCE_COLOR": "0"}
    argv = [program, "-i", str(folder / "hosts.yml"), str(HERE / "inventory.yml")]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=300)
    start = done.stdout.find("{\n")
    assert start >= 0, done.stdout + done.stderr
    said: dict[str, str] = {}
    for play in json.loads(done.stdout[start:])["plays"]:
        for task in play["tasks"]:
            for host, result in task["hosts"].items():
                if result.get("failed"):
                    said[host] = said.get(host, "") + str(result.get("msg", result))
    assert "skipping: no hosts matched" not in done.stderr + done.stdout, done.stderr
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
    assert "hush-hush" not in done.stdout + done.stderr
    return Read(said, found)


def host(name: str, variables: dict[str, Any]) -> str:
    """Return one host of an inventory, written as YAML is: what quotes and escapes it takes is the writer's business."""
    text = yaml.dump({name: variables}, Dumper=Dumper, allow_unicode=True, width=10_000)
    return "".join(f"    {line}\n" for line in text.rstrip("\n").split("\n"))


def as_written(value: str) -> str:
    """Mark what would be taken for a template, as a person has to; nothing else, since `!unsafe "yes"` is true for Ansible."""
    return Unsafe(value) if any(mark in value for mark in TEMPLATE) else value


def sendable(name: str, text: str) -> bool:
    """Whether a password may be one of mail."""
    return name != "django_email_host_password" or text.isascii()


@pytest.fixture(scope="module")
def all_read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Return what is said of every inventory here, all hosts of one run."""
    fit = values.fit()
    env = {f"V{n}": as_written(value) for n, value in enumerate(fit)}
    awkward = {**dict.fromkeys(SECRETS, Unsafe(AWKWARD)), "django_email_host_password": Unsafe(MAIL)}
    hosts = host("given", {**awkward, "django_env": env})
    hosts += host("mail", {"django_email_host_password": "hush-hush ñ"})
    for number, char in enumerate(values.CONTROL):
        # Half a surrogate cannot be written into a file; a program that calls Ansible can still hand one over.
        if char != "\ud800":
            hosts += host(f"control{number}", dict.fromkeys(SECRETS, Quoted(f"hush-hush{char}hush")))
    for number, text in enumerate(values.long()):
        others = {name: text for name in SECRETS if name != "mysql_password" and sendable(name, text)}
        hosts += host(f"long{number}", others) + host(f"mysql{number}", {"mysql_password": text})
    for number, text in enumerate(UNQUOTED):
        hosts += f"    word{number}:\n      redis_password: {text}\n"
    return read(tmp_path_factory.mktemp("inventory"), hosts)


def test_every_password_is_understood_as_it_was_written(all_read: Read) -> None:
    assert all_read.said.get("given") is None
    understood = all_read.understood["given"]
    wanted = {**dict.fromkeys(SECRETS, AWKWARD), "django_email_host_password": MAIL}
    assert {name: understood[name] for name in SECRETS} == wanted
    fit, env = values.fit(), understood["django_env"]
    assert len(env) == len(fit)
    assert [(name, value) for name, value in env.items() if value != fit[int(name[1:])]] == []


def test_control_characters_are_refused_in_one_line_for_each_password(all_read: Read) -> None:
    hosts = [number for number, char in enumerate(values.CONTROL) if char != "\ud800"]
    assert hosts
    for number in hosts:
        said = all_read.said[f"control{number}"]
        assert said.startswith(f"{len(SECRETS)} problems with the inventory, nothing was changed:\n"), said
        assert said.count("\n") == len(SECRETS)
        assert all(f"- {name} {CONTROL}" in said for name in SECRETS)
        assert f"control{number}" not in all_read.understood


def test_a_password_of_512_signs_is_fit_for_all_but_mysql(all_read: Read) -> None:
    for number, text in enumerate(values.long()):
        assert all_read.said.get(f"long{number}") is None
        understood = all_read.understood[f"long{number}"]
        fit = [name for name in SECRETS if name != "mysql_password" and sendable(name, text)]
        assert len(fit) >= 2
        assert {understood[name] for name in fit} == {text}
        said = f"mysql_password takes {len(text.encode())} bytes, and MySQL takes no password of more than 256: give a shorter one"
        assert all_read.said[f"mysql{number}"] == f"1 problem with the inventory, nothing was changed: {said}"


def test_a_password_of_mail_that_is_not_ascii_is_refused_in_one_line(all_read: Read) -> None:
    said = all_read.said["mail"]
    assert said.startswith(
        "1 problem with the inventory, nothing was changed: django_email_host_password holds a letter"
    )
    assert "\n" not in said


@pytest.mark.parametrize(("number", "written"), list(enumerate(UNQUOTED)))
def test_what_is_no_text_without_quotes_is_refused_in_one_line(all_read: Read, number: int, written: str) -> None:
    said = all_read.said[f"word{number}"]
    assert said.startswith("1 problem with the inventory, nothing was changed: redis_password "), said
    assert UNQUOTED[written] in said
    assert "\n" not in said
    assert f"word{number}" not in all_read.understood
