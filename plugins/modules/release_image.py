#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have the image of a release on the host, and its candidate file beside the Compose file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_image
short_description: Has the image of a release on the host
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Takes the application from a folder of the controller (O(source)), from a git repository that the host clones (O(git)) or
    from a registry as a ready image (O(reference)); exactly one of them is given.
  - The release id follows from the content - the hash of the folder that the caller gives, the commit and the build inputs, or
    the id of the ready image - so the same content is never built or pulled twice.
  - Whatever its origin, the image is C(<repository>:<release id>) on the host afterwards.
  - At the same time brings up the services in O(beside), which the release needs and which do not depend on its image. Those
    that somebody may be using already are touched only once the image is there.
  - Writes C(releases/<id>.yaml), the Compose file that puts the image into the application's services.
extends_documentation_fragment:
  - barehost.django.lock
attributes:
  check_mode:
    description: >-
      Says whether an image would be built or pulled; sends, clones, builds and pulls nothing. It asks the git repository what a
      branch or tag means, and the registry of O(reference) for the digest. Where git or Docker is not there yet, or an image is
      only to be pulled, the release id is not known yet.
    support: full
  diff_mode:
    description: Names the image that would be built or pulled.
    support: full
  idempotent:
    description: An image that is there is not built or pulled again; a tag that moved is another release.
    support: full
options:
  project_dir:
    description: Directory of the Compose project; a clone is kept in C(source/) below it.
    type: path
    required: true
  repository:
    description: Name of the image on the host, without a tag.
    type: str
    required: true
  services:
    description: Names of the services that run the image.
    type: list
    elements: str
    required: true
  release_id:
    description: Id of the release that is built from O(source); the other origins name it themselves.
    type: str
  source:
    description: Folder on the controller that holds the Dockerfile.
    type: path
  git:
    description: Git repository that the host fetches from.
    type: dict
    suboptions:
      repository:
        description: Its URL or path, without a password.
        type: str
        required: true
      revision:
        description: Full commit id, tag or branch; a name is resolved once, and the commit decides the release.
        type: str
        required: true
      subdirectory:
        description: Folder of the repository that is the build context; empty is all of it.
        type: str
        default: ""
      username:
        description: Name that goes with O(git_token).
        type: str
        default: x-access-token
      known_hosts:
        description: Lines of a C(known_hosts) file; empty leaves those of the host.
        type: str
  git_token:
    description: Token or password for a repository over https.
    type: str
  git_ssh_key:
    description: Private key for a repository over SSH.
    type: str
  reference:
    description: Ready image in a registry, by tag or digest.
    type: str
  registry_username:
    description: Name at the registry of O(reference) or O(push_to).
    type: str
  registry_password:
    description: Its password.
    type: str
  push_to:
    description: >-
      Repository in a registry. With it the controller builds O(source) and pushes it there under the release id, and the host
      only pulls.
    type: str
  dockerfile:
    description: Path of the Dockerfile below the build context.
    type: str
    default: Dockerfile
  build_args:
    description: Build arguments; not for secrets, they stay in the image's history.
    type: dict
    default: {}
  build_secrets:
    description: BuildKit secrets, id to content. They decide nothing about the release id, and are in no layer.
    type: dict
    default: {}
  keep:
    description: >-
      Releases that stay on the host when room is made before a build or pull, the one that serves included; and as many of the
      newest dumps that were made before migrations.
    type: int
    default: 5
  timeout:
    description:
      - Seconds within which the image must be on the host, whatever it takes there - a clone, a build, a pull.
      - Where the controller builds and pushes, that has as many of its own, and with them it waits for another build of the same
        release there.
    type: int
    default: 3600
  labels:
    description: Labels of an image that is built; those of the release and its revision are added.
    type: dict
    default: {}
  beside:
    description:
      - Services that have to be up when the module ends, as M(barehost.django.compose_up) takes them - C(project), C(services),
        C(definitions), C(timeout), C(remove_orphans), C(reload), C(ahead); none without it.
    type: dict
  there:
    description: >-
      Ids of the releases whose image the host is known to have. Where O(release_id) is none of them, O(source) is sent without
      asking the host first; without it the host is asked.
    type: list
    elements: str
  context:
    description: Archive of the build context on the host. Set by the action plugin; not for playbooks.
    type: path
  pushed:
    description: Whether the controller has pushed the image. Set by the action plugin; not for playbooks.
    type: bool
    default: false
  revision:
    description: Revision of O(source). Set by the action plugin; not for playbooks.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Build the release from a folder of the controller
  barehost.django.release_image:
    project_dir: /opt/app
    repository: app/app
    release_id: 3f9a0c1b2d4e
    services: [web, worker, beat]
    source: ../app

