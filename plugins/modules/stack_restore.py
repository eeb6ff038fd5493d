#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Put the data of a backup in the place of the stack's."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_restore
short_description: Restores the database and the uploaded files of a stack from a backup or a dump
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Reads all of the backup first. It is refused before anything is touched where its manifest, a size, a checksum, its end or a
    row count is not what it should be, where it is of another stack whose name was not typed, of a newer MySQL, or for another
    release than the one that serves, and where there is no room for it.
  - Dumps the schema as it is, and loads the backup into a new schema beside it, as an account that reaches no other one. What
    was loaded is counted, and all tables change places in one statement. The uploaded files are unpacked beside and change
    places by renames. A failure takes back whatever was done.
  - A restore that was killed is taken back by the next one, or brought to its end where its tables have moved.
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.project
  - barehost.django.project.name
attributes:
  check_mode:
    description: Verifies everything, and says what would be restored; changes nothing.
    support: full
  diff_mode:
    description:
      - Shows the rows of each table before and after, and how many uploaded files are new, gone, of other size or time, and the same.
    support: full
  idempotent:
    description: Each run restores.
    support: none
options:
  source:
    description:
      - What to restore. The id of a backup or C(latest); the name of a dump in the stack's C(backups) directory; or the path of
        a backup's directory or of a dump (C(.sql), C(.sql.gz), C(.sql.zst)) on the host.
    type: str
    required: true
  database:
    description: Schema whose tables are replaced.
    type: str
    required: true
  service:
    description: Service that the server runs in.
    type: str
    default: mysql
  parts:
    description: What of a backup is restored.
    type: list
    elements: str
    choices: [database, media]
    default: [database, media]
  confirm:
    description: Name of the stack that the data is of, where it is not this one.
    type: str
    default: ""
  allow_schema_mismatch:
    description: Whether to restore data that has other migrations than the release that serves.
    type: bool
    default: false
  keep_old:
    description:
      - Whether the replaced tables and files are kept. Those of the newest two restores that replaced tables stay, and of the newest
        three that replaced files; a restore of one kind leaves the other alone.
      - Without it a restore of uploaded files is refused where no other backup of the stack holds any.
    type: bool
    default: true
  dump_first:
    description: Whether the schema is dumped before it is replaced. Without that O(keep_old) has to stay.
    type: bool
    default: true
  definer:
    description: >-
      Account, as C(user@host), that gets the views, triggers, routines and events of one that does not exist here, or that lacks the
      privilege to have such.
    type: str
    default: ""
  reserve_mb:
    description: Megabytes of disk that are left alone.
    type: int
    default: 512
  timeout:
    description: Seconds that dumping, loading and counting may take, each.
    type: int
    default: 21600
  wait_seconds:
    description: Seconds to wait for a backup, or whatever else is at work on the data.
    type: int
    default: 900
  audit_log:
    description: File with a line for each backup; C(/var/log/barehost/<directory>.jsonl) where it is not given.
    type: path
    default: ""
  cache:
    description: The Redis database that is emptied afterwards; none where it is not given.
    type: dict
    suboptions:
      service:
        description: Service that Redis runs in.
        type: str
        required: true
      db:
        description: Number of the database.
        type: int
        required: true
      password_file:
        description: File in its container that holds its password.
        type: str
        required: true
"""

EXAMPLES = r"""
- name: Go back to the newest backup
  barehost.django.stack_restore:
    project_dir: /opt/shop
    project: shop
    database: shop
    source: latest
"""

RETURN = r"""
restored:
  description: Name of what was restored, or would be.
  type: str
  returned: success
tables:
  description: Each table that is replaced, with its rows before and after; null where there is no such table.
  type: list
  elements: dict
  returned: success
rows:
  description: Number of rows that were restored.
  type: int
  returned: success
seconds:
  description: How long each step took.
  type: dict
  returned: success
memory_mb:
  description: The most memory that the restore had at one time, without the programs that it ran.
  type: int
  returned: success
safety_dump:
  description: Dump of the schema as it was before.
  type: str
  returned: success
old_schema:
  description: Schema that holds the tables of before.
  type: str
  returned: success
old_media:
  description: Directory that holds the files of before.
  type: str
  returned: success
recovered:
  description: What restores that were killed had left, and what became of it.
  type: list
  elements: str
  returned: success
