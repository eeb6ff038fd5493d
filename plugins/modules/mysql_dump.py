#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dump a schema of the stack's MySQL."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_dump
short_description: Dumps a schema of the stack's MySQL into a compressed file on the host
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Runs the server image's own C(mysqldump) inside the running container, as root with the password that lies there in
    C(/run/secrets/root_password), and writes C(backups/<time>-<name>.sql.gz) below the project's directory, for root alone.
  - The dump is consistent and locks no table. It gets its name only when C(mysqldump) ended well and its last line is there;
    anything else is removed and is an error.
  - A schema without tables is not dumped.
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.project
  - barehost.django.project.name
attributes:
  check_mode:
    description: Says whether a dump would be made, and makes none.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: Each run makes a dump of its own.
    support: none
options:
  service:
    description: Service that the server runs in.
    type: str
    default: mysql
  database:
    description: Schema to dump.
    type: str
    required: true
  name:
    description: What the dump is called after the time at which it was begun.
    type: str
    required: true
  timeout:
    description: Seconds that the dump may take.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Dump the schema before it is migrated
  barehost.django.mysql_dump:
    project_dir: /opt/shop
    project: shop
    database: shop
    name: before-0a1b2c3d4e5f
"""

RETURN = r"""
dumped:
  description: Whether a dump was made; false where the schema has no tables, and in check mode.
  type: bool
  returned: always
path:
  description: The dump's file; empty where none was made.
  type: str
  returned: always
bytes:
  description: Its size.
  type: int
  returned: always
seconds:
  description: How long it took.
  type: float
  returned: always
tables:
  description: Number of tables in the schema.
  type: int
  returned: always
"""

import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _dump, _host, _lock

QUERY_SECONDS = 60
NOTHING: dict[str, Any] = {"dumped": False, "path": "", "bytes": 0, "seconds": 0.0, "tables": 0}


def find_container(module: AnsibleModule) -> str:
    """Return the id of the container that the server runs in; empty where there is none."""
    if module.get_bin_path("docker") is None:
        return ""
    argv = _dump.container_cmd(module.params["project"], module.params["service"])
    code, out, err = module.run_command(argv)
    if code != 0:
        raise _dump.DumpError(f"the engine does not answer: {err.strip()[-500:]}")
    return next(iter(str(out).split()), "")


def ask_size(module: AnsibleModule, container: str) -> tuple[int, int]:
    """Return the number of tables and the bytes of the schema."""
    code, out, err = module.run_command(_dump.size_cmd(container, module.params["database"], QUERY_SECONDS))
    if code != 0:
        reason = (err.strip() or out.strip() or "no word").splitlines()[-1][:500]
        said = f"MySQL does not let root ask for the size of the schema (exit {code}): {reason}"
        raise _dump.DumpError(_dump.advised(said))
    return _dump.parse_size(out)


def check_space(folder: Path, size: int) -> None:
    """Refuse before the disk is full, which would stop the database too."""
    free = _host.free_mb(str(folder)) << 20
    if _dump.needed(size) > free:
        raise _dump.DumpError(
            f"{folder} has {_dump.megabytes(free)} free, and a dump of the schema may take "
            f"{_dump.megabytes(_dump.needed(size))}: make room, or do without the dump (release_migrate_dump: false)"
        )


def dump(module: AnsibleModule) -> dict[str, Any]:
    """Make a dump where there is anything to dump."""
    params = module.params
    folder = Path(params["project_dir"]) / _dump.FOLDER
    stamp = datetime.now(tz=timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    target = _dump.Target(folder / _dump.file_name(params["name"], stamp))
    container = find_container(module)
    if not container:
        if module.check_mode:
            return {**NOTHING, "changed": True, "msg": f"would dump, once {params['service']} runs"}
        raise _dump.DumpError(
            f"no container of service {params['service']} runs: start the stack first (site playbook)"
        )
    tables, size = ask_size(module, container)
    if tables == 0:
        return {**NOTHING, "changed": False, "msg": f"schema {params['database']} has no tables"}
    check_space(folder, size)
    if module.check_mode:
        return {**NOTHING, "changed": True, "tables": tables, "msg": f"would dump {tables} tables"}
    for path in _dump.leftovers(folder, params["name"]):
        path.unlink(missing_ok=True)
    start = time.monotonic()
    _dump.write(_dump.dump_cmd(container, params["database"], params["timeout"]), target, params["timeout"])
    return {
        "changed": True,
        "dumped": True,
        "path": str(target.path),
        "bytes": target.path.stat().st_size,
        "seconds": round(time.monotonic() - start, 1),
        "tables": tables,
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **_lock.ARGUMENTS,
            "project_dir": {"type": "path", "required": True},
            "project": {"type": "str", "required": True},
            "service": {"type": "str", "default": "mysql"},
            "database": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    _lock.step_until_exit(module, module.params["project_dir"], "dump")
    try:
        result = dump(module)
    except (_dump.DumpError, OSError, ValueError) as error:
        module.fail_json(msg=f"schema {module.params['database']} could not be dumped: {error}", **NOTHING)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
