#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find the release to go back to, and whether that is safe."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_rollback
short_description: Finds the release to go back to, and says whether the schema allows it
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Reads the records of the releases on the host; changes nothing. M(barehost.django.release_switch) then goes there.
  - Fails before anything is touched where there is no such release, where its image is gone, where a service that does not run
    it is paused, or where its code may not live with the schema as it is now.
  - The schema is judged by the migrations that both releases have, and by what the records say that others have done to it
    since. A migration that only adds is lived with; one that is only known by its name is not trusted.
extends_documentation_fragment:
  - barehost.django.project
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Shows both releases.
    support: full
  idempotent:
    description: Only reads.
    support: full
options:
  release_id:
    description: Id of the release; empty for the last one that served before the one that serves now.
    type: str
    default: ""
  allow_schema_mismatch:
    description: Whether to go back although migrations have been applied that the release's code may not live with.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Find the release to go back to
  barehost.django.release_rollback:
    project_dir: /opt/app
  register: rollback
"""

RETURN = r"""
release_id:
  description: Id of the release to go back to.
  type: str
  returned: success
before:
  description: Id of the release that serves now.
  type: str
  returned: success
record:
  description: Record of the release to go back to, with what the switch needs.
  type: dict
  returned: success
schema:
  description: What has been done to the schema since that release was made.
  type: dict
  returned: success
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _asleep, _compose, _release, _rollback

if TYPE_CHECKING:
    from collections.abc import Mapping


def check_image(module: AnsibleModule, image: str) -> None:
    """Refuse a release whose image is gone."""
    code, _, said = module.run_command(_compose.image_cmd([image]))
    if code != 0 and _asleep.STOPPED.search(said):
        module.fail_json(
            msg=f"Docker does not run, and going back does not start it ({said.strip()}): start it first, or run barehost.django.site"
        )
    if code != 0:
        module.fail_json(
            msg=f"the image {image} is not on the host any more: deploy that version instead of going back"
        )


def check_others(module: AnsibleModule, record: Mapping[str, Any]) -> None:
    """Refuse to go back beside a database or an edge that somebody has paused: neither answers, and a rollback leaves them alone."""
    own = {service["name"] for service in (record.get("switch") or {}).get("services", [])}
    _, out, _ = module.run_command(_compose.paused_cmd(module.params["project_dir"]))
    # What runs the release is the switch's to let go on.
    paused = [line.split() for line in out.splitlines() if line.split()[0] not in own]
    if paused:
        names = " ".join(container for _, container in paused)
        module.fail_json(
            msg=f"paused: {', '.join(service for service, _ in paused)}, and going back does not change that: "
            f"run `docker unpause {names}` on the host, then the same again"
        )


def main() -> None:
    """Choose, check, answer."""
    module = AnsibleModule(
        argument_spec={
            "project_dir": {"type": "path", "required": True},
            "release_id": {"type": "str", "default": ""},
            "allow_schema_mismatch": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    current = _release.current_record(params["project_dir"]) or {}
    if not current and not (Path(params["project_dir"]) / _compose.BASE_FILE).exists():
        module.fail_json(msg=f"There is no stack in {params['project_dir']}: run barehost.django.site first.")
    if not current:
        module.fail_json(msg=f"there is no release in {params['project_dir']}: nothing to go back from")
    records = _release.records(params["project_dir"])
    try:
        record = _rollback.choose(records, str(current["id"]), params["release_id"])
    except _rollback.RollbackError as error:
        module.fail_json(msg=str(error))
    check_image(module, str(record["image"]))
    check_others(module, record)
    schema = _rollback.schema(records, record, current)
    if not schema.safe and not params["allow_schema_mismatch"]:
        module.fail_json(
            msg=f"not going back to release {record['id']}: {schema.describe()}. Go there all the same with "
            f"release_allow_schema_mismatch: true; {_rollback.restore_hint(schema)}",
            schema={**vars(schema), "safe": schema.safe},
        )
    module.exit_json(
        changed=False,
        msg=f"release {record['id']} served until {current.get('activated', 'an unknown time')}; {schema.describe()}",
        release_id=str(record["id"]),
        before=str(current["id"]),
        record=dict(record),
        schema={**vars(schema), "safe": schema.safe},
        diff={"before": f"release: {current['id']}\n", "after": f"release: {record['id']}\n"},
    )


if __name__ == "__main__":
    main()