fits:
  description: Whether the data has just the migrations of the release that serves, as far as anybody knows.
  type: bool
  returned: success
next:
  description: What there is to do now.
  type: list
  elements: str
  returned: success
"""

import resource
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import (
    _data_lock,
    _dump,
    _lock,
    _manifest,
    _pipes,
    _restore,
    _restore_media,
    _restore_mysql,
    _restore_run,
    _restore_said,
    _restore_source,
    _restore_text,
)

ERRORS = (
    _data_lock.BusyError,
    _dump.DumpError,
    _manifest.ManifestError,
    _pipes.PipeError,
    _restore.RestoreError,
    _restore_media.MediaError,
    _restore_mysql.MysqlError,
    _restore_source.SourceError,
    _restore_text.TextError,
    OSError,
    ValueError,
)
CACHE = {
    name: {"type": kind, "required": True}
    for name, kind in (("service", "str"), ("db", "int"), ("password_file", "str"))
}


def job_of(module: AnsibleModule) -> _restore.Job:
    """Return what is wanted."""
    params = module.params
    return _restore.Job(
        root=Path(params["project_dir"]),
        project=params["project"],
        database=params["database"],
        wanted=params["source"],
        service=params["service"],
        confirm=params["confirm"],
        parts=tuple(params["parts"]),
        allow_mismatch=params["allow_schema_mismatch"],
        keep_old=params["keep_old"],
        dump_first=params["dump_first"],
        definer=params["definer"],
        reserve=params["reserve_mb"] << 20,
        seconds=params["timeout"],
        audit_log=params["audit_log"],
        cache=params["cache"] or {},
    )


def restore(module: AnsibleModule, job: _restore.Job) -> dict[str, Any]:
    """Verify, and restore where this is no dry run."""
    if not job.dump_first and not job.keep_old:
        raise _restore.RestoreError(
            "restore_dump_first and restore_keep_old are both false: nothing would be left of the data"
        )
    if module.get_bin_path("docker") is None:
        raise _restore.RestoreError("Docker is not installed on this host: run barehost.django.site first")
    container = _restore.find_container(job.project, job.service)
    if not container:
        raise _restore.RestoreError(
            f"no container of service {job.service} runs: start the stack first (barehost.django.site)"
        )
    server = _restore_mysql.Server(container)
    runner = _restore_run.Runner(job, server)
    if module.check_mode:
        plan = _restore.foresee(job, server)
        return _restore_said.foreseen(plan, runner.back.left())
    who, patience = f"restore of {job.wanted}", module.params["wait_seconds"]
    with (
        _data_lock.held(job.root, who, patience, settles=True, file=_data_lock.BACKUP),
        _data_lock.held(job.root, who, patience, settles=True),
    ):
        found = _restore.find_source(job)
        recovered = runner.back.recover()
        plan = _restore.make_plan(job, server, *found)
        done = runner.run(plan)
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        return {**_restore_said.result(plan, done, recovered, job.media), "memory_mb": most}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **_lock.ARGUMENTS,
            "project_dir": {"type": "path", "required": True},
            "project": {"type": "str", "required": True},
            "source": {"type": "str", "required": True},
            "database": {"type": "str", "required": True},
            "service": {"type": "str", "default": "mysql"},
            "parts": {
                "type": "list",
                "elements": "str",
                "choices": ["database", "media"],
                "default": ["database", "media"],
            },
            "confirm": {"type": "str", "default": ""},
            "allow_schema_mismatch": {"type": "bool", "default": False},
            "keep_old": {"type": "bool", "default": True},
            "dump_first": {"type": "bool", "default": True},
            "definer": {"type": "str", "default": ""},
            "reserve_mb": {"type": "int", "default": 512},
            "timeout": {"type": "int", "default": 21600},
            "wait_seconds": {"type": "int", "default": 900},
            "audit_log": {"type": "path", "default": ""},
            "cache": {"type": "dict", "options": CACHE},
        },
        supports_check_mode=True,
    )
    _lock.step_until_exit(module, module.params["project_dir"], "restore")
    try:
        result = restore(module, job_of(module))
    except ERRORS as error:
        module.fail_json(msg=f"{module.params['source'] or 'nothing'} was not restored: {error}")
    for warning in result.pop("warned"):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