- name: Build the release from a tag
  barehost.django.release_image:
    project_dir: /opt/app
    repository: app/app
    services: [web]
    git:
      repository: https://git.example.com/team/app.git
      revision: v1.4.0

- name: Pull the release
  barehost.django.release_image:
    project_dir: /opt/app
    repository: app/app
    services: [web]
    reference: registry.example.com/team/app:1.4.0
"""

RETURN = r"""
release_id:
  description: Id of the release; V(not-known-yet) in a dry run that cannot know it.
  type: str
  returned: always
image:
  description: Name and tag of the image on the host.
  type: str
  returned: always
built:
  description: Whether an image was built or pulled, or would be.
  type: bool
  returned: always
action:
  description: What was done for it, or would be - V(build), V(pull), or nothing.
  type: str
  returned: always
image_id:
  description: Id of the image; empty in a dry run that would build or pull it.
  type: str
  returned: always
git_revision:
  description: >-
    Revision of the source, C(+) behind it where a folder differs from it; of a ready image what its label says; empty where
    nobody knows.
  type: str
  returned: always
seconds:
  description: What the build or pull took.
  type: float
  returned: when built
beside:
  description: What was done to the services of O(beside), or would be; as M(barehost.django.compose_up) returns it.
  type: dict
  returned: where O(beside) is given
msg:
  description: What was done or found, in one line.
  type: str
  returned: always
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import (
    _bring_up,
    _build,
    _git,
    _litter,
    _lock,
    _oneshot,
    _origin,
    _prune,
    _release,
    _up,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN_REVISION = 12


def shown_revision(params: dict[str, Any], revision: str) -> str:
    """Return a revision as people read it; that of a folder comes from the action plugin."""
    return "" if params["source"] else revision[:SHOWN_REVISION]


def main() -> None:
    """Run the module."""
    git = {
        "repository": {"type": "str", "required": True},
        "revision": {"type": "str", "required": True},
        "subdirectory": {"type": "str", "default": ""},
        "username": {"type": "str", "default": "x-access-token"},
        "known_hosts": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            **_lock.ARGUMENTS,
            "keep": {"type": "int", "default": 5},
            "project_dir": {"type": "path", "required": True},
            "repository": {"type": "str", "required": True},
            "services": {"type": "list", "elements": "str", "required": True},
            "release_id": {"type": "str"},
            "source": {"type": "path"},
            "git": {"type": "dict", "options": git},
            # Not below git: Ansible logs a dictionary as Python writes it, where a key with lines is not found and hidden.
            "git_token": {"type": "str", "no_log": True},
            "git_ssh_key": {"type": "str", "no_log": True},
            "reference": {"type": "str"},
            "registry_username": {"type": "str"},
            "registry_password": {"type": "str", "no_log": True},
            "push_to": {"type": "str"},
            "dockerfile": {"type": "str", "default": "Dockerfile"},
            "build_args": {"type": "dict", "default": {}},
            "build_secrets": {"type": "dict", "default": {}, "no_log": True},
            "labels": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 3600},
            "beside": {"type": "dict"},
            "there": {"type": "list", "elements": "str"},
            "context": {"type": "path"},
            "pushed": {"type": "bool", "default": False},
            "revision": {"type": "str", "default": ""},
        },
        required_one_of=[("source", "git", "reference")],
        mutually_exclusive=[("source", "git", "reference"), ("push_to", "git"), ("push_to", "reference")],
        required_by={"source": ["release_id"], "push_to": ["source"]},
        supports_check_mode=True,
    )
    _lock.step_until_exit(module, module.params["project_dir"], "image")
    there = frozenset(name for name in ("docker", "git") if module.get_bin_path(name) is not None)
    root = Path(module.params["project_dir"])
    # First of all: what killed runs left may be what fills the disk, or a password.
    for problem in _litter.clear(root, module.params["context"]):
        module.warn(f"removing what killed runs left: {problem}")
    try:
        with _litter.work_folder(root, module.tmpdir) as tmpdir:
            origin = _origin.Origin(runner(module), module.params, tmpdir, there, check=module.check_mode)
            outcome, task = find_beside(module, origin)
    except (_build.ImageError, _git.GitError, _up.UpError) as error:
        module.fail_json(msg=str(error))
    if outcome.needs:
        module.exit_json(changed=False, needs=outcome.needs)
    finish(module, outcome, task)


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
            task.act()
    elif task.decide().only_new:
        with ThreadPoolExecutor(1) as pool:
            up = pool.submit(task.act)
            outcome = origin.find()
        up.result()
    else:
        outcome = origin.find()
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


def finish(module: AnsibleModule, outcome: _origin.Outcome, task: _bring_up.BringUp | None) -> None:
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
        changed = changed or bool(result["beside"]["steps"])
        after += task.text()
    module.exit_json(changed=changed, diff={"before": "", "after": after}, **result)


if __name__ == "__main__":
    main()
