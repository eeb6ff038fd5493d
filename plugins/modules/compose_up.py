#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring services of a Compose project to what its files say."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_up
short_description: Brings named services of a Compose project to what its files say
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Creates, recreates or starts the services in O(services) that are not what the Compose files say, and waits until they
    are healthy. Services that are not named are not touched, dependencies included.
  - Compares the hash, the image and the state of each container before acting, so that C(changed) is true exactly when a
    container is created, recreated, started or reloaded.
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.project
  - barehost.django.project.name
attributes:
  check_mode:
    description: Says which services would change and changes none; works before Docker or the files are there.
    support: full
  diff_mode:
    description: Shows for each service what would happen, and why.
    support: full
  idempotent:
    description: Services that are as they should be are left alone.
    support: full
options:
  services:
    description: Services to bring up.
    type: list
    elements: str
    required: true
  definitions:
    description:
      - What each service of the project should be made from, as the filter P(barehost.django.service_definitions#filter) says it.
      - Without it the files on the host say so, which in a dry run are still the old ones.
    type: dict
  timeout:
    description: Seconds within which every service must be healthy.
    type: int
    default: 180
  remove_orphans:
    description: Whether containers of services that the files no longer name are stopped and removed.
    type: bool
    default: false
  reload:
    description: Services that take up changed files by a reload.
    type: list
    elements: dict
    default: []
    suboptions: &reload
      service: {description: Name of the service., type: str, required: true}
      digest: {description: Digest of the configuration that it should have loaded., type: str, required: true}
      port: {description: Port inside the container that answers with the digest that it has loaded., type: int, required: true}
      test: {description: Command inside the container that must accept the files before the reload., type: list, elements: str, required: true}
      command: {description: Command inside the container that reloads., type: list, elements: str, required: true}
  ahead:
    description:
      - What a later call will be asked for. Nothing of it is done now; RV(ahead) says what it would be, so that a call that has
        nothing to do can be spared.
    type: dict
    suboptions:
      services: {description: As O(services)., type: list, elements: str, required: true}
      remove_orphans: {description: As O(remove_orphans)., type: bool, default: false}
      reload:
        description: As O(reload).
        type: list
        elements: dict
        default: []
        suboptions: *reload
"""

EXAMPLES = r"""
- name: Start the data services
  barehost.django.compose_up:
    project_dir: /opt/app
    project: app
    services: [mysql, redis]
    timeout: 180
"""

RETURN = r"""
steps:
  description: What was done, or would be done, for each service.
  type: list
  elements: dict
  returned: always
  sample: [{service: redis, action: recreate, reason: its image redis:8-alpine changed}]
changed_services:
  description: Names of the services that changed.
  type: list
  elements: str
  returned: always
ahead:
  description: What the call that O(ahead) describes would do if it came now, as RV(steps).
  type: list
  elements: dict
  returned: where O(ahead) is given
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _compose, _edge, _lock, _up, _wait

if TYPE_CHECKING:
    from collections.abc import Mapping

RELOAD_SPEC: dict[str, Any] = {
    "service": {"type": "str", "required": True},
    "digest": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "test": {"type": "list", "elements": "str", "required": True},
    "command": {"type": "list", "elements": "str", "required": True},
}


def running(item: dict[str, Any], engine: _up.Engine) -> list[_compose.Container]:
    """Return the running containers of a service."""
    return [c for c in engine.containers() if c.service == item["service"] and c.running]


def stale(item: dict[str, Any], container: _compose.Container) -> bool:
    """Whether a container runs with other files than it should."""
    return _edge.ask(container.address, item["port"]) != str(item["digest"])


def needs_reload(item: dict[str, Any], engine: _up.Engine) -> bool:
    """Whether a service runs with other files than it should."""
    return any(stale(item, container) for container in running(item, engine))


def reload_service(item: dict[str, Any], engine: _up.Engine) -> None:
    """Have a service test and load its files, and wait until it says so."""
    for container in running(item, engine):
        engine.reload(container, item["test"], item["command"], lambda c=container: not stale(item, c))  # type: ignore[misc]


@dataclass(frozen=True)
class Decision:
    """What has to be done to some services."""

    steps: list[_up.Step]
    reloads: list[dict[str, Any]]
    stray: list[_compose.Container]

    @property
    def active(self) -> list[str]:
        """The services that are created, recreated or started."""
        return [step.service for step in self.steps if step.action != "none"]

    def all_steps(self) -> list[_up.Step]:
        """Return everything that is done, as the result tells it."""
        return [
            *(step for step in self.steps if step.action != "none"),
            *(_up.Step(item["service"], "reload", "its files changed") for item in self.reloads),
            *(_up.Step(container.service, "remove", "no service of this name is left") for container in self.stray),
        ]


def decide(wish: Mapping[str, Any], engine: _up.Engine, snapshot: _up.Snapshot) -> Decision:
    """Compare what is wanted with what there is."""
    steps = _up.plan(wish["services"], snapshot)
    idle = [step.service for step in steps if step.action == "none"]
    reloads = [item for item in wish["reload"] if item["service"] in idle and needs_reload(item, engine)]
    return Decision(steps, reloads, _up.orphans(snapshot) if wish["remove_orphans"] else [])


def converge(module: AnsibleModule, engine: _up.Engine) -> tuple[list[_up.Step], list[_up.Step]]:
    """Decide, act where this is no dry run, and return what was decided, for now and for later."""
    params = module.params
    snapshot = engine.snapshot()
    decision = decide(params, engine, snapshot)
    ahead = decide(params["ahead"], engine, snapshot).all_steps() if params["ahead"] else []
    if not module.check_mode:
        engine.carry_out(decision.steps)
        _wait.for_services(engine, params["services"], params["timeout"], fresh=decision.active)
        for item in params["reload"]:
            # Asked again: a container that was to be recreated may have been left as it is.
            if item["service"] in params["services"] and needs_reload(item, engine):
                reload_service(item, engine)
        engine.remove(decision.stray)
    return decision.all_steps(), ahead


def unknown_yet(module: AnsibleModule) -> bool:
    """Whether this is a dry run on a host where there is nothing to compare with yet."""
    if not module.check_mode:
        return False
    has_file = (Path(module.params["project_dir"]) / _compose.BASE_FILE).exists()
    return not has_file or module.get_bin_path("docker") is None


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **_lock.ARGUMENTS,
            "project_dir": {"type": "path", "required": True},
            "project": {"type": "str", "required": True},
            "services": {"type": "list", "elements": "str", "required": True},
            "definitions": {"type": "dict"},
            "timeout": {"type": "int", "default": 180},
            "remove_orphans": {"type": "bool", "default": False},
            "reload": {"type": "list", "elements": "dict", "options": RELOAD_SPEC, "default": []},
            "ahead": {
                "type": "dict",
                "options": {
                    "services": {"type": "list", "elements": "str", "required": True},
                    "remove_orphans": {"type": "bool", "default": False},
                    "reload": {"type": "list", "elements": "dict", "options": RELOAD_SPEC, "default": []},
                },
            },
        },
        supports_check_mode=True,
    )
    params = module.params
    _lock.step_until_exit(module, params["project_dir"], f"start {', '.join(params['services'])}")
    if unknown_yet(module):
        wishes = [params, params["ahead"] or {"services": []}]
        steps, ahead = [
            [_up.Step(service, "create", "nothing is deployed yet") for service in wish["services"]] for wish in wishes
        ]
    else:
        files = _up.compose_files(params["project_dir"])
        engine = _up.Engine(module.run_command, params["project_dir"], files, params["project"], params["definitions"])
        try:
            steps, ahead = converge(module, engine)
        except _up.UpError as error:
            module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(steps),
        steps=[vars(step) for step in steps],
        changed_services=sorted({step.service for step in steps}),
        diff={"before": "", "after": "".join(f"{s.service}: {s.action} ({s.reason})\n" for s in steps)},
        **({"ahead": [vars(step) for step in ahead]} if params["ahead"] else {}),
    )


if __name__ == "__main__":
    main()
