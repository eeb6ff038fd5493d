# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""config_tree: what is asked whether it accepts the new files, in a real run and in a dry one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.barehost.django.plugins.module_utils import _validate
from ansible_collections.barehost.django.plugins.modules import config_tree
from support.modules import Call, Engine, run

SAID = "0 [ERROR] [MY-000067] [Server] unknown variable 'no_such=1'.\n0 [ERROR] [MY-010119] [Server] Aborting\n"
IMAGE, OTHER = "sha256:1", "sha256:2"


class Host(Engine):
    """An engine with a MySQL, which answers in one way wherever it is asked."""

    def __init__(self, code: int = 0, **how: Any) -> None:
        """Take how MySQL answers, and how its container is."""
        super().__init__()
        image, state = how.get("image", IMAGE), how.get("state", "running")
        reference, there = how.get("reference", "mysql:9.7"), how.get("there", True)
        container = {
            "Id": "mysql-id",
            "Name": "/shop-mysql-1",
            "Image": image,
            "Config": {
                "Image": reference,
                "Labels": {"com.docker.compose.service": "mysql"},
                "Entrypoint": ["entry.sh"],
            },
            "State": {"Status": state},
        }
        self.on("ps", reply=(0, "mysql-id\n" if there else "", ""))
        self.on("container", "inspect", reply=(0, json.dumps([container]), ""))
        self.on("image", "inspect", reply=(0, json.dumps([{"Id": IMAGE, "RepoTags": ["mysql:9.7"]}]), ""))
        self.on("compose", reply=self.compose)
        for verb in ("run", "exec"):
            self.on(verb, reply=(code, "", SAID if code else ""))
        self.staged = ""
        self.composed = (0, "", "")

    def compose(self, call: Call) -> tuple[int, str, str]:
        """Note where the tree is staged that Compose looks at."""
        self.staged = call.argv[2]
        assert (Path(self.staged) / "mysql/conf.d/stack.cnf").read_text() == "[mysqld]\n"
        return self.composed

    @property
    def asked(self) -> list[str]:
        """Where MySQL was asked."""
        return [verb for call in self.calls for verb in ("run", "exec") if verb in call.argv]


def args(dest: Path, **options: Any) -> dict[str, Any]:
    """Return a call for a file of MySQL, which MySQL and Compose are asked about."""
    owner = {"owner": os.getuid(), "group": os.getgid(), "mode": "0644", "secret": False}
    return {
        "dest": str(dest),
        "project": "shop",
        "trees": [{"name": "mysql", "role": "barehost.django.mysql"}],
        "files": [{"path": "mysql/conf.d/stack.cnf", "content": "[mysqld]\n", "service": "mysql", **owner}],
        "validate": [
            {
                "service": "mysql",
                "image": "mysql:9.7",
                "command": ["mysqld"],
                "mounts": {"mysql/conf.d": "/etc/mysql/conf.d"},
            },
            {"service": "redis", "image": "redis:8", "command": ["redis-server"]},
            {"service": "*", "command": ["docker", "compose", "{staging}", "config"]},
        ],
        **options,
    }


@pytest.mark.parametrize(("check", "where"), [(True, "exec"), (False, "run")])
def test_a_service_whose_files_change_is_asked_and_nobody_else(tmp_path: Path, where: str, *, check: bool) -> None:
    host = Host()
    result = run(config_tree.main, args(tmp_path), host, check=check)
    assert (result["changed"], host.asked) == (True, [where])
    assert not Path(host.staged).exists()
    assert Path(host.staged).is_relative_to(tmp_path) is not check
    assert list(tmp_path.iterdir()) == ([] if check else [tmp_path / "mysql"])
    assert result.get("unchecked") == ([] if check else None)


def test_a_dry_run_refuses_what_the_real_run_refuses_with_the_same_words(tmp_path: Path) -> None:
    dry, real = (run(config_tree.main, args(tmp_path), Host(1), check=check) for check in (True, False))
    assert dry["failed"] is real["failed"] is True
    assert dry["msg"] == real["msg"]
    assert "mysqld says: unknown variable 'no_such=1'; nothing was changed" in real["msg"]
    assert "\n" not in real["msg"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("check", "asked", "unchecked"), [(False, ["run"], None), (True, [], ["mysql"])])
def test_a_service_of_a_new_image_is_asked_about_the_files_that_it_has(
    tmp_path: Path, asked: list[str], unchecked: list[str] | None, *, check: bool
) -> None:
    """What an old version took, a new one may refuse."""
    run(config_tree.main, args(tmp_path), Host())
    call = args(tmp_path)
    call["files"] = [call["files"][0], {**call["files"][0], "path": "compose.yaml", "service": "stack"}]
    same, other = Host(), Host(image=OTHER, reference="mysql:8.4")
    run(config_tree.main, call, same, check=True)
    result = run(config_tree.main, call, other, check=check)
    assert result["changed_services"] == ["stack"]
    assert (same.asked, other.asked, result.get("unchecked")) == ([], asked, unchecked)


