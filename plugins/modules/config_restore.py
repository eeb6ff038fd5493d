#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Give the services of a stack the configuration that they had before a deploy that has failed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_restore
short_description: Puts the configuration of before back after a deploy that has failed
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Puts the files back that M(barehost.django.config_tree) has replaced since a deploy last came to a good end, makes the data
    services and the edge anew that were made from other ones, and has those load their files that only have to load them.
  - Does nothing where the image of a service was changed, since its data may be of the new version, nor where one of them is
    still at it, as a MySQL that recovers; RV(left) says why.
  - The services of the release itself are not touched, M(barehost.django.release_switch) takes them back.
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.project
  - barehost.django.project.name
attributes:
  check_mode:
    description: Does nothing, as a dry run has replaced nothing.
    support: full
  diff_mode:
    description: The files are those of before, which the run that replaced them has shown.
    support: none
  idempotent:
    description: What has gone back does so once.
    support: full
options:
  timeout:
    description: Seconds within which every service must be healthy.
    type: int
    default: 180
  edge:
    description: The service that takes up changed files by a reload; without it none is asked to.
    type: dict
    suboptions:
      service: {description: Name of the service., type: str, required: true}
      test: {description: Command inside the container that must accept the files before the reload., type: list, elements: str, required: true}
      command: {description: Command inside the container that reloads., type: list, elements: str, required: true}
"""

EXAMPLES = r"""
- name: Give the services the configuration that they had
  barehost.django.config_restore:
    project_dir: /opt/app
    project: app
"""

RETURN = r"""
files:
  description: The files that were put back, below O(project_dir).
  type: list
  elements: str
  returned: success
services:
  description: The services that were made anew.
  type: list
  elements: str
  returned: success
left:
  description: Why nothing was put back; empty where it was, or where there was nothing to put back.
  type: str
  returned: success
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _lock, _up, _upgrade_state, _way_back

EDGE: dict[str, Any] = {
    "service": {"type": "str", "required": True},
    "test": {"type": "list", "elements": "str", "required": True},
    "command": {"type": "list", "elements": "str", "required": True},
}
ARGUMENTS: dict[str, Any] = {
    **_lock.ARGUMENTS,
    "project_dir": {"type": "path", "required": True},
    "project": {"type": "str", "required": True},
    "timeout": {"type": "int", "default": 180},
    "edge": {"type": "dict", "options": EDGE},
}
TIERS = ("data", "edge")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    if module.check_mode:
        module.exit_json(changed=False, files=[], services=[], left="")
    _lock.step_until_exit(module, params["project_dir"], "restore")
    files = _up.compose_files(params["project_dir"])
    engine = _up.Engine(module.run_command, params["project_dir"], files, params["project"])
    try:
        # What was cut off before must not meet a server on the way.
        cut_off = _upgrade_state.load(engine.root)
        _upgrade_state.recover(engine)
        containers = [c for c in engine.containers() if c.labels.get(_up.TIER_LABEL) in TIERS]
        services = sorted({c.service for c in containers})
        there = _way_back.There.of(containers)
        back = _way_back.WayBack(engine, services, there, params["timeout"]).restore(params["edge"])
        if cut_off and cut_off.phase != _upgrade_state.STARTING and back.services:
            _upgrade_state.forget_copy(cut_off)
    except (_up.UpError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(back.files), files=list(back.files), services=list(back.services), left=back.left)


if __name__ == "__main__":
    main()
