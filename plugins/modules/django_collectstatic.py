#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Collect the static files of a release."""

from __future__ import annotations

DOCUMENTATION = r"""
module: django_collectstatic
short_description: Collects the static files of a release into a directory of its own
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Runs Django's C(collectstatic) in a one-shot container of the app, into a fresh directory on the host that is
    mounted at O(static_root), whatever the app's settings say.
  - The directory becomes O(dest) by a rename, once it is whole and on the disk. An existing O(dest) is whole and
    left alone.
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.oneshot
attributes:
  check_mode:
    description: Reports a change where O(dest) is missing; which files there will be is not known before.
    support: full
  diff_mode:
    description: Shows the files that the release adds, removes and changes in comparison with the current one.
    support: full
  idempotent:
    description: A release whose files are there is not collected again.
    support: full
options:
  release_id:
    description: Id of the release.
    type: str
    required: true
  dest:
    description: Directory that receives the files; C(static/<release_id>) below O(project_dir) where it is not given.
    type: path
  current:
    description: Directory of the current release, for the diff; C(current) beside O(dest) where it is not given.
    type: path
  static_root:
    description: Where the directory is mounted in the container.
    type: str
    default: /app/staticfiles
  timeout:
    description: Seconds after which the container is stopped.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Collect the static files of the new release
  barehost.django.django_collectstatic:
    project_dir: /opt/shop
    compose_files:
      - /opt/shop/compose.yaml
      - /opt/shop/releases/0a1b2c3d4e5f.yaml
    release_id: 0a1b2c3d4e5f
"""

RETURN = r"""
directory:
  description: Directory of the files.
  type: str
  returned: always
files:
  description: How many files it holds.
  type: int
  returned: success
bytes:
  description: How large they are together.
  type: int
  returned: success
added:
  description: How many files the current release does not have.
  type: int
  returned: when collected
removed:
  description: How many files only the current release has.
  type: int
  returned: when collected
differing:
  description: How many files differ from those of the current release.
  type: int
  returned: when collected
error:
  description: Name of the class of the error.
  type: str
  returned: on a failure that Django reported
detail:
  description: Traceback and last output.
  type: str
  returned: on failure
"""

import re
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _lock, _oneshot, _program_collectstatic, _static

ARGUMENTS: dict[str, Any] = {
    **_oneshot.ARGUMENTS,
    **_lock.ARGUMENTS,
    "release_id": {"type": "str", "required": True},
    "dest": {"type": "path"},
    "current": {"type": "path"},
    "static_root": {"type": "str", "default": "/app/staticfiles"},
    "timeout": {"type": "int", "default": 300},
}
RELEASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


def paths_of(params: dict[str, Any]) -> tuple[Path, Path]:
    """Return the directory of this release and that of the current one."""
    dest = Path(params["dest"] or Path(params["project_dir"], "static", params["release_id"]))
    return dest, Path(params["current"] or dest.parent / "current")


def problem_of(params: dict[str, Any], dest: Path) -> str | None:
    """Say which parameter cannot be used."""
    if not RELEASE_ID.match(params["release_id"]) or params["release_id"] == "current":
        return f"release_id {params['release_id']!r} is none: letters, digits, dots and dashes, and not 'current'"
    if not params["static_root"].startswith("/") or ":" in params["static_root"]:
        return f"static_root {params['static_root']!r} is no absolute path in a container: start it with /"
    if dest.exists() and not dest.is_dir():
        return f"{dest} is in the way: it is no directory; move it away"
    return None


def collect(module: AnsibleModule, dest: Path) -> None:
    """Collect into a directory beside the target, and rename it."""
    project = _oneshot.Project.from_params(module.params)
    seconds = module.params["timeout"]
    name = _oneshot.container_name("static")
    staging = _static.make_staging(dest)
    try:
        volume = f"{staging}:{module.params['static_root']}"
        answer = _oneshot.run_program(
            module,
            # Root, as it is the directory's owner: no user id of an image needs to be known out here.
            _oneshot.oneshot_cmd(project, name, user="0:0", volumes=[volume]),
            _program_collectstatic,
            {"settings_module": project.settings_module, "static_root": module.params["static_root"]},
            seconds=seconds,
            container=name,
        )
        if answer.first("done") is None:
            error = (answer.first("failed") or {}).get("error")
            message = _oneshot.explain(answer, "collecting static files", seconds)
            module.fail_json(msg=message, error=error, detail=_oneshot.detail(answer), directory=str(dest))
        _static.settle(staging, dest)
    finally:
        # After the rename there is nothing left of it.
        shutil.rmtree(staging, ignore_errors=True)


def main() -> None:
    """Collect where it is needed."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    _lock.step_until_exit(module, module.params["project_dir"], "static files")
    dest, current = paths_of(module.params)
    problem = problem_of(module.params, dest)
    if problem:
        module.fail_json(msg=problem)
    if dest.is_dir():
        there = _static.census(dest)
        message = f"the static files of {module.params['release_id']} are there"
        module.exit_json(changed=False, msg=message, directory=str(dest), files=there.files, bytes=there.bytes)
    if module.check_mode:
        module.exit_json(
            changed=True,
            msg=f"the static files of {module.params['release_id']} would be collected",
            directory=str(dest),
            files=0,
            bytes=0,
            diff={"before": "", "after": f"{dest}/ (which files cannot be known yet)\n"},
        )
    _oneshot.need_docker(module)
    collect(module, dest)
    there = _static.census(dest)
    if not there.files:
        module.warn("collectstatic put no file into its directory: does the app's storage send them elsewhere?")
    difference = _static.compare(current, dest)
    module.exit_json(
        changed=True,
        msg=f"{there.files} static files collected",
        directory=str(dest),
        files=there.files,
        bytes=there.bytes,
        added=len(difference.added),
        removed=len(difference.removed),
        differing=len(difference.changed),
        diff={"before_header": str(current), "after_header": str(dest), "before": "", "after": difference.text()},
    )


if __name__ == "__main__":
    main()
