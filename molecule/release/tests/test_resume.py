# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A deploy that is cut off, anywhere and by anything, is completed by the next one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from conftest import STACK_DIR, Host, deploy, serving, start, status, version

if TYPE_CHECKING:
    from pathlib import Path

BOOT_SECONDS = 180


def kill_controller(run: subprocess.Popen[str]) -> None:
    """End ansible-playbook and its workers as kill -9 does."""
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate(timeout=30)


def kill_module(machine: Host) -> None:
    """End the module that is at work on the host, which knows nothing of the controller's end."""
    work = json.loads(machine.run(f"cat {STACK_DIR}/lock/step"))
    # It may have ended by itself by now.
    machine.run(f"kill -9 {work['pid']} || true")


@pytest.mark.parametrize("step", ["create", "health", "handover", "route", "drain", "retire"])
def test_a_run_that_was_killed_in_a_step_is_completed_by_the_next(machine: Host, base: Path, step: str) -> None:
    assert base.exists()
    before = serving()
    source = version(f"killed-{step}", "additive", "data")
    known = machine.steps()
    run = start(source)
    # A step may be over before it is seen; then the next one is as good.
    later = ["create", "start", "health", "static", "handover", "route", "probe", "drain", "prove", "commit", "retire"]
    machine.wait_for_step(known, *later[later.index(step) :])
    kill_controller(run)
    kill_module(machine)
    assert serving()
    said = status()
    assert said["verdict"] == "attention"
    assert said["problems"][0].startswith("the run that holds the lock has ended without giving it back: ")
    again = deploy(source)
    assert again.code == 0, again.message
    assert serving() != before
    assert machine.is_clean(), machine.containers()
    assert machine.record()["step"] == "done"
    said = status()
    assert (said["verdict"], said["problems"]) == ("ok", [])
    third = deploy(source)
    assert third.changed == [], third.changed


def test_a_controller_that_is_killed_alone_lets_the_host_finish_its_step(machine: Host, base: Path) -> None:
    assert base.exists()
    source = version("killed-controller", "additive", "data")
    known = machine.steps()
    run = start(source)
    machine.wait_for_step(known, "health")
    kill_controller(run)
    again = deploy(source)
    assert again.code == 0, again.message
    assert "was taken over" in again.output or "taken over" in again.output
    assert machine.is_clean(), machine.containers()


def test_a_host_that_reboots_in_the_middle_serves_and_is_completed(machine: Host, base: Path) -> None:
    assert base.exists()
    source = version("rebooted", "additive", "data")
    known = machine.steps()
    run = start(source)
    machine.wait_for_step(known, "health", "handover", "route")
    subprocess.run(["docker", "restart", "barehost-release"], check=True, capture_output=True)
    kill_controller(run)
    end = time.monotonic() + BOOT_SECONDS
    while True:
        try:
            assert serving()
            break
        except (OSError, ValueError):
            assert time.monotonic() < end, "the site did not come back after the reboot"
            time.sleep(1)
    again = deploy(source)
    assert again.code == 0, again.message
    assert machine.is_clean(), machine.containers()
    assert machine.record()["step"] == "done"
