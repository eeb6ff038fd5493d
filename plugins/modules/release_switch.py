#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Let the application's services run a release, and record it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_switch
short_description: Lets the application's services run a release without dropping a request, and records it
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Starts the release's containers beside those that serve, waits until they are healthy, sends the requests to them, waits
    until the edge has answered what it had in hand for the old ones, and only then stops those.
  - Services that must never run twice (O(services[].rollover=alone)) are stopped before their successor starts.
  - Whatever fails before the release is committed is taken back; the containers that served are running all the while.
  - What is there is read from the containers themselves. So a run that was cut off at any point is completed by the next.
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.project
  - barehost.django.project.name
attributes:
  check_mode:
    description: Says which services would be replaced and touches none.
    support: full
  diff_mode:
    description: Shows the release before and after, and the services concerned.
    support: full
  idempotent:
    description: A release that serves already is left alone.
    support: full
options:
  release_id:
    description: Id of the release; its image is there, its migrations are applied.
    type: str
    required: true
  image:
    description: Reference of the release's image.
    type: str
    required: true
  services:
    description: The services that run the image, as the filter P(barehost.django.release_services#filter) lists them.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Name of the service., type: str, required: true}
      rollover:
        description: Whether it may run beside its old containers, or alone, after those have ended.
        type: str
        choices: [alone, beside]
        default: alone
      replicas: {description: How many containers it has., type: int, default: 1}
      ready:
        description: Command inside a new container that must succeed before the release is believed.
        type: list
        elements: str
        default: []
      networks: {description: Its networks., type: list, elements: str, default: []}
      routed: {description: Whether the edge sends requests to it., type: bool, default: false}
  edge:
    description: The service in front, as the filter P(barehost.django.release_edge#filter) describes it; empty without one.
    type: dict
    default: {}
  tasks:
    description: C(service) and C(command) that print how many tasks are C(queued) and C(in_flight); empty without any.
    type: dict
    default: {}
  static_root:
    description: Where the release's static files are mounted in its containers; empty where it has none.
    type: str
    default: ""
  definitions:
    description:
      - What each service of the project should be made from, as the filter P(barehost.django.service_definitions#filter) says it.
      - Without it the files on the host say so.
    type: dict
  timeout:
    description: Seconds within which the new containers must be healthy.
    type: int
    default: 120
  drain_timeout:
    description:
      - Seconds that the edge is given to answer what it has in hand for the old containers. After them these are stopped
        gracefully, which ends what is still open within their own grace.
    type: int
    default: 60
  keep:
    description: >-
      Releases of which image, static files and record stay on the host, the one that serves included; and as many of the newest
      dumps that were made before migrations.
    type: int
    default: 5
  settings_before:
    description: Whether the settings of the release before the one that serves are put back first.
    type: bool
    default: false
  details:
    description: What else the record says of the release.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Switch to the new release
  barehost.django.release_switch:
    project_dir: /opt/app
    project: app
    release_id: 3f9a0c1b2d4e
    image: app/app:3f9a0c1b2d4e
    services: "{{ stack_services | barehost.django.release_services }}"
    edge: "{{ stack_services | barehost.django.release_edge }}"
"""

RETURN = r"""
before:
  description: Id of the release that served before; empty where there was none.
  type: str
  returned: always
switch_before:
  description: The services, edge, tasks and static root with which that release was started; empty where there was none.
  type: dict
  returned: success
steps:
  description: What was done, or would be done, for each service.
  type: list
  elements: dict
  returned: always
seconds:
  description: What each step of the switch took.
  type: dict
  returned: when changed
tasks_before:
  description: Tasks that waited and were in flight when the switch began; empty where nobody can be asked.
  type: dict
  returned: when changed
tasks_after:
  description: The same after the old workers had ended.
  type: dict
  returned: when changed
undrained:
  description: Processes of the edge that still had requests in hand when O(drain_timeout) was over.
  type: int
  returned: when changed
failed_step:
  description: The step of the switch that failed.
  type: str
  returned: on a failure of the switch
serving:
  description: Id of the release that serves after the failure.
  type: str
  returned: on a failure of the switch
"""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import (
    _compose,
    _edge,
    _lock,
    _prune,
    _release,
    _rollover,
    _switch,
    _switch_host,
    _up,
)


class Job:
    """One call of the module: what is wanted, what is there, and what that takes."""

    def __init__(self, module: AnsibleModule) -> None:
        """Read the parameters and the host."""
        self.module = module
        params = module.params
        self.params = params
        self.root = Path(params["project_dir"])
        self.release_id = _release.check_id(params["release_id"])
        self.override = self.root / _compose.OVERRIDE_FILE
        self.override_before = self.override.read_text(encoding="utf-8") if self.override.exists() else None
        record = _release.current_record(params["project_dir"])
        self.before = str(record["id"]) if record else ""
        # What it takes to come back to it, as it was recorded; the commit writes over that of the same release.
        self.switch_before = (record or {}).get("switch", {})
        self.services = [_rollover.service_of(item) for item in params["services"]]
        base = str(self.root / _compose.BASE_FILE)
        self.engine = _up.Engine(module.run_command, params["project_dir"], [base], params["project"])
        self.edge = _switch_host.edge_of(params["edge"])
        self.wanted: dict[str, dict[str, str]] = {}
        self.text = ""
        self.works: list[_rollover.Work] = []

    def look(self) -> None:
        """Find out what each service should be made from, and what has to happen to it."""
        if not self.services:
            raise _up.UpError("services is empty: name the services that run the release's image")
        definitions = self.params["definitions"] or self.engine.definitions_in_files()
        image = self.params["image"]
        image_id = self.engine.image_ids([image]).get(image, "")
        unknown = sorted(service.name for service in self.services if service.name not in definitions)
        if unknown:
            raise _up.UpError(f"no service {', '.join(unknown)} in the Compose files: deploy the stack first")
        if not image_id and not self.module.check_mode:
            raise _up.UpError(f"there is no image {image} on the host: build or pull the release first")
        for service in self.services:
            definition = definitions[service.name]
            name = _rollover.generation(self.release_id, definition, image_id)
            self.wanted[service.name] = {
                "definition": definition,
                "image_id": image_id,
                "image": image,
                "generation": name,
            }
        self.text = _release.serving_text(
            self.release_id,
            image,
            {name: wanted["generation"] for name, wanted in self.wanted.items()},
            networks={item["name"]: item["networks"] for item in self.params["services"]},
            routed=[service.name for service in self.services if service.routed],
            static_root=self.params["static_root"],
        )
        containers = self.engine.containers()
        self.works = [_rollover.plan(service, containers, self.wanted[service.name]) for service in self.services]

    def route(self) -> _edge.Route:
        """Return where requests should go."""
        upstream = self.params["edge"].get("upstream", "") if self.edge else ""
        if upstream not in self.wanted:
            return _edge.Route()
        port = int(self.params["edge"]["probe"]["port"])
        return _edge.Route(_rollover.alias(upstream, self.wanted[upstream]["generation"]), port)

    def host(self) -> _switch_host.SwitchHost:
        """Return the host, as the switch sees it."""
        draft = Path(self.module.tmpdir) / _compose.OVERRIDE_FILE
        draft.write_text(self.text, encoding="utf-8")
        self.engine.files = [str(self.root / _compose.BASE_FILE), str(draft)]
        tasks = self.params["tasks"]
        return _switch_host.SwitchHost(
            engine=self.engine,
            root=self.root,
            release_id=self.release_id,
            edge=self.edge,
            probe_of=_switch_host.probe_of(self.params["edge"].get("probe", {})),
            tasks_of=(tasks["service"], tasks["command"]) if tasks else None,
            on_commit=self.commit,
            on_uncommit=self.uncommit,
            on_note=self.note,
        )

    def commit(self) -> None:
        """Let everything on the host speak of the release."""
        path = _release.record_path(str(self.root), self.release_id)
        # With what it takes to come back to it: a rollback asks no inventory.
        again = {key: self.params[key] for key in ("services", "edge", "tasks", "static_root")}
        details = {**self.params["details"], "switch": again, "activated": now()}
        if self.before != self.release_id:
            details["previous"] = self.before
        _release.update_record(path, self.release_id, self.params["image"], details)
        _release.name_current(str(self.root), self.release_id, self.text)
        _release.keep_serving(str(self.root))

    def uncommit(self) -> None:
        """Let everything on the host speak of the earlier release again."""
        _release.name_current(str(self.root), self.before, self.override_before)

    def note(self, step: str) -> None:
        """Write into the record which step begins."""
        path = _release.record_path(str(self.root), self.release_id)
        _release.update_record(path, self.release_id, self.params["image"], {"step": step})


def now() -> str:
    """Return the time as records have it."""
    return datetime.now(tz=timezone.utc).isoformat(timespec="seconds")


def execute(job: Job) -> _switch.Switch:
    """Switch; what fails is taken back, and said."""
    host = job.host()
    target = _switch.Target(
        release_id=job.release_id,
        static=bool(job.params["static_root"]),
        route=job.route(),
        works=job.works,
        route_stale=not host.route_loaded(),
    )
    timeouts = _switch.Timeouts(health=job.params["timeout"], drain=job.params["drain_timeout"])
    switch = _switch.Switch(host, target, timeouts)
    try:
        switch.run()
    except _switch.SwitchError as error:
        if not error.committed and job.before:
            _release.restore_files(str(job.root))
        job.module.fail_json(
            msg=f"release {job.release_id} was not accepted in step {error.step}; "
            f"{error.stands(job.release_id, job.before)}: {error}",
            before=job.before,
            serving=job.release_id if error.committed else job.before,
            failed_step=error.step,
        )
    job.note("done")
    if switch.facts["undrained"]:
        job.module.warn(
            f"{switch.facts['undrained']} processes of {job.params['edge']['service']} still had requests in hand after "
            f"{job.params['drain_timeout']} s; these were ended within the old containers' grace"
        )
    return switch


def prune(job: Job) -> None:
    """Remove what is not kept any more; trouble with that is a warning."""
    repository = job.params["image"].rpartition(":")[0]
    # A host whose verify fails, or another host's, still has to come back to what served before.
    always = [job.release_id, job.before]
    _, problems = _prune.prune(job.module.run_command, job.root, repository, keep=job.params["keep"], always=always)
    for problem in problems:
        job.module.warn(f"pruning earlier releases: {problem}")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **_lock.ARGUMENTS,
            "project_dir": {"type": "path", "required": True},
            "project": {"type": "str", "required": True},
            "release_id": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "services": {"type": "list", "elements": "dict", "options": _rollover.SERVICE_SPEC, "required": True},
            "edge": {"type": "dict", "default": {}},
            "tasks": {"type": "dict", "default": {}},
            "definitions": {"type": "dict"},
            "static_root": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 120},
            "drain_timeout": {"type": "int", "default": 60},
            "keep": {"type": "int", "default": 5},
            "settings_before": {"type": "bool", "default": False},
            "details": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    _lock.step_until_exit(module, module.params["project_dir"], "switch")
    try:
        job = Job(module)
        if module.check_mode and (module.get_bin_path("docker") is None or not job.engine.answers()):
            steps = [_up.Step(service.name, "create", "nothing is deployed yet") for service in job.services]
            exit_with(job, steps, ["everything"], {})
        if module.params["settings_before"] and not module.check_mode:
            _release.restore_files(module.params["project_dir"], _release.BEFORE)
        job.look()
        steps = _rollover.steps(job.works)
        stale = _release.differs(str(job.root), job.release_id, job.text, static=bool(module.params["static_root"])) + (
            [] if job.host().route() == job.route() and job.host().route_loaded() else ["route"]
        )
        more: dict[str, Any] = {}
        if (steps or stale) and not module.check_mode:
            switch = execute(job)
            prune(job)
            more = {
                "seconds": switch.seconds,
                **{key: switch.facts.get(key) for key in ("tasks_before", "tasks_after", "undrained")},
            }
        exit_with(job, steps, stale, more)
    except (_up.UpError, ValueError) as error:
        module.fail_json(msg=str(error))


def exit_with(job: Job, steps: list[_up.Step], stale: list[str], more: dict[str, Any]) -> None:
    """Return the result."""
    changed = bool(steps or stale)
    lines = [f"{step.service}: {step.action} ({step.reason})\n" for step in steps]
    job.module.exit_json(
        changed=changed,
        before=job.before,
        switch_before=job.switch_before,
        steps=[vars(step) for step in steps],
        stale=stale,
        diff={
            "before": f"release: {job.before or 'none'}\n" if changed else "",
            "after": "".join([f"release: {job.release_id}\n", *lines]) if changed else "",
        },
        **more,
    )


if __name__ == "__main__":
    main()
