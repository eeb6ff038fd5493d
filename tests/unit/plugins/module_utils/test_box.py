# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a container may do, as Compose and `docker run` are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.barehost.django.plugins.module_utils import _box, _service, _validate

MEMORY = ":rw,noexec,nosuid,nodev,size={}m,mode=1777"
BOX: dict[str, Any] = {
    "read_only": True,
    "tmpfs": {"/tmp": 64, "/run": "16"},  # noqa: S108 - a text
    "cap_drop": ["ALL"],
    "cap_add": ["CHOWN"],
    "security_opt": ["no-new-privileges:true"],
    "memory_mb": 512,
    "cpus": 1.5,
    "cpu_shares": 2048,
    "pids": 128,
}
SERVICE: dict[str, Any] = {"tier": "edge", "image": "nginx:1", "networks": ["frontend"], **BOX}


def test_compose_is_told_all_of_it() -> None:
    rendered = _service.render_service("nginx", SERVICE)
    assert {
        key: rendered[key] for key in ("read_only", "cap_drop", "cap_add", "security_opt", "cpus", "cpu_shares")
    } == {key: BOX[key] for key in ("read_only", "cap_drop", "cap_add", "security_opt", "cpus", "cpu_shares")}
    # Without a mode only root could write there; the mounts' own options keep programs out.
    assert rendered["tmpfs"] == ["/run" + MEMORY.format(16), "/tmp" + MEMORY.format(64)]  # noqa: S108 - a text
    assert (rendered["mem_limit"], rendered["pids_limit"]) == ("512m", 128)
    assert not {"tmpfs_mb", "memory_mb", "pids"} & set(rendered)


def test_another_limit_is_another_definition() -> None:
    """Otherwise a container would go on with the one of before."""
    one, two = (_service.render_service("nginx", {**SERVICE, "pids": count})["labels"] for count in (128, 129))
    assert one != two


def test_what_is_made_of_its_image_beside_it_may_do_no_more() -> None:
    assert _box.run_args(SERVICE) == [
        "--read-only",
        *("--tmpfs=/run" + MEMORY.format(16), "--tmpfs=/tmp" + MEMORY.format(64)),
        *("--cap-drop=ALL", "--cap-add=CHOWN", "--security-opt=no-new-privileges:true"),
        *("--memory=512m", "--cpus=1.5", "--cpu-shares=2048", "--pids-limit=128"),
    ]
    assert _box.run_args({"tier": "data", "image": "x", "networks": []}) == []


def test_one_that_is_only_asked_writes_to_nothing_of_the_host() -> None:
    volumes = [
        {"type": "volume", "source": "mysql", "target": "/var/lib/mysql"},
        {"type": "bind", "source": "mysql/conf.d", "target": "/etc/mysql/conf.d", "read_only": True},
    ]
    service = {**SERVICE, "volumes": volumes, "validate": {"command": ["nginx", "-t"]}}
    (question,) = _validate.questions_of({"nginx": service})
    argv = _validate.run_cmd(
        _validate.Question.from_params({"accepted": [], **question}), "/opt/shop/.x", "n", "/opt/shop"
    )
    assert "--tmpfs=/var/lib/mysql" + MEMORY.format(64) in argv
    assert {"--read-only", "--cap-drop=ALL", "--pids-limit=128", "--network=none"} < set(argv)
    assert not [word for word in argv if "conf.d" in word and "tmpfs" in word]
    # The one in which an upgrade is tried has the data itself.
    assert not [word for word in _box.run_args(service) if "/var/lib/mysql" in word]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("tmpfs", {"tmp": 64}, "tmpfs has 'tmp': 64, expected a path and its size in MiB"),
        ("tmpfs", {"/tmp": "64m"}, "tmpfs has '/tmp': '64m', expected a path"),  # noqa: S108 - a text
        ("tmpfs", {"/tmp": 0}, "tmpfs has '/tmp': 0, expected a path"),  # noqa: S108 - a text
        ("tmpfs", ["/tmp"], "tmpfs is list, expected dict"),  # noqa: S108 - a text
        ("memory_mb", 0, "memory_mb is 0, expected a number above 0"),
        ("pids", -1, "pids is -1, expected a number above 0"),
        ("cpus", 0.0, "cpus is 0.0, expected a number above 0"),
        ("cpus", "1.5", "cpus is str, expected int or float"),
        ("cap_drop", "ALL", "cap_drop is str, expected list"),
    ],
)
def test_what_cannot_be_is_refused_by_name(key: str, value: object, text: str) -> None:
    with pytest.raises(_service.ServiceError, match=f"^service nginx: {text}"):
        _service.check_service("nginx", {**SERVICE, key: value})


def test_a_network_is_what_is_said_of_it_and_plain_where_nothing_is() -> None:
    services = {"nginx": SERVICE, "redis": {**SERVICE, "networks": ["data", "mine"]}}
    known = {"data": {"internal": True}, "inner": {"internal": True}}
    project = _service.render_project(services, "shop", networks=known)
    assert project["networks"] == {
        "data": {"internal": True},
        "frontend": {},
        # Nobody is in it today; the release that is gone back to may be.
        "inner": {"internal": True},
        "mine": {},
    }


@pytest.mark.parametrize(
    ("value", "available", "said"),
    [
        (0, 2, "0: it must be 0.01 or more."),
        ("0.0", 0, "0.0: it must be 0.01 or more."),
        (-1, 0, "-1: it must be 0.01 or more."),
        ("nan", 0, "nan: it must be 0.01 or more."),
        (
            2.5,
            2,
            "2.5, more than the processors of the host (2), and Docker gives no container more: set it to 2 or less.",
        ),
        ("900", 2, "900, more than the processors of the host (2), and"),
    ],
)
def test_processors_that_docker_does_not_give(value: object, available: float, said: str) -> None:
    (problem,) = _box.cpus_problems({"mysql_cpus": value, "redis_cpus": 0.5}, available)
    assert problem.startswith(f"mysql_cpus is {said}")


@pytest.mark.parametrize(("value", "available"), [(2, 2), ("0.01", 2), (900, 0), ("none at all", 2), (None, 2)])
def test_processors_that_it_gives_or_whose_type_is_judged_elsewhere(value: object, available: float) -> None:
    assert _box.cpus_problems({"mysql_cpus": value}, available) == []


def test_the_processors_of_services_are_judged_as_well() -> None:
    services = {"web": {"cpus": 3, "memory_mb": 64}, "mail": {"cpus": 2}, "log": {"image": "log:1"}, "none": None}
    (problem,) = _box.cpus_problems({"mysql_cpus": 1, "stack_service_overrides": services}, 2)
    assert problem.startswith("stack_service_overrides.web.cpus is 3, more than the processors of the host (2), ")


def test_each_variable_that_says_processors_is_compared_with_the_host() -> None:
    roles = Path(__file__).resolve().parents[4] / "roles"
    said = {name: path.parts[-3] for path in roles.glob("*/defaults/main.yml") for name in load(path) if is_cpus(name)}
    assert {"mysql_cpus", "django_cpus", "backup_drill_cpus"} <= set(said)
    for name, role in said.items():
        compared = load(roles / role / "vars" / "main.yml").get(f"{role}_stack_cpus", {})
        assert compared.get(name) == f"{{{{ {name} }}}}", name


def is_cpus(name: str) -> bool:
    return name.endswith("_cpus")


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
    return found
