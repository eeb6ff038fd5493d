#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Let the application's services run a release, and record it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_switch
short_description: Lets the application's services run a release, and records it
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Puts the release's image into C(compose.override.yaml), lets C(static/current) point to its static files, replaces the
    containers of the application's services, waits until they are healthy and writes the release record.
  - When a service does not become healthy, everything goes back to the release that served before, and the module fails.
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
  project_dir:
    description: Directory of the Compose project.
    type: path
    required: true
  project:
    description: Name of the Compose project.
    type: str
    required: true
  release_id:
    description: Id of the release; its image is there, its migrations are applied.
    type: str
    required: true
  image:
    description: Reference of the release's image.
    type: str
    required: true
  services:
    description: Names of the services that run the image.
    type: list
    elements: str
    required: true
  static_root:
    description: Where the release's static files are mounted in its containers; empty where it has none.
    type: str
    default: ""
  definitions:
    description:
      - What each service of the project should be made from, as the filter P(barehost.django.service_definitions#filter) says it.
      - Without it the files on the host say so, which in a dry run are still the old ones.
    type: dict
  timeout:
    description: Seconds within which every service must be healthy.
    type: int
    default: 120
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
    services: [web, worker, beat]
"""

RETURN = r"""
before:
  description: Id of the release that served before; empty where there was none.
  type: str
  returned: always
steps:
  description: What was done, or would be done, for each service.
  type: list
  elements: dict
  returned: always
"""

from datetime import datetime, timezone
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _compose, _release, _up


class Switch:
    """One switch: its plan, its execution, and the way back."""

    def __init__(self, module: AnsibleModule) -> None:
        """Read the parameters."""
        self.module = module
        params = module.params
        self.root = Path(params["project_dir"])
        self.release_id = _release.check_id(params["release_id"])
        self.services: list[str] = params["services"]
        self.static = bool(params["static_root"])
        self.text = _release.override_text(self.release_id, params["image"], self.services, params["static_root"])
        self.override = self.root / _compose.OVERRIDE_FILE
        record = _release.current_record(params["project_dir"])
        self.before = str(record["id"]) if record else ""
        self.engine = _up.Engine(
            module.run_command,
            params["project_dir"],
            [str(self.root / _compose.BASE_FILE), self.draft()],
            params["project"],
            params["definitions"],
        )

    def draft(self) -> str:
        """Write the override beside the project, so that it can be compared before it is put in place."""
        path = Path(self.module.tmpdir) / _compose.OVERRIDE_FILE
        path.write_text(self.text, encoding="utf-8")
        return str(path)

    def unknown_yet(self) -> bool:
        """Whether this is a dry run before there is anything to compare with."""
        return self.module.check_mode and not all(Path(file).exists() for file in self.engine.files)

    def plan(self) -> tuple[list[_up.Step], list[str]]:
        """Return the services that have to change, and the files that do not speak of this release yet."""
        stale = _release.differs(str(self.root), self.release_id, self.text, static=self.static)
        if self.unknown_yet():
            return [_up.Step(name, "recreate", "its release is not built yet") for name in self.services], stale
        steps = _up.plan(self.services, self.engine.snapshot())
        return [step for step in steps if step.action != "none"], stale

    def execute(self, steps: list[_up.Step]) -> None:
        """Switch; on failure go back to what served before, then fail."""
        old_override = self.override.read_text(encoding="utf-8") if self.override.exists() else None
        static_link = self.root / _release.STATIC / _release.CURRENT
        old_static = _release.read_link(static_link)
        _release.write_text(self.override, self.text)
        if self.static:
            _release.point(static_link, self.release_id)
        self.engine.files = _up.compose_files(str(self.root), override=True)
        active = [step.service for step in steps]
        try:
            self.engine.carry_out(steps)
            self.engine.wait(self.services, self.module.params["timeout"], settle=active)
        except _up.UpError as error:
            end = self.return_to(old_override, old_static, active)
            self.module.fail_json(msg=f"release {self.release_id} was not accepted; {end}: {error}", before=self.before)
        self.record()

    def return_to(self, old_override: str | None, old_static: str, services: list[str]) -> str:
        """Put the earlier release back, and say how that ended; its own trouble must not hide why we are going back."""
        if old_static:
            _release.point(self.root / _release.STATIC / _release.CURRENT, old_static)
        if old_override is None:
            self.override.unlink()
            return "there was no earlier release to go back to"
        _release.restore_serving(str(self.root))
        _release.write_text(self.override, old_override)
        # What the files on the host say now is what served; a service that only the failed release had is not among them.
        self.engine.definitions = None
        try:
            snapshot = self.engine.snapshot()
            known = [name for name in services if name in snapshot.services]
            self.engine.up(known)
            self.engine.remove([item for item in _up.orphans(snapshot) if item.service in services])
            self.engine.wait(known, self.module.params["timeout"], settle=known)
        except _up.UpError as error:
            return f"going back to release {self.before} FAILED ({error}); the new release failed because"
        return f"release {self.before} serves again"

    def record(self) -> None:
        """Write the release record and name it the current one."""
        path = _release.record_path(str(self.root), self.release_id)
        created = datetime.now(tz=timezone.utc).isoformat(timespec="seconds")
        known = _release.read_record(path)
        if known:
            created = known["created"]
        text = _release.record_text(
            self.release_id, self.module.params["image"], created, self.module.params["details"]
        )
        _release.write_text(path, text)
        _release.point(path.parent / _release.CURRENT, path.name)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "project_dir": {"type": "path", "required": True},
            "project": {"type": "str", "required": True},
            "release_id": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "services": {"type": "list", "elements": "str", "required": True},
            "definitions": {"type": "dict"},
            "static_root": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 120},
            "details": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    try:
        switch = Switch(module)
        steps, stale = switch.plan()
        changed = bool(steps or stale)
        if changed and not module.check_mode:
            switch.execute(steps)
        if not module.check_mode:
            _release.keep_serving(module.params["project_dir"])
    except (_up.UpError, ValueError) as error:
        module.fail_json(msg=str(error))
    lines = [f"{step.service}: {step.action} ({step.reason})\n" for step in steps]
    module.exit_json(
        changed=changed,
        before=switch.before,
        steps=[vars(step) for step in steps],
        stale=stale,
        diff={
            "before": f"release: {switch.before or 'none'}\n" if changed else "",
            "after": "".join([f"release: {switch.release_id}\n", *lines]) if changed else "",
        },
    )


if __name__ == "__main__":
    main()
