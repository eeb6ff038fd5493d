# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Letting the application's services run a release, and recording it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _compose, _prune, _release, _rollover, _switch, _up
from ansible_collections.barehost.django.plugins.module_utils._switch_job import Job

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

STEP = "switch"
OPTIONS: dict[str, Any] = {
    "project": {"type": "str", "required": True},
    "release_id": {"type": "str", "required": True},
    "image": {"type": "str", "required": True},
    "image_id": {"type": "str", "default": ""},
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
    # Before anything is counted on it: it goes on with its old route, and its requests have to be drained like any other's.
    host.wake_edge()
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


def run(module: AnsibleModule) -> dict[str, Any]:
    """Switch where that is needed; return what the module returns."""
    job = None
    try:
        job = Job(module)
        if module.check_mode and nothing_there(job):
            steps = [_up.Step(service.name, "create", "nothing is deployed yet") for service in job.services]
            return result_of(job, steps, ["everything"], {})
        if module.params["settings_before"] and not module.check_mode:
            settings = _release.before_of(job.serving_record).get(_release.SETTINGS, "")
            _release.restore_files(module.params["project_dir"], settings)
        return converge(job)
    except (_up.UpError, OSError, ValueError) as error:
        module.fail_json(msg=str(error), **(stands(job) if job else {}))
        raise


def nothing_there(job: Job) -> bool:
    """Whether a dry run has nothing to compare with yet, and the real run has by then."""
    if not (job.root / _compose.BASE_FILE).exists():
        return True
    # Where nobody starts the engine first, that it does not answer is what the real run is refused for.
    first = job.module.params["engine_first"]
    return first and (job.module.get_bin_path("docker") is None or not job.engine.answers())


def converge(job: Job) -> dict[str, Any]:
    """Compare what runs with what is wanted, and switch where they differ."""
    job.look()
    host = job.host()
    steps = _rollover.steps(job.works)
    stale = _release.differs(str(job.root), job.release_id, job.text, static=bool(job.params["static_root"])) + (
        [] if host.route() == job.route() and host.route_loaded() else ["route"]
    )
    more: dict[str, Any] = {}
    if (steps or stale) and not job.module.check_mode:
        switch = execute(job)
        more = {
            "seconds": switch.seconds,
            **{key: switch.facts.get(key) for key in ("tasks_before", "tasks_after", "undrained")},
        }
    return result_of(job, [*steps, *edge_steps(job, steps, stale)], stale, more)


def edge_steps(job: Job, steps: list[_up.Step], stale: list[str]) -> list[_up.Step]:
    """Return what a switch does to an edge that does not run, or would not see another route.

    It goes on with any; with another route it is started, or made anew.
    """
    found = [c for c in job.containers if job.edge and c.service == job.edge.service]
    if not found or not (steps or stale):
        return []
    if found[0].detached and routes(job, steps, stale):
        return [_up.Step(found[0].service, "recreate", _up.why_detached(found[0]))]
    if found[0].paused:
        return [_up.Step(found[0].service, "unpause", "it is paused")]
    stopped = not found[0].running and found[0].state != "restarting"
    return (
        [_up.Step(found[0].service, "start", f"it is {found[0].state}")]
        if stopped and routes(job, steps, stale)
        else []
    )


def routes(job: Job, steps: list[_up.Step], stale: list[str]) -> bool:
    """Whether the edge gets another route, with which it loads all its other files too."""
    routed = {service.name for service in job.services if service.routed}
    return "route" in stale or any(step.service in routed and step.action in REPLACES for step in steps)


def result_of(job: Job, steps: list[_up.Step], stale: list[str], more: dict[str, Any]) -> dict[str, Any]:
    """Return the result."""
    changed = bool(steps or stale)
    lines = [f"{step.service}: {step.action} ({step.reason})\n" for step in steps]
    return {
        "changed": changed,
        "steps": [vars(step) for step in steps],
        "stale": stale,
        "diff": {
            "before": f"release: {job.serving or 'none'}\n" if changed else "",
            "after": "".join([f"release: {job.release_id}\n", *lines]) if changed else "",
        },
        "routes": routes(job, steps, stale),
        **stands(job, switched=changed and not job.module.check_mode),
        **more,
    }
