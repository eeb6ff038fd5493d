"""Service dictionaries and what Compose is told of them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _service


def service(**more: Any) -> dict[str, Any]:
    """Return the smallest service dictionary, and more."""
    return {"tier": "data", "image": "redis:8-alpine", "networks": ["backend"], **more}


def test_the_project_name_is_fixed_and_everything_restarts() -> None:
    project = _service.render_project({"redis": service()}, "shop")
    assert project["name"] == "shop"
    assert project["services"]["redis"]["restart"] == "unless-stopped"
    assert project["networks"] == {"backend": {}}


def test_dollars_are_doubled_at_every_depth() -> None:
    rendered = _service.render_service(
        "redis",
        service(command=["sh", "-c", 'echo "$(cat /f)"'], environment={"A": "p$ab"}, healthcheck={"command": ["$x"]}),
    )
    assert rendered["command"] == ["sh", "-c", 'echo "$$(cat /f)"']
    assert rendered["environment"] == {"A": "p$$ab"}
    assert rendered["healthcheck"]["test"] == ["CMD", "$$x"]


def test_a_bind_mount_never_creates_its_source() -> None:
    volumes = [
        {"type": "bind", "source": "redis", "target": "/etc/redis", "read_only": True},
        {"type": "volume", "source": "redis", "target": "/data"},
    ]
    project = _service.render_project({"redis": service(volumes=volumes)}, "shop")
    assert project["services"]["redis"]["volumes"] == [
        {
            "type": "bind",
            "source": "./redis",
            "target": "/etc/redis",
            "read_only": True,
            "bind": {"create_host_path": False},
        },
        {"type": "volume", "source": "redis", "target": "/data"},
    ]
    assert project["volumes"] == {"redis": {}}


@pytest.mark.parametrize(
    ("config", "labelled"),
    [({}, True), ({"on_change": "recreate"}, True), ({"on_change": "reload"}, False), ({"on_change": "none"}, False)],
)
def test_only_a_service_that_must_be_recreated_depends_on_its_files(config: dict[str, str], labelled: bool) -> None:  # noqa: FBT001
    one, two = (_service.render_service("redis", service(config=config), {"redis": digest}) for digest in ("a", "b"))
    assert (one["labels"] != two["labels"]) is labelled


def test_a_service_that_reads_another_environment_is_another_one() -> None:
    definitions = {
        _service.render_service("web", service(env_files=[".env"]), {}, {".env": digest})["labels"][
            _service.DEFINITION_LABEL
        ]
        for digest in ("a", "b", "b")
    }
    assert len(definitions) == 2


def test_every_service_is_labelled_with_its_definition() -> None:
    one, two = (_service.render_service("redis", service(user=user))["labels"] for user in ("1", "2"))
    assert one != two


def test_an_empty_healthcheck_silences_that_of_the_image() -> None:
    assert _service.render_service("redis", service(healthcheck={"command": []}))["healthcheck"] == {"disable": True}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (service(tear="data"), "unknown key 'tear'"),
        ({"tier": "data", "networks": []}, "image is missing"),
        (service(command="sh -c x"), "command is str, expected list"),
        (service(volumes=["d:/x"]), "volumes holds 'd:/x', expected a dictionary with source, target, type"),
        (service(healthcheck={"interval": 5}), "healthcheck holds {'interval': 5}, expected a dictionary with command"),
        (service(validate=["nginx", "-t"]), "validate is list, expected dict"),
        (service(validate={"user": "mysql"}), "validate holds {'user': 'mysql'}, expected a dictionary with command"),
        (service(validate={"command": "nginx -t"}), "validate.command is str, expected list"),
        (service() | {"tier": "front"}, "tier is 'front', expected one of data, app, edge"),
    ],
)
def test_a_broken_dictionary_is_refused_by_name(broken: dict[str, Any], message: str) -> None:
    with pytest.raises(_service.ServiceError, match=f"service redis: {message}"):
        _service.render_service("redis", broken)


def test_what_only_compose_understands_goes_through_as_it_is() -> None:
    rendered = _service.render_service("redis", service(compose={"cap_drop": ["ALL"]}, stop_grace_seconds=60))
    assert rendered["cap_drop"] == ["ALL"]
    assert rendered["stop_grace_period"] == "60s"


def test_trees_validators_and_reloads_come_from_the_same_dictionary() -> None:
    services = {
        "nginx": service(
            config={"role": "r", "on_change": "reload", "reload": {"port": 8081}}, validate={"command": ["nginx", "-t"]}
        ),
        "redis": service(),
    }
    assert _service.config_trees(services) == [{"name": "nginx", "role": "r"}]
    check = {"service": "nginx", "image": services["nginx"]["image"], "mounts": {}, "command": ["nginx", "-t"]}
    assert _service.config_validators(services) == [check]
    assert _service.service_reloads(services, {"nginx": "abc"}) == [
        {"service": "nginx", "digest": "abc", "stamp": "", "port": 8081}
    ]
    assert _service.service_names(services, "data") == ["nginx", "redis"]


def test_a_process_is_the_base_with_another_command() -> None:
    made = _service.process_services({"consumer": ["python", "consume.py"]}, service())
    assert made == {"consumer": service(command=["python", "consume.py"])}


def test_a_number_given_as_text_is_a_number() -> None:
    assert _service.render_service("redis", service(stop_grace_seconds="60"))["stop_grace_period"] == "60s"


def test_an_image_of_the_application_is_never_pulled_from_somewhere() -> None:
    assert _service.render_service("web", service(tier="app"))["pull_policy"] == "never"
    assert "pull_policy" not in _service.render_service("redis", service())


def test_what_the_switch_has_to_know_of_each_service_is_in_the_dictionaries() -> None:
    common = {"image": "shop/app:1", "networks": ["back"]}
    services = {
        "web": {
            **common,
            "tier": "app",
            "rollover": "beside",
            "replicas": "2",
            "probe": {"path": "/", "port": 1, "host": "h"},
        },
        "beat": {**common, "tier": "app"},
        "nginx": {
            **common,
            "tier": "edge",
            "upstream": {"service": "web", "directory": "upstream", "http_port": 80},
            "config": {"reload": {"port": 8081, "test": ["t"], "command": ["r"]}},
        },
    }
    beat, web = _service.release_services(services)
    assert (beat["rollover"], beat["routed"], beat["replicas"]) == ("alone", False, 1)
    assert (web["rollover"], web["routed"], web["replicas"]) == ("beside", True, 2)
    edge = _service.release_edge(services)
    assert (edge["service"], edge["upstream"], edge["probe"]["port"]) == ("nginx", "web", 1)
    assert _service.release_edge({"web": services["web"]}) == {}


def test_more_containers_are_no_other_definition() -> None:
    service = {"tier": "app", "image": "shop/app:1", "networks": ["back"]}
    one, two = (_service.render_service("web", {**service, "replicas": count}) for count in (1, 2))
    assert one["labels"] == two["labels"]
    assert ("scale" in one, two["scale"]) == (False, 2)


@pytest.mark.parametrize(
    ("version", "expected"), [("26.1.5", 1), ("25.0", 1), ("24.0.7", None), ("", None), ("dev", None)]
)
def test_what_starts_is_asked_every_second_where_the_engine_can(version: str, expected: int | None) -> None:
    services = {"redis": service(healthcheck={"command": ["true"], "start_period": 60})}
    check = _service.services_for_engine(services, version)["redis"]["healthcheck"]
    assert check.get("start_interval") == expected
    assert "start_interval" not in services["redis"]["healthcheck"]
    rendered = _service.render_service("redis", service(healthcheck=check))["healthcheck"]
    assert rendered.get("start_interval") == (f"{expected}s" if expected else None)


@pytest.mark.parametrize(
    "check", [{"command": []}, {"command": ["true"]}, {"command": ["true"], "start_period": 60, "start_interval": 3}]
)
def test_a_check_that_says_so_itself_or_has_no_start_stays(check: dict[str, Any]) -> None:
    services = {"redis": service(healthcheck=check), "plain": service()}
    assert _service.services_for_engine(services, "27.0") == services
