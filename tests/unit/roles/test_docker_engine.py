# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `docker_engine` decides from what was found on a host, for hosts that no test boots."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import BaseLoader, Environment, StrictUndefined

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = """
- name: Decide
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Check whether the source fits
      ansible.builtin.include_role:
        name: barehost.django.docker_engine
        tasks_from: preflight
        public: true

    - name: Say what follows
      ansible.builtin.debug:
        msg: "missing={{ docker_engine__missing | sort | join(',') }} daemon={{ docker_engine__daemon | to_json }} open={{ docker_engine__open }}"
"""


def found(os_id: str = "debian", os_version: str = "13", **engine: Any) -> dict[str, Any]:
    """Return what `stack_info` says of a host."""
    return {
        "host": {
            "os": {"id": os_id, "version_id": os_version, "codename": "x", "pretty_name": f"{os_id} {os_version}"}
        },
        "packages": engine.pop("packages", {}),
        "engine": {
            "present": False,
            "installed": False,
            "version": "",
            "compose_version": "",
            "daemon_json": "",
            **engine,
        },
    }


def decide(tmp_path: Path, info: dict[str, Any], **variables: Any) -> tuple[int, str]:
    """Run the role's decisions on the controller."""
    file = tmp_path / "play.yml"
    file.write_text(variables.pop("playbook", PLAYBOOK))
    program = shutil.which("ansible-playbook") or "ansible-playbook"
    values = json.dumps({"docker_engine_info": info, "backup_enabled": False, "tls_mode": "off", **variables})
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    argv = [program, "-i", "localhost,", str(file), "-e", values]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_debian_12_has_no_compose_and_is_refused_with_the_way_out(tmp_path: Path) -> None:
    code, output = decide(tmp_path, found(os_version="12"))
    assert code != 0
    assert "debian 12 has no package of Compose v2: set docker_engine_source to docker_ce" in output


@pytest.mark.parametrize(
    ("info", "variables", "packages"),
    [
        (found(), {}, "docker-buildx,docker-cli,docker-compose,docker.io"),
        (found("ubuntu", "24.04"), {}, "docker-buildx,docker-compose-v2,docker.io"),
        (
            found(os_version="12"),
            {"docker_engine_source": "docker_ce"},
            "containerd.io,docker-buildx-plugin,docker-ce,docker-ce-cli,docker-compose-plugin",
        ),
        # An engine that answers is adopted, whatever installed it.
        (found(present=True, version="24.0.7", compose_version="2.30.1"), {"docker_engine_source": "docker_ce"}, ""),
        # What a source in git needs comes beside an engine that is adopted, too.
        (
            found(present=True, version="24.0.7", compose_version="2.30.1", packages={"ca-certificates": "1"}),
            {"django_git_repository": "https://git.example.com/shop.git", "docker_engine_source": "existing"},
            "git,openssh-client",
        ),
        # And so does what backups need.
        (
            found(present=True, version="24.0.7", compose_version="2.30.1"),
            {"docker_engine_source": "existing", "backup_enabled": True, "backup_age_recipients": ["age1x"]},
            "age,zstd",
        ),
        # And so does a certificate.
        (
            found(present=True, version="24.0.7", compose_version="2.30.1"),
            {"docker_engine_source": "existing", "tls_mode": "self_signed"},
            "python3-cryptography",
        ),
        # Of the same packages only what is missing beside it is installed.
        (
            found(
                present=True, installed=True, version="24.0.7", compose_version="2.20.0", packages={"docker.io": "24"}
            ),
            {},
            "docker-buildx,docker-cli,docker-compose",
        ),
    ],
)
def test_the_packages_follow_from_the_source_and_the_host(
    tmp_path: Path, info: dict[str, Any], variables: dict[str, Any], packages: str
) -> None:
    code, output = decide(tmp_path, info, **variables)
    assert code == 0, output
    assert f"missing={packages} daemon=" in output


