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
  reject:
    description:
      - Why the release that serves now is left; empty where it is not to blame. A release that was rejected is not gone back
        to unless it is named, and does not count among those that are kept.
    type: str
    default: ""
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
  description:
    - Id of the release that there is to go back to; empty where there is none. It is the one that served before, also where
      an earlier run has switched and did not come to its end.
  type: str
  returned: always
switch_before:
  description: The services, edge, tasks and static root with which that release was started; empty where there was none.
  type: dict
  returned: always
returnable:
  description: Whether this run, or one before it that did not come to its end, has switched what serves.
  type: bool
  returned: always
steps:
  description: What was done, or would be done, for each service.
  type: list
  elements: dict
  returned: always
routes:
  description: Whether the service in front got another route, with which it loads all its other files, or would get one.
  type: bool
  returned: success
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
  description: Id of the release that serves now.
  type: str
  returned: always
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _lock, _prune, _release, _rollover, _switch, _up
from ansible_collections.barehost.django.plugins.module_utils._switch_job import Job

ARGUMENTS: dict[str, Any] = {
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
    "reject": {"type": "str", "default": ""},
    "details": {"type": "dict", "default": {}},
}


def execute(job: Job) -> _switch.Switch:
    """Switch; what fails is taken back, and said."""
    host = job.host()
    timeouts = _switch.Timeouts(health=job.params["timeout"], drain=job.params["drain_timeout"])
    switch = _switch.Switch(host, job.target(host), timeouts)
    try:
        switch.run()
    except _switch.SwitchError as error:
        fail(job, error)
    tidy(job)
    if switch.facts["undrained"]:
        job.module.warn(
            f"{switch.facts['undrained']} processes of {job.params['edge']['service']} still had requests in hand after "
            f"{job.params['drain_timeout']} s; these were ended within the old containers' grace"
        )
    return switch


def fail(job: Job, error: _switch.SwitchError) -> None:
    """End with what went wrong, and what serves now."""
    message = (
        f"release {job.release_id} was not accepted in step {error.step}; "
        f"{error.stands(job.release_id, job.serving)}: {error}"
    )
    if not error.committed and job.serving:
        try:
            _release.restore_files(str(job.root))
        except OSError as trouble:
            message += f"; the settings of release {job.serving} could not be put back ({trouble})"
    job.module.fail_json(
        msg=message,
        changed=error.committed,
        failed_step=error.step,
        **stands(job, switched=error.committed),
    )


# What gives a service other containers.
REPLACES = frozenset({"create", "recreate"})


def stands(job: Job, *, switched: bool = False) -> dict[str, Any]:
    """Return what serves, and what there is to go back to."""
    return {
        "before": job.before["id"],
        "switch_before": job.before["switch"],
        "returnable": switched or job.resumed,
        "serving": job.release_id if switched else job.serving,
    }


def tidy(job: Job) -> None:
    """Note the end, and remove what is not kept any more: the release serves, so trouble with that is a warning."""
    repository = job.params["image"].rpartition(":")[0]
    # A host whose verify fails, or another host's, still has to come back to what served before.
    always = [job.release_id, job.before["id"]]
    try:
        job.note("done")
        _, problems = _prune.prune(job.module.run_command, job.root, repository, keep=job.params["keep"], always=always)
        _release.drop_settings(str(job.root))
    except OSError as error:
        problems = [str(error)]
    for problem in problems:
        job.module.warn(f"pruning earlier releases: {problem}")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    _lock.step_until_exit(module, module.params["project_dir"], "switch")
    job = None
    try:
        job = Job(module)
        if module.check_mode and (module.get_bin_path("docker") is None or not job.engine.answers()):
            steps = [_up.Step(service.name, "create", "nothing is deployed yet") for service in job.services]
            exit_with(job, steps, ["everything"], {})
        if module.params["settings_before"] and not module.check_mode:
            settings = (job.serving_record.get("before") or {}).get(_release.SETTINGS, "")
            _release.restore_files(module.params["project_dir"], settings)
        job.look()
        steps = _rollover.steps(job.works)
        stale = _release.differs(str(job.root), job.release_id, job.text, static=bool(module.params["static_root"])) + (
            [] if job.host().route() == job.route() and job.host().route_loaded() else ["route"]
        )
        more: dict[str, Any] = {}
        if (steps or stale) and not module.check_mode:
            switch = execute(job)
            more = {
                "seconds": switch.seconds,
                **{key: switch.facts.get(key) for key in ("tasks_before", "tasks_after", "undrained")},
            }
        exit_with(job, steps, stale, more)
    except (_up.UpError, OSError, ValueError) as error:
        module.fail_json(msg=str(error), **(stands(job) if job else {}))


def routes(job: Job, steps: list[_up.Step], stale: list[str]) -> bool:
    """Whether the edge gets another route, with which it loads all its other files too."""
    routed = {service.name for service in job.services if service.routed}
    return "route" in stale or any(step.service in routed and step.action in REPLACES for step in steps)


def exit_with(job: Job, steps: list[_up.Step], stale: list[str], more: dict[str, Any]) -> None:
    """Return the result."""
    changed = bool(steps or stale)
    lines = [f"{step.service}: {step.action} ({step.reason})\n" for step in steps]
    job.module.exit_json(
        changed=changed,
        steps=[vars(step) for step in steps],
        stale=stale,
        diff={
            "before": f"release: {job.serving or 'none'}\n" if changed else "",
            "after": "".join([f"release: {job.release_id}\n", *lines]) if changed else "",
        },
        routes=routes(job, steps, stale),
        **stands(job, switched=changed and not job.module.check_mode),
        **more,
    )


if __name__ == "__main__":
    main()
