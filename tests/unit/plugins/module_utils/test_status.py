# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The screen and the document of `status`."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _status

SERVICE = {
    "state": "running",
    "health": "healthy",
    "image": "mysql:9.7",
    "restarts": 0,
    "started": "2026-11-24T03:00:00.123456789Z",
    "oom_killed": False,
}
INFO: dict[str, Any] = {
    "changed": False,
    "host": {
        "os": {"id": "debian", "version_id": "13", "pretty_name": "Debian GNU/Linux 13 (trixie)"},
        "memory_mb": 7936,
        "cpus": 2,
        "architecture": "x86_64",
        "python_version": "3.13.5",
    },
    "engine": {
        "present": True,
        "version": "26.1.5",
        "compose_version": "2.26.1",
        "root_dir": "/var/lib/docker",
        "root_free_mb": 51200,
    },
    "ports": [{"port": 80, "process": "docker-proxy", "container": "demo-nginx-1"}],
    "stack": {
        "name": "demo",
        "dir": "/opt/demo",
        "present": True,
        "release": {
            "id": "0123456789ab",
            "created": "2026-11-24T03:00:00Z",
            "git_revision": "abc1234",
            "image": "demo/app:0123456789ab",
        },
        "services": {"mysql": [SERVICE], "worker": [{**SERVICE, "health": "", "image": "demo/app:0123456789ab"}]},
    },
}


def changed(**services: dict[str, Any]) -> dict[str, Any]:
    info = copy.deepcopy(INFO)
    for name, values in services.items():
        info["stack"]["services"][name][0].update(values)
    return info


def test_a_stack_that_serves_is_one_screen() -> None:
    assert _status.render_text({"web1": INFO}) == "\n".join(  # noqa: FLY002 - a line of the screen is a line here
        [
            "web1: ok",
            "  host     Debian GNU/Linux 13 (trixie), 2 CPUs, 7.8 GiB memory, x86_64",
            "  engine   Docker 26.1.5, Compose 2.26.1, 50.0 GiB free in /var/lib/docker",
            "  stack    demo in /opt/demo",
            "  release  0123456789ab, git abc1234, 2026-11-24T03:00:00Z, demo/app:0123456789ab",
            "  ports    80 (demo-nginx-1)",
            "",
            "  service  state    health   restarts  started               image",
            "  mysql    running  healthy  0         2026-11-24T03:00:00Z  mysql:9.7",
            "  worker   running  -        0         2026-11-24T03:00:00Z  demo/app:0123456789ab",
        ]
    )


def test_what_is_wrong_stands_in_the_first_line() -> None:
    info = changed(worker={"state": "restarting", "restarts": 12, "oom_killed": True}, mysql={"health": "unhealthy"})
    first = _status.render_text({"web1": info}).splitlines()[0]
    assert first == (
        "web1: attention - mysql is unhealthy; worker is restarting; worker was killed for lack of memory; "
        "worker was restarted 12 times"
    )


def test_hosts_without_stack_engine_or_answer() -> None:
    bare = {**INFO, "engine": {"present": False}, "stack": {"present": False, "dir": "/opt/demo", "services": {}}}
    no_stack = {
        **INFO,
        "stack": {"present": False, "name": "demo", "dir": "/opt/demo", "release": None, "services": {}},
    }
    text = _status.render_text({"a": bare, "b": no_stack, "c": None})
    assert "a: absent - no Docker engine answers" in text
    assert "b: absent - no stack in /opt/demo: run barehost.django.site first" in text
    assert "c: unreachable - nothing is known about it: it did not answer" in text


LOCK = {
    "at_work": False,
    "silent_seconds": 5,
    "description": "ana@desk, `ansible-playbook site.yml`, started 03:00:00 UTC (9 s ago), in step switch, last sign 5 s ago",
}


def half_done(**lock: Any) -> dict[str, Any]:
    """Return a stack in the middle of a switch: the container of the next release is beside the one that serves."""
    info = copy.deepcopy(INFO)
    web = {**SERVICE, "image": "demo/app:0123456789ab", "container": "demo-web-1"}
    new = {**web, "image": "demo/app:fedcba987654", "container": "demo-web-2", "health": "starting", "stray": True}
    info["stack"]["services"]["web"] = [web, new]
    info["stack"]["lock"] = {**LOCK, **lock}
    return info


