#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have units of systemd on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_units
short_description: Has units of systemd on a host, with their timers at work
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Writes units below C(/etc/systemd/system), has systemd read them, enables and starts those that are timers, and starts a
    timer anew whose text has changed.
  - Units in O(known) that are not in O(units) are stopped, disabled and removed.
  - On a host that is not run by systemd nothing is done, with a warning.
attributes:
  check_mode:
    description: Says what would be done.
    support: full
  diff_mode:
    description: Shows the text of each unit that changes.
    support: full
  idempotent:
    description: Units that are as they should be are left alone.
    support: full
options:
  units:
    description: Name of each unit to its text.
    type: dict
    required: true
  known:
    description: Names of all units that may have been put there by an earlier run.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Have the timer
  barehost.django.host_units:
    units:
      shop-backup.service: "[Service]\nType=oneshot\nExecStart=/opt/shop/backup/barehost-backup backup\n"
      shop-backup.timer: "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n"
"""

RETURN = r"""
changes:
  description: What was done, or would be, to each unit that was not as it should be.
  type: list
  elements: dict
  returned: always
  sample: [{path: /etc/systemd/system/shop-backup.timer, service: systemd, action: create}]
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _files, _units

UNIT_MODE = 0o644


def systemctl(module: AnsibleModule, *args: str) -> None:
    """Have systemd do something."""
    code, out, err = module.run_command(["systemctl", *args])
    if code != 0:
        said = (err.strip() or out.strip() or "it said nothing").splitlines()[-1]
        module.fail_json(msg=f"systemctl {' '.join(args)} ended with {code}: {said}")


def text_of(folder: Path, name: str) -> str:
    """Return the text of a unit; empty where there is none."""
    path = folder / name
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""


def carry_out(module: AnsibleModule, folder: Path, steps: list[_units.Step]) -> None:
    """Do what is to be done."""
    for step in steps:
        if step.action == "remove":
            if step.name.endswith(_units.TIMER):
                systemctl(module, "disable", "--now", step.name)
            (folder / step.name).unlink(missing_ok=True)
        elif step.after:
            _files.replace(folder / step.name, step.after, UNIT_MODE, (0, 0))
    systemctl(module, "daemon-reload")
    for step in steps:
        if step.name.endswith(_units.TIMER) and step.action != "remove":
            systemctl(module, "enable", step.name)
            # A timer that runs goes on with the text that it was started with.
            systemctl(module, "restart", step.name)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "dict", "required": True},
            "known": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    wanted = {str(name): str(text) for name, text in module.params["units"].items()}
    folder = Path(_units.FOLDER)
    if not Path("/run/systemd/system").is_dir():
        if wanted:
            module.warn("this host is not run by systemd, so no timer was installed: run the commands by another one")
        module.exit_json(changed=False, changes=[])
    known = {*module.params["known"], *wanted}
    steps = _units.steps(wanted, known, _units.look(sorted(known), module.run_command))
    diff = [
        {
            "before_header": f"{folder}/{step.name}",
            "after_header": f"{folder}/{step.name} ({step.action})",
            "before": text_of(folder, step.name) if step.after or step.action == "remove" else "",
            "after": step.after,
        }
        for step in steps
    ]
    try:
        if steps and not module.check_mode:
            carry_out(module, folder, steps)
    except OSError as error:
        module.fail_json(msg=f"the units below {folder} could not be put in place: {error}")
    found = [{"path": f"{folder}/{step.name}", "service": "systemd", "action": step.action} for step in steps]
    module.exit_json(changed=bool(steps), changes=found, diff=diff)


if __name__ == "__main__":
    main()
