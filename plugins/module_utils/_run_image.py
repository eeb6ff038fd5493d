# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Having the image of a release on the host, and the services beside it up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _bring_up,
    _build,
    _git,
    _litter,
    _oneshot,
    _origin,
    _prune,
    _release,
    _up,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible.module_utils.basic import AnsibleModule

# What the options of `git` are.
GIT: dict[str, Any] = {
    "repository": {"type": "str", "required": True},
    "revision": {"type": "str", "required": True},
    "subdirectory": {"type": "str", "default": ""},
    "username": {"type": "str", "default": "x-access-token"},
    "known_hosts": {"type": "str"},
}
# Never below another option: Ansible logs a dictionary as Python writes it, where a key with lines is not found and hidden.
SECRETS: dict[str, Any] = {
    "git_token": {"type": "str", "no_log": True},
    "git_ssh_key": {"type": "str", "no_log": True},
    "registry_password": {"type": "str", "no_log": True},
    "build_secrets": {"type": "dict", "default": {}, "no_log": True},
}
OPTIONS: dict[str, Any] = {
    "keep": {"type": "int", "default": 5},
    "repository": {"type": "str", "required": True},
    "services": {"type": "list", "elements": "str", "required": True},
    "release_id": {"type": "str"},
    "source": {"type": "path"},
    "git": {"type": "dict", "options": GIT},
    "reference": {"type": "str"},
    "registry_username": {"type": "str"},
    "push_to": {"type": "str"},
    "dockerfile": {"type": "str", "default": "Dockerfile"},
    "build_args": {"type": "dict", "default": {}},
    "labels": {"type": "dict", "default": {}},
    "timeout": {"type": "int", "default": 3600},
    "beside": {"type": "dict"},
    "there": {"type": "list", "elements": "str"},
    "context": {"type": "path"},
    "pushed": {"type": "bool", "default": False},
    "revision": {"type": "str", "default": ""},
}
RULES: dict[str, Any] = {
    "required_one_of": [("source", "git", "reference")],
    "mutually_exclusive": [("source", "git", "reference"), ("push_to", "git"), ("push_to", "reference")],
    "required_by": {"source": ["release_id"], "push_to": ["source"]},
}
STEP = "image"

SHOWN_REVISION = 12


def shown_revision(params: dict[str, Any], revision: str) -> str:
    """Return a revision as people read it; that of a folder comes from the action plugin."""
    return "" if params["source"] else revision[:SHOWN_REVISION]


def run(module: AnsibleModule) -> dict[str, Any]:
    """Have the image; return what the module returns."""
    there = frozenset(name for name in ("docker", "git") if module.get_bin_path(name) is not None)
    root = Path(module.params["project_dir"])
    # First of all: what killed runs left may be what fills the disk, or a password.
    for problem in _litter.clear(root, module.params["context"]):
        module.warn(f"removing what killed runs left: {problem}")
    try:
        with _litter.work_folder(root, module.tmpdir) as tmpdir:
            origin = _origin.Origin(runner(module), module.params, tmpdir, there, check=module.check_mode)
            outcome, task = find_beside(module, origin)
        if outcome.needs:
            return {"changed": False, "needs": outcome.needs}
        return finish(module, outcome, task)
    except (_build.ImageError, _git.GitError, _up.UpError, OSError) as error:
        module.fail_json(msg=str(error))
        raise


def find_beside(module: AnsibleModule, origin: _origin.Origin) -> tuple[_origin.Outcome, _bring_up.BringUp | None]:
    """Have the image, and the services beside it: at the same time where nobody uses these yet, otherwise afterwards."""
    if module.params["beside"] is None:
        return origin.find(), None
    try:
        task = _bring_up.BringUp.beside(module, module.params["beside"])
    except ValueError as error:
        module.fail_json(msg=f"beside: {error}")
    if origin.asks_first:
        outcome = origin.find()
        if not outcome.needs:
            task.decide()
            task.validate_ahead()
            task.act()
    elif task.decide().only_new:
        with ThreadPoolExecutor(2) as pool:
            beside = [pool.submit(task.validate_ahead), pool.submit(task.act)]
            outcome = origin.find()
        for part in beside:
            part.result()
    else:
        task.see_to_accounts()
        outcome = origin.find()
        task.validate_ahead()
        task.act()
    if task.settled and outcome.action and not module.check_mode:
        # They were well before the image was made, which took its time and its memory.
        task.decide()
        task.act()
    return outcome, task


def runner(module: AnsibleModule) -> _git.Runner:
    """Return what runs the commands that have an image be there, all of them together within the time that they have."""
    limit = _build.Deadline(module.params["timeout"])
    timeout = module.get_bin_path("timeout", required=True)

    def run(argv: list[str], env: Mapping[str, str], data: str | None) -> tuple[int, str, str]:
        if "build" in argv[:2] or "pull" in argv[:2]:
            make_room(module)
        limited = _oneshot.limited(argv, limit.rest(), timeout)
        code, out, err = module.run_command(limited, environ_update=dict(env), data=data)
        code = _oneshot.as_a_shell_says(code)
        if code in (_oneshot.TIMED_OUT, _oneshot.KILLED) and limit.over():
            raise limit.late(argv, err or out)
        return code, out, err

    return run


def make_room(module: AnsibleModule) -> None:
    """Remove what is not kept any more before the disk is needed; trouble with that is a warning."""
    params = module.params
    root = Path(params["project_dir"])
    current = _release.current_record(params["project_dir"]) or {}
    always = [str(current.get("id", "")), params["release_id"] or ""]
    _, problems = _prune.prune(module.run_command, root, params["repository"], keep=params["keep"], always=always)
    for problem in problems:
        module.warn(f"pruning earlier releases: {problem}")


def finish(module: AnsibleModule, outcome: _origin.Outcome, task: _bring_up.BringUp | None) -> dict[str, Any]:
    """Write the candidate file and report."""
    params = module.params
    candidate = _release.candidate_path(params["project_dir"], outcome.release_id)
    text = _release.override_text(outcome.release_id, outcome.image, params["services"])
    stale = not candidate.exists() or candidate.read_text(encoding="utf-8") != text
    if stale and not module.check_mode:
        Path(params["project_dir"]).mkdir(mode=0o750, parents=True, exist_ok=True)
        _release.write_text(candidate, text)
    record = _release.record_path(params["project_dir"], outcome.release_id)
    if not record.exists() and not module.check_mode:
        _release.update_record(record, outcome.release_id, outcome.image, {"step": "image"})
    result: dict[str, Any] = {
        "release_id": outcome.release_id,
        "image": outcome.image,
        "image_id": outcome.found.id if outcome.found else "",
        "built": bool(outcome.action),
        "action": outcome.action,
        "git_revision": shown_revision(params, outcome.revision),
        "msg": outcome.msg or f"image {outcome.image}: {outcome.action or 'there'}",
    }
    if outcome.action and not module.check_mode:
        result["seconds"] = outcome.seconds
    after = f"image {outcome.image}: {outcome.action}\n" if outcome.action else ""
    changed = bool(outcome.action or stale)
    if task:
        result["beside"] = task.result()
        changed = changed or bool(result["beside"]["steps"] or result["beside"].get("accounts"))
        after += task.text()
    return {"changed": changed, "diff": {"before": "", "after": after}, **result}