def test_a_switch_that_was_left_in_its_middle_needs_attention() -> None:
    verdict, problems = _status.assess(half_done())
    assert verdict == "attention"
    assert problems == [
        "not of the release that is recorded: demo-web-2 (demo/app:fedcba987654)",
        f"the lock is held and nothing of its run is at work on the host: {LOCK['description']}",
        "once that run is dead, run the same again: it goes on from there",
        "demo-web-2 is starting",
    ]


@pytest.mark.parametrize("state", ["created", "running", "exited"])
def test_a_switch_at_work_is_no_problem_and_both_containers_are_shown(state: str) -> None:
    info = half_done(at_work=True)
    info["stack"]["services"]["web"][1]["state"] = state
    assert _status.assess(info) == ("ok", [])
    text = _status.render_text({"web1": info})
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("  web")] == [
        "demo/app:0123456789ab",
        "demo/app:fedcba987654",
    ]
    assert f"  lock     {LOCK['description']}" in text.splitlines()


def test_a_lock_is_a_problem_once_it_is_silent() -> None:
    info = copy.deepcopy(INFO)
    info["stack"]["lock"] = LOCK
    assert _status.assess(info) == ("ok", [])
    info["stack"]["lock"] = {**LOCK, "silent_seconds": 120}
    assert _status.assess(info)[0] == "attention"


def test_a_run_that_is_known_to_be_dead_is_a_problem_at_once() -> None:
    info = copy.deepcopy(INFO)
    info["stack"]["lock"] = {**LOCK, "dead": True}
    said = f"the run that holds the lock has ended without giving it back: {LOCK['description']}"
    assert _status.assess(info)[1][0] == said
    # Also while a step that it has left behind is at work: nothing will follow that.
    info["stack"]["lock"]["at_work"] = True
    assert _status.assess(info)[0] == "attention"


def test_what_is_in_the_way_of_a_deploy_is_said_before_it() -> None:
    info = copy.deepcopy(INFO)
    info["stack"]["obstacle"] = "/opt/demo/backups is a file and has to be a directory"
    verdict, problems = _status.assess(info)
    assert (verdict, problems) == ("attention", [f"a deploy would be refused: {info['stack']['obstacle']}"])


def test_an_upgrade_that_was_cut_off_is_said_unless_it_is_under_way() -> None:
    info = copy.deepcopy(INFO)
    info["stack"]["upgrade"] = "the upgrade of mysql from 8.4.7 to mysql:9.7 was cut off (upgrading)"
    assert _status.assess(info) == ("attention", [info["stack"]["upgrade"]])
    info["stack"]["lock"] = {**LOCK, "at_work": True}
    assert _status.assess(info) == ("ok", [])


def test_what_has_become_of_drills_and_of_the_way_off_site_has_a_line() -> None:
    info = copy.deepcopy(INFO)
    info["stack"]["backups"] = {
        "count": 0,
        "problems": ["the last drill failed at …"],
        "drill": {"success": {"at": "2026-11-01T05:00:00Z", "id": "20261101T030000Z", "rows": 7}, "failure": {}},
        "offsite": {
            "success": {"at": "2026-11-26T03:00:00Z", "newest": "20261126T030000Z", "snapshots": 9, "url": "s3:x/y"}
        },
    }
    assert _status.assess(info) == ("attention", ["the last drill failed at …"])
    lines = _status.render_text({"web1": info}).splitlines()
    assert "  drill    20261101T030000Z came back at 2026-11-01T05:00:00Z (7 rows)" in lines
    assert "  off-site 9 in s3:x/y, 20261126T030000Z, at 2026-11-26T03:00:00Z" in lines


