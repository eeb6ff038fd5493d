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
  - barehost.django.engine
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
  image_id:
    description: Id of the image, for a dry run in which it has no name yet.
    type: str
    default: ""
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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _asleep, _lock, _run_switch


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **_lock.ARGUMENTS,
            **_asleep.ARGUMENTS,
            "project_dir": {"type": "path", "required": True},
            **_run_switch.OPTIONS,
        },
        supports_check_mode=True,
    )
    _lock.step_until_exit(module, module.params["project_dir"], _run_switch.STEP)
    _asleep.listen(module)
    module.exit_json(**_run_switch.run(module))


if __name__ == "__main__":
    main()
