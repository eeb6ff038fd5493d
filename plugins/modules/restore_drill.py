#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Load a backup of a stack into a throw-away server, and see that all of it comes back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_drill
short_description: Sees that a backup of a stack comes back
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Does what the stack's timer does, with the settings that the last deploy has installed in C(backup/settings.json).
  - Checks the files of the backup, and that its manifest is the one that the audit log knows. Loads the dump into a server of the
    stack's own image that has no network, and whose data lie on a volume of their own. Counts the rows of each table. Lets
    the release that made the backup look whether a migration is missing, and read a row of each of its models.
  - What serves is not touched. The container and its volume are removed; what a drill that was killed has left, by the next one.
  - Waits for a deploy that is at work.
extends_documentation_fragment:
  - barehost.django.project
attributes:
  check_mode:
    description: Checks the files of the backup, its manifest, and the space on the disk, and starts no server.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: It changes nothing but what is noted of the last drill.
    support: full
options:
  backup:
    description: Id of the backup; the newest one where it is empty.
    type: str
    default: ""
  given:
    description: What the variables of this run say, by their names. Those that are not what a deploy has installed are warned about.
    type: dict
    default: {}
  who:
    description: What the audit log says who wanted it.
    type: str
    default: playbook
"""

EXAMPLES = r"""
- name: See that the newest backup comes back
  barehost.django.restore_drill:
    project_dir: /opt/shop
"""

RETURN = r"""
drill:
  description: >-
    The C(id) of the backup and its C(age_seconds), how many C(rows) in how many C(tables) came back, what the C(app) has read, and
    the C(seconds) of each stage.
  type: dict
  returned: when it was done
msg:
  description: What was done, or would be.
  type: str
  returned: always
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _backup_settings, _drill_run, _work


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "project_dir": {"type": "path", "required": True},
            "backup": {"type": "str", "default": ""},
            "given": {"type": "dict", "default": {}},
            "who": {"type": "str", "default": "playbook"},
        },
        supports_check_mode=True,
    )
    _work.stoppable()
    try:
        settings = _backup_settings.load(Path(module.params["project_dir"]))
        said = _backup_settings.not_deployed(settings, module.params["given"])
        if said:
            module.warn(said)
        if module.check_mode:
            module.exit_json(changed=False, msg=_drill_run.foresee(settings, module.params["backup"]))
        report = _drill_run.run(settings, module.params["who"], module.params["backup"])
    except (*_drill_run.Trouble, _backup_settings.SettingsError) as error:
        module.fail_json(msg=f"the restore drill has failed: {_work.sentence(error)}")
        raise
    for warning in report.warnings:
        module.warn(warning)
    described = {key: value for key, value in vars(report).items() if key != "warnings"}
    module.exit_json(changed=False, msg=report.message, drill=described)


if __name__ == "__main__":
    main()