def test_the_certificate_that_serves_has_a_line_and_what_is_wrong_with_it_is_said() -> None:
    info = copy.deepcopy(INFO)
    end = "2027-02-25T03:21:49Z"
    modes = {
        "acme": {"serves": True, "not_after": end},
        "self_signed": {"serves": False, "not_after": "2027-01-01T00:00:00Z"},
    }
    info["stack"]["tls"] = {**modes, "answers": True}
    text = _status.render_text({"demo": info})
    assert f"tls      acme until {end}" in text
    assert "self_signed" not in text
    assert text.startswith("demo: ok")
    info["stack"]["tls"]["acme"]["problem"] = "the certificate could not be renewed"
    assert _status.assess(info) == ("attention", ["the certificate could not be renewed"])
    info["stack"]["tls"]["acme"] = {"serves": True, "whole": False, "problem": "there is no certificate"}
    text = _status.render_text({"demo": info})
    assert "tls      acme, no certificate" in text
    assert "there is no certificate" in text


@pytest.mark.parametrize(
    ("firewall", "verdict"),
    [
        ({"parts": {"shop": {}}, "file": "a", "loaded": "a"}, "ok"),
        ({"parts": {"shop": {}}, "file": "a", "loaded": ""}, "attention"),
        ({"parts": {"shop": {}}, "file": "", "loaded": ""}, "attention"),
        ({}, "ok"),
    ],
)
def test_a_firewall_that_is_not_in_force_needs_attention(firewall: dict[str, Any], verdict: str) -> None:
    found, problems = _status.assess({**copy.deepcopy(INFO), "firewall": firewall})
    assert (found, [text for text in problems if "not in force" in text] == []) == (verdict, verdict == "ok")


def test_a_firewall_without_the_rules_of_docker_needs_attention() -> None:
    info = copy.deepcopy(INFO)
    info["engine"]["rules"] = False
    verdict, problems = _status.assess({**info, "firewall": {"parts": {"shop": {}}, "file": "a", "loaded": ""}})
    assert verdict == "attention"
    assert "systemctl restart barehost-firewall" in problems[0]
    # That is what the other one asks for.
    assert "docker" not in problems[0]
    assert "Docker's own rules are gone" in problems[1]


def test_of_several_containers_the_one_with_the_problem_is_named() -> None:
    info = copy.deepcopy(INFO)
    info["stack"]["services"]["worker"] = [
        {**SERVICE, "container": "demo-worker-1"},
        {**SERVICE, "container": "demo-worker-2", "state": "exited"},
    ]
    assert _status.assess(info) == ("attention", ["demo-worker-2 is exited"])


def test_what_never_started_and_what_is_missing_say_so() -> None:
    info = changed(worker={"state": "created", "health": "", "started": "", "restarts": 0})
    info["stack"]["services"]["mysql"] = [{"state": "missing"}]
    rows = [line.split() for line in _status.render_text({"web1": info}).splitlines()[-2:]]
    assert rows == [
        ["mysql", "missing", "-", "0", "-", "-"],
        ["worker", "created", "-", "0", "-", "demo/app:0123456789ab"],
    ]


def test_the_settings_of_the_engine_are_an_object_in_the_document() -> None:
    def settings(text: str) -> Any:
        info = {**INFO, "engine": {**INFO["engine"], "daemon_json": text}}
        return json.loads(_status.render_json({"web1": info}))["hosts"]["web1"]["engine"]["daemon_json"]

    assert settings('{"live-restore": true}') == {"live-restore": True}
    assert settings("") == {}
    assert settings("{broken") == "{broken"


def test_a_stack_without_release_needs_attention() -> None:
    info = copy.deepcopy(INFO)
    info["stack"].update(release=None, services={})
    assert _status.assess(info) == ("attention", ["no release is recorded", "no container of the stack is there"])


def test_the_document_is_one_line_with_all_hosts() -> None:
    text = _status.render_json({"web1": INFO, "web2": None})
    assert "\n" not in text
    hosts = json.loads(text)["hosts"]
    assert hosts["web1"]["verdict"] == "ok"
    assert hosts["web1"]["stack"]["release"]["id"] == "0123456789ab"
    assert set(hosts["web1"]) == {"verdict", "problems", "host", "engine", "ports", "stack"}
    assert hosts["web2"] == {"verdict": "unreachable", "problems": ["nothing is known about it: it did not answer"]}


def test_no_host_is_no_empty_screen() -> None:
    assert _status.render_text({}) == "no host"
