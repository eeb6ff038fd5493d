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
  - Creates, recreates, starts or unpauses the services in O(services) that are not what the Compose files say, and waits until they
    are healthy. Services that are not named are not touched, dependencies included.
  - Compares the hash, the image and the state of each container before acting, so that C(changed) is true exactly when a
    container is created, recreated, started, unpaused or reloaded.
  - An edge that has a folder of the host mounted which was deleted or moved away and made anew since is recreated, since it would
    reload what was in the one of before.
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.engine
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
  images:
    description: Image of each service in O(services) and O(ahead). With it, and O(definitions), the files are not read at all.
    type: dict
    default: {}
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
      stamp:
        description: File below O(project_dir) with the digest of what the service loads when it is started; for a dry run alone.
        type: str
        default: ""
      test: {description: Command inside the container that must accept the files before the reload., type: list, elements: str, required: true}
      command: {description: Command inside the container that reloads., type: list, elements: str, required: true}
  switched:
    description:
      - What M(barehost.django.release_switch) has done before this call in the same run, which a dry run cannot see. It lets an
        edge go on that is paused and, where it gives it another route, starts one that is stopped and has it load its files, or
        makes one anew that would not see them.
      - In a real run it says nothing.
    type: dict
    suboptions:
      service: {description: The service in front., type: str, required: true}
      routed: {description: Whether it was given another route., type: bool, required: true}
      remade: {description: Whether it was made anew., type: bool, default: false}
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

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _asleep, _bring_up, _credentials, _lock, _up

SWITCHED: dict[str, Any] = {
    "service": {"type": "str", "required": True},
    "routed": {"type": "bool", "required": True},
    "remade": {"type": "bool", "default": False},
}
ARGUMENTS: dict[str, Any] = {
    **_lock.ARGUMENTS,
    **_asleep.ARGUMENTS,
    **_bring_up.WISH,
    "project_dir": {"type": "path", "required": True},
    "project": {"type": "str", "required": True},
    "switched": {"type": "dict", "options": SWITCHED},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    _lock.step_until_exit(module, params["project_dir"], f"start {', '.join(params['services'])}")
    _asleep.listen(module)
    try:
        task = _bring_up.BringUp(module, params)
        task.decide()
        task.act()
    except (_up.UpError, _credentials.AccountsError) as error:
        module.fail_json(msg=str(error))
    result = task.result()
    module.exit_json(
        changed=bool(result["steps"] or result.get("accounts")), diff={"before": "", "after": task.text()}, **result
    )


if __name__ == "__main__":
    main()
