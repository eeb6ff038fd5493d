# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a switch says that it does to the edge."""

from __future__ import annotations

import types
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _run_switch, _up

WEB, WORKER = _up.Step("web", "recreate"), _up.Step("worker", "recreate")


def job(state: str, detached: str = "") -> Any:
    """Return a job on a host whose edge is in this state; none is there where it is empty."""
    container = types.SimpleNamespace(
        service="nginx", state=state, paused=state == "paused", running=state == "running", detached=detached
    )
    return types.SimpleNamespace(
        edge=types.SimpleNamespace(service="nginx"),
        containers=[container] if state else [],
        services=[types.SimpleNamespace(name="web", routed=True), types.SimpleNamespace(name="worker", routed=False)],
    )


@pytest.mark.parametrize(
    ("state", "steps", "stale", "action"),
    [
        ("paused", [WORKER], [], "unpause"),
        ("paused", [], ["route"], "unpause"),
        # Nothing is switched, and the edge is another call's business.
        ("paused", [], [], ""),
        ("exited", [WEB], [], "start"),
        ("exited", [], ["route"], "start"),
        ("exited", [WORKER], [], ""),
        ("running", [WEB], ["route"], ""),
        ("restarting", [WEB], [], ""),
        ("", [WEB], [], ""),
    ],
)
def test_an_edge_that_does_not_run_is_woken_and_that_is_said(
    state: str, steps: list[_up.Step], stale: list[str], action: str
) -> None:
    said = _run_switch.edge_steps(job(state), steps, stale)
    assert [(step.service, step.action) for step in said] == ([("nginx", action)] if action else [])


@pytest.mark.parametrize(
    ("state", "steps", "stale", "action"),
    [
        ("running", [WEB], [], "recreate"),
        ("running", [], ["route"], "recreate"),
        # The call after it makes it anew.
        ("running", [WORKER], [], ""),
        ("running", [], [], ""),
        ("paused", [WEB], [], "recreate"),
        ("paused", [WORKER], [], "unpause"),
    ],
)
def test_an_edge_that_would_not_see_its_route_is_made_anew_and_that_is_said(
    state: str, steps: list[_up.Step], stale: list[str], action: str
) -> None:
    said = _run_switch.edge_steps(job(state, "/opt/shop/upstream"), steps, stale)
    assert [step.action for step in said] == ([action] if action else [])
