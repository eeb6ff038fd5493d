# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a new beat is believed: by the schedule that it writes, not by one that is there from before."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import yaml

VARS = Path(__file__).resolve().parents[3] / "roles" / "celery" / "vars" / "main.yml"


def ask(folder: Path, seconds: float) -> subprocess.Popen[bytes]:
    """Run the script on a folder, as if it were itself the first process of a container, with so much time to wait."""
    script = yaml.safe_load(VARS.read_text())["celery_beat_ready_script"]
    changes = {"/proc/1/": "/proc/self/", "/var/lib/celery": str(folder), "started < 4": f"started < {seconds}"}
    for here, there in changes.items():
        assert here in script
        script = script.replace(here, there)
    return subprocess.Popen([sys.executable, "-c", script])


def test_a_schedule_of_this_beat_is_believed_and_an_earlier_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "schedule").touch()
    # Older than the process, whatever the file system's clock rounds to.
    time.sleep(0.1)
    asked = ask(tmp_path, 600)
    time.sleep(0.5)
    assert asked.poll() is None
    (tmp_path / "schedule.dat").touch()
    assert asked.wait(60) == 0


def test_a_scheduler_without_a_file_is_believed_once_it_has_lived_for_a_while(tmp_path: Path) -> None:
    assert ask(tmp_path, 0.5).wait(60) == 0
