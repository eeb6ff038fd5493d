#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make a backup of a stack."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_backup
short_description: Makes a backup of a stack on its host
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Does what the stack's timer does, with the settings that the last deploy has installed in C(backup/settings.json).
  - A consistent dump of the database by the server image's own C(mysqldump) as the account for backups, what users have
    uploaded, and, where a public key was given, configuration and secrets encrypted to it. They lie in a directory of their own
    below C(backups/), with a manifest that says what is in them, how many rows each table has, and what their checksums are.
  - The directory gets its name when all of it is on the disk; anything else is removed and is an error.
  - Backups that are older than is kept are removed afterwards.
  - Where an off-site repository is set, every backup that was never there is sent to it. One that cannot be sent is an error, and
    still a good backup.
extends_documentation_fragment:
  - barehost.django.project
attributes:
  check_mode:
    description: Asks the database, looks at the space on the disk, and makes none.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: Each run makes a backup of its own.
    support: none
options:
  who:
    description: What the audit log says who wanted it.
    type: str
    default: playbook
  given:
    description: What the variables of this run say, by their names. Those that are not what a deploy has installed are warned about.
    type: dict
    default: {}
  offsite_init:
    description: Whether to make the off-site repository where there is none.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Make a backup
  barehost.django.stack_backup:
    project_dir: /opt/shop
"""

RETURN = r"""
backup:
  description: >-
    The backup: C(id), C(path), C(bytes), C(rows), C(tables), C(seconds), the C(manifest_sha256) that the audit log holds too, and
    the ids of those that were C(removed).
  type: dict
  returned: when one was made
offsite:
  description: What was C(sent), how many C(snapshots) there are, whether the repository was C(created) or C(checked).
  type: dict
  returned: when backups go off-site
msg:
  description: What was done, or would be.
  type: str
  returned: always
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import (
    _backup,
    _backup_settings,
    _dump,
    _offsite,
    _work,
)


def described(report: _backup.Report | _offsite.Report) -> dict[str, Any]:
    """Return a report as the module returns it."""
    return {key: value for key, value in vars(report).items() if key != "warnings"}


def send(
    module: AnsibleModule, settings: _backup_settings.Settings, made: str, report: _backup.Report
) -> _offsite.Report:
    """Bring off-site what is not there."""
    try:
        sent = _offsite.run(settings, module.params["who"], init=module.params["offsite_init"])
    except _offsite.Trouble as error:
        why = _work.sentence(error)
        module.fail_json(msg=f"{made}; it could not be sent off-site: {why}", changed=True, backup=described(report))
        raise
    for warning in sent.warnings:
        module.warn(warning)
    return sent


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "project_dir": {"type": "path", "required": True},
            "who": {"type": "str", "default": "playbook"},
            "offsite_init": {"type": "bool", "default": False},
            "given": {"type": "dict", "default": {}},
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
            facts = _backup.look(settings)
            msg = f"would back up {_dump.counted(len(facts.tables), 'table')} of {settings.database}, {_dump.megabytes(facts.bytes)}"
            msg += f", and send it to {settings.offsite['repository']}" if settings.offsite else ""
            module.exit_json(changed=True, msg=msg)
        report = _backup.run(settings, module.params["who"])
    except (*_backup.Trouble, _backup_settings.SettingsError) as error:
        module.fail_json(msg=f"no backup was made: {_work.sentence(error)}")
        raise
    for warning in report.warnings:
        module.warn(warning)
    msg = f"{report.path}: {_dump.contents(report.rows, report.tables)}, {_dump.megabytes(report.bytes)}"
    sent = send(module, settings, msg, report) if settings.offsite else None
    there = {"offsite": described(sent)} if sent else {}
    msg += f"; off-site: {sent.message}" if sent else ""
    module.exit_json(changed=True, msg=msg, backup=described(report), **there)


if __name__ == "__main__":
    main()
