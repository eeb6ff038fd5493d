# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""status_report: whether the run that holds a lock is dead."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.action import status_report
from ansible_collections.barehost.django.plugins.module_utils import _caller

if TYPE_CHECKING:
    from collections.abc import Mapping


def lock_of(controller: Mapping[str, str]) -> dict[str, Any]:
    """Return what the report knows of a lock whose run was there."""
    info = {"stack": {"name": "shop", "lock": {"owner": "ana", "controller": dict(controller)}}}
    found = status_report.with_the_dead(info) or {}
    return dict(found["stack"]["lock"])


def test_only_a_run_of_this_machine_is_known_to_be_dead() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        theirs = {**_caller.machine(), "pid": str(process.pid)}
        theirs["started"] = _caller.start_time(_caller.read(f"/proc/{process.pid}/stat"))
        # What only this plugin needs is left out.
        assert lock_of(theirs) == {"owner": "ana", "dead": False}
        process.kill()
    assert lock_of(theirs)["dead"] is True
    assert lock_of({**theirs, "machine_id": "another", "boot_id": "another", "namespace": "another"})["dead"] is False
    assert lock_of({})["dead"] is False


def test_without_a_lock_nothing_is_said_of_one() -> None:
    info: dict[str, Any] = {"stack": {"name": "shop", "lock": {}}}
    assert status_report.with_the_dead(info) is info
    assert status_report.with_the_dead(None) is None