def test_an_engine_that_is_said_to_be_there_must_be_there(tmp_path: Path) -> None:
    code, output = decide(tmp_path, found(), docker_engine_source="existing")
    assert code != 0
    assert "docker_engine_source is existing, and the host has no Docker that answers and no Compose" in output


@pytest.mark.parametrize(
    ("packages", "source", "advice"),
    [
        ({"docker.io": "20.10"}, "docker_ce", "set docker_engine_source to distro"),
        ({"docker-ce": "28"}, "distro", "set docker_engine_source to docker_ce"),
        ({}, "distro", "set docker_engine_source to existing"),
    ],
)
def test_an_engine_of_other_packages_is_not_replaced(
    tmp_path: Path, packages: dict[str, str], source: str, advice: str
) -> None:
    info = found(installed=True, packages=packages)
    code, output = decide(tmp_path, info, docker_engine_source=source)
    assert code != 0
    assert advice in output


def test_another_log_driver_does_not_get_options_that_it_may_not_know(tmp_path: Path) -> None:
    code, output = decide(tmp_path, found(), docker_engine_daemon={"log-driver": "journald"})
    assert code == 0, output
    assert '"log-driver": "journald"' in output
    assert "max-size" not in output


def test_swarm_does_not_get_live_restore(tmp_path: Path) -> None:
    code, output = decide(tmp_path, found(swarm=True))
    assert code == 0, output
    assert '"live-restore": false' in output


def test_containers_of_others_get_the_defaults_of_the_benchmark_too(tmp_path: Path) -> None:
    code, output = decide(tmp_path, found())
    assert code == 0, output
    assert '"icc": false' in output
    assert '"no-new-privileges": true' in output
    # IPv6 and the host's own loopback reach what is published through it.
    assert "userland-proxy" not in output
    assert "userns-remap" not in output


@pytest.mark.parametrize(
    ("variables", "daemon_json"),
    [
        ({}, '{"icc": true, "no-new-privileges": false}'),
        ({"docker_engine_daemon": {"icc": True, "no-new-privileges": False}}, ""),
        ({"docker_engine_source": "existing"}, ""),
        ({"docker_engine_harden": False}, ""),
    ],
)
def test_whoever_says_otherwise_of_their_engine_is_heard(
    tmp_path: Path, variables: dict[str, Any], daemon_json: str
) -> None:
    info = found(present=True, version="26.1.5", compose_version="2.26.1", daemon_json=daemon_json)
    code, output = decide(tmp_path, info, **variables)
    assert code == 0, output
    assert '"icc": false' not in output
    assert '"no-new-privileges": true' not in output


SOCKETS = """
- name: Open
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Have the engine
      ansible.builtin.include_role:
        name: barehost.django.docker_engine
        tasks_from: beforehand
      vars: { docker_engine_in_deploy: true }
"""


@pytest.mark.parametrize("place", ["file", "variable", "unit"])
def test_an_engine_that_anybody_may_command_is_refused_and_nothing_is_changed(tmp_path: Path, place: str) -> None:
    addresses = ["unix:///run/docker.sock", "fd://", "tcp://0.0.0.0:2375"]
    hosts = {"hosts": addresses}
    own = {"live-restore": True, "log-driver": "local", "log-opts": {"max-file": "5", "max-size": "10m"}}
    safe = {"icc": False, "no-new-privileges": True}
    daemon = json.dumps({**own, **safe, **(hosts if place == "file" else {})})
    info = found(
        present=True,
        installed=True,
        enabled=True,
        config_stale=False,
        version="26",
        compose_version="2.26",
        daemon_json=daemon,
        hosts=addresses if place == "unit" else [],
    )
    extra = {"docker_engine_daemon": hosts} if place == "variable" else {}
    code, output = decide(tmp_path, info, playbook=SOCKETS, **extra)
    assert code != 0
    assert (
        "has the engine listen on tcp://0.0.0.0:2375 without tlsverify: whoever reaches it is root on the host"
        in output
    )
    assert "changed=0" in output