def test_where_nothing_is_there_no_image_is_pulled_to_ask(tmp_path: Path) -> None:
    host = Host(1, there=False)
    assert run(config_tree.main, args(tmp_path), host)["changed"] is True
    assert host.asked == []
    assert host.staged


@pytest.mark.parametrize(
    "host",
    [
        Host(1, there=False),
        Host(1, image=OTHER),
        Host(1, state="exited"),
        Host(1, state="restarting"),
        Host(125),
        Host(127),
    ],
    ids=["no container", "another image", "stopped", "restarting", "no shell", "no program"],
)
def test_whom_a_dry_run_cannot_ask_it_names_and_does_not_refuse(
    tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    result = run(config_tree.main, args(tmp_path), host, check=True)
    assert (result["changed"], result["unchecked"]) == (True, ["mysql"])
    assert len(warnings) == 1
    assert "could not ask mysql" in warnings[0]


def test_without_an_engine_a_dry_run_asks_nobody(tmp_path: Path) -> None:
    host = Host()
    host.missing = ("docker",)
    assert run(config_tree.main, args(tmp_path), host, check=True)["unchecked"] == ["mysql", "the stack"]
    assert host.calls == []


@pytest.mark.parametrize("check", [True, False])
def test_without_compose_a_dry_run_says_so_and_a_real_one_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, check: bool
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    host = Host()
    host.composed = (125, "", "unknown flag: --project-directory\nSee 'docker --help'.\n")
    result = run(config_tree.main, args(tmp_path), host, check=check)
    if check:
        assert (result["unchecked"], host.asked) == (["the stack"], ["exec"])
        assert "could not ask the stack" in warnings[0]
        assert "Compose" in warnings[0]
    else:
        assert "the new configuration of the stack could not be checked with docker (exit code 125)" in result["msg"]
        assert list(tmp_path.iterdir()) == []


def test_what_compose_refuses_is_refused_by_a_dry_run(tmp_path: Path) -> None:
    host = Host()
    host.composed = (15, "", "services.web additional properties 'foo' not allowed\n")
    message = run(config_tree.main, args(tmp_path), host, check=True)["msg"]
    assert message.startswith("the new configuration of the stack was refused: docker says: services.web additional")


def test_where_the_hosts_memory_cannot_be_written_to_no_secret_goes_to_a_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_tree.os, "access", lambda *_args: False)
    host = Host()
    result = run(config_tree.main, args(tmp_path), host, check=True)
    assert (result["unchecked"], host.asked, host.staged) == (["the stack"], ["exec"], "")


@pytest.mark.parametrize("reference", ["docker.io/library/mysql:9.7", "mysql:9.7@sha256:0", "mysql"])
def test_a_container_is_of_the_same_image_however_that_is_named(tmp_path: Path, reference: str) -> None:
    host = Host()
    told = args(tmp_path)
    told["validate"][0]["image"] = reference
    result = run(config_tree.main, told, host, check=True)
    assert (result["unchecked"], host.asked) == ([], ["exec"])


@pytest.mark.parametrize("check", [True, False])
def test_what_a_killed_run_has_staged_goes_with_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, check: bool
) -> None:
    """A dry run leaves the disk alone, whatever lies there."""
    memory, dest = tmp_path / "shm", tmp_path / "shop"
    monkeypatch.setattr(_validate, "MEMORY", str(memory))
    left = [place / f".staging-{2**30}-abcd_123" for place in (memory, dest)]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / "password").write_text("sesame1")
    run(config_tree.main, args(dest), Host(), check=check)
    assert [folder.exists() for folder in left] == [False, check]


@pytest.mark.parametrize("check", [True, False])
def test_where_nothing_changes_nobody_is_asked(tmp_path: Path, *, check: bool) -> None:
    run(config_tree.main, args(tmp_path), Host())
    host = Host()
    result = run(config_tree.main, args(tmp_path), host, check=check)
    assert (result["changed"], host.calls) == (False, [])


def test_a_refusal_does_not_repeat_a_password(tmp_path: Path) -> None:
    call = args(tmp_path)
    owner = {"owner": os.getuid(), "group": os.getgid(), "mode": "0400", "secret": True}
    call["files"] += [{"path": "mysql/password", "content": "sesame1", "service": "mysql", **owner}]
    host = Host()
    host.scripts.insert(0, (("run",), (1, "", "0 [ERROR] [MY-1] [Server] unknown variable 'a=sesame1'.\n")))
    assert "unknown variable 'a=****" in run(config_tree.main, call, host)["msg"]
