#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Upgrade the stack's MySQL, with a way back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_upgrade
short_description: Upgrades the stack's MySQL to another version, with a copy of its data as the way back
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Refuses what MySQL does not go through in one step, and says through which series it has to pass. Refuses where a dump and a
    copy of the data would not fit on the disk.
  - Dumps the schema, has the server write no more, counts its rows, stops it with everything on the disk, and keeps a copy of
    the data directory below C(backups/).
  - Starts the new version on the data in a container that nobody reaches, checks every table, compares the rows, and lets the
    application's account in. Only then it is started for the application.
  - Where any of that fails, the copy is put in place and the earlier version serves again. A run that was cut off is taken back
    by the next one, or brought to its end where the new version had proven itself.
  - The Compose file has to name the new image by then, as M(barehost.django.config_tree) leaves it.
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.project
  - barehost.django.project.name
attributes:
  check_mode:
    description: Refuses what a real run would, says what it would do, and does nothing.
    support: full
  diff_mode:
    description: Shows from which version to which one.
    support: full
  idempotent:
    description: A server that is of the version already is left alone.
    support: full
options:
  service:
    description: Service that the server runs in.
    type: str
    default: mysql
  image:
    description: Image that it is to have.
    type: str
    required: true
  database:
    description: Schema that is dumped, and whose rows are compared; with an empty one neither is done.
    type: str
    default: ""
  volumes:
    description: Volumes of the service, as its dictionary says them.
    type: list
    elements: dict
    required: true
  command:
    description: Command of the service, as its dictionary says it.
    type: list
    elements: str
    default: []
  user:
    description: User that the service runs as, as its dictionary says it.
    type: str
    default: ""
  box:
    description: Options of C(docker run) for the container in which the new version is tried; see P(barehost.django.service_box#filter).
    type: list
    elements: str
    default: []
  guard:
    description: What keeps the service from data that is not for it, as its dictionary says it.
    type: dict
    required: true
    suboptions:
      volume: {description: Volume with its data., type: str, required: true}
      marker: {description: File in it that says that its first initialisation has come to its end., type: str, required: true}
      versions: {description: Rules by which its version is judged., type: str, required: true, choices: [mysql]}
  healthcheck:
    description: Command inside the container that succeeds once the application is let in.
    type: list
    elements: str
    required: true
  changing:
    description:
      - Names of the secrets that this run has made or replaced, or would. With one among them that the server is asked with, or
        with one that an earlier run has replaced and not brought to its end, nothing is upgraded.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that each of the long steps may take, which are the dump, the clean shutdown and the first start.
    type: int
    default: 3600
"""

EXAMPLES = r"""
- name: Upgrade MySQL
  barehost.django.mysql_upgrade:
    project_dir: /opt/shop
    project: shop
    image: mysql:9.7
    database: shop
    volumes: "{{ stack_services.mysql.volumes }}"
    user: "{{ stack_services.mysql.user | default('') }}"
    box: "{{ stack_services.mysql | barehost.django.service_box }}"
    guard: "{{ stack_services.mysql.guard }}"
    healthcheck: "{{ stack_services.mysql.healthcheck.command }}"
"""

RETURN = r"""
msg:
  description: What was done, or why nothing had to be.
  type: str
  returned: always
dump:
  description: File of the dump that was made before; empty where none was.
  type: str
  returned: success
copy:
  description: Directory that keeps the data of before; empty where nothing was upgraded.
  type: str
  returned: success
down_seconds:
  description: For how long the application had no database that it could write to.
  type: float
  returned: success
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _compose, _guard, _lock, _run_upgrade, _up

GUARD: dict[str, Any] = {
    "volume": {"type": "str", "required": True},
    "marker": {"type": "str", "required": True},
    "versions": {"type": "str", "required": True, "choices": ["mysql"]},
}
ARGUMENTS: dict[str, Any] = {
    **_lock.ARGUMENTS,
    "project_dir": {"type": "path", "required": True},
    "project": {"type": "str", "required": True},
    "service": {"type": "str", "default": "mysql"},
    "image": {"type": "str", "required": True},
    "database": {"type": "str", "default": ""},
    "volumes": {"type": "list", "elements": "dict", "required": True},
    "command": {"type": "list", "elements": "str", "default": []},
    "user": {"type": "str", "default": ""},
    "box": {"type": "list", "elements": "str", "default": []},
    "guard": {"type": "dict", "options": GUARD, "required": True},
    "healthcheck": {"type": "list", "elements": "str", "required": True},
    "changing": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 3600},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    _lock.step_until_exit(module, params["project_dir"], "upgrade of MySQL")
    files = _up.compose_files(params["project_dir"])
    engine = _up.Engine(module.run_command, params["project_dir"], files, params["project"])
    (guarded,) = _guard.guarded(params["project"], [{"service": params["service"], **params["guard"]}])
    upgrade = _run_upgrade.Upgrade(module, engine, guarded)
    bare = not (Path(params["project_dir"]) / _compose.BASE_FILE).exists() or module.get_bin_path("docker") is None
    if module.check_mode and bare:
        module.exit_json(**upgrade.nothing("nothing is deployed yet"))
    try:
        module.exit_json(**upgrade.go())
    except _run_upgrade.PROBLEMS as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