def test_one_that_asks_for_a_certificate_is_taken(tmp_path: Path) -> None:
    daemon = '{"hosts": ["tcp://0.0.0.0:2376"], "tlsverify": true}'
    code, output = decide(tmp_path, found(present=True, daemon_json=daemon))
    assert code == 0, output
    assert "docker_engine__open" not in output
    assert "open=[]" in output


def test_keys_of_the_daemon_that_are_not_ours_stay(tmp_path: Path) -> None:
    info = found(daemon_json='{"data-root": "/srv/docker", "log-driver": "json-file"}')
    code, output = decide(tmp_path, info, docker_engine_daemon={"debug": True})
    assert code == 0, output
    assert '"data-root": "/srv/docker"' in output
    assert '"log-driver": "local"' in output
    assert '"debug": true' in output
    assert "registry-mirrors" not in output


@pytest.mark.parametrize(
    ("version", "source", "ipv6", "keys"),
    [
        # Debian 13 installs one for which it is an experiment.
        ("", "distro", True, {"ip6tables", "experimental"}),
        ("", "docker_ce", True, {"ip6tables"}),
        ("26.1.5+dfsg1", "distro", True, {"ip6tables", "experimental"}),
        ("28.0.4", "docker_ce", True, {"ip6tables"}),
        ("28.0.4", "existing", True, set()),
        ("28.0.4", "docker_ce", False, set()),
    ],
)
def test_the_engine_publishes_for_ipv6_where_the_host_speaks_it(
    tmp_path: Path, *, version: str, source: str, ipv6: bool, keys: set[str]
) -> None:
    info = found(present=bool(version), installed=bool(version), version=version, compose_version="2.30.1")
    info["host"]["ipv6"] = ipv6
    code, output = decide(tmp_path, info, docker_engine_source=source)
    assert code == 0, output
    assert {key for key in ("ip6tables", "experimental") if f'"{key}": true' in output} == keys


RESTART = "Restart the engine, on its new configuration and with its rules"


def test_whom_a_restart_stops_is_said_before_it_happens() -> None:
    tasks = yaml.safe_load((ROOT / "roles/docker_engine/tasks/service.yml").read_text())
    names = [task["name"] for task in tasks]
    said = tasks[names.index("Say whom a restart stops")]
    assert names.index("Say whom a restart stops") < names.index(RESTART)
    assert said["when"] == "docker_engine__restarted and not docker_engine__daemon['live-restore'] | bool"
    assert "every container on the host is stopped" in said["ansible.builtin.debug"]["msg"]


def test_an_engine_that_has_lost_its_rules_is_restarted() -> None:
    role = ROOT / "roles/docker_engine"
    facts = yaml.safe_load((role / "vars/main.yml").read_text())
    templar = Environment(loader=BaseLoader(), undefined=StrictUndefined, autoescape=True)

    def value(name: str, **variables: Any) -> bool:
        return templar.from_string(facts[name]).render(**variables).strip() == "True"

    for engine, lost in (
        ({"present": True, "rules": False}, True),
        ({"present": True, "rules": True}, False),
        # As somebody else's look says it.
        ({"present": True}, False),
        ({"present": False, "rules": False}, False),
    ):
        assert value("docker_engine__lost", docker_engine_info={"engine": engine}) == lost
    assert [
        value("docker_engine__restarted", docker_engine__stale=stale, docker_engine__lost=lost)
        for stale, lost in ((True, False), (False, True), (False, False))
    ] == [True, True, False]
    # The role is gone into, in it the tasks of the service, and among them the restart, in a dry run as well.
    assert " docker_engine__restarted" in facts["docker_engine__touched"]
    tasks = {name: yaml.safe_load((role / f"tasks/{name}.yml").read_text()) for name in ("main", "service")}
    assert tasks["main"][-1]["when"].startswith("docker_engine__restarted or ")
    (restart,) = [task for task in tasks["service"] if task["name"] == RESTART]
    assert restart["when"] == "docker_engine__restarted"
    (said,) = [task for task in tasks["service"] if task["name"] == "Say that Docker's rules are gone"]
    assert said["when"] == "docker_engine__lost"
