# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What keeps an acknowledged row stands in MySQL's configuration, and an operator has the last word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "mysql"
KEPT = ["innodb_flush_log_at_trx_commit = 1", "sync_binlog = 1", "innodb_doublewrite = ON"]


def configuration(tmp_path: Path, **variables: Any) -> list[str]:
    """Return the lines of the file."""
    given = tmp_path / "variables.json"
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    given.write_text(json.dumps({**defaults, **variables}))
    template = ROLE / "templates" / "mysql" / "conf.d" / "stack.cnf.j2"
    program = str(Path(sys.executable).with_name("ansible"))
    file = tmp_path / "stack.cnf"
    argv = [
        program,
        "localhost",
        "-c",
        "local",
        "-m",
        "template",
        "-a",
        f"src={template} dest={file}",
        "-e",
        f"@{given}",
    ]
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return file.read_text().splitlines()


@pytest.mark.parametrize(
    ("binlog", "lines"), [(False, ["skip-log-bin"]), (True, ["binlog_expire_logs_seconds = 259200"])]
)
def test_each_promise_is_a_line_and_a_binary_log_is_kept_where_it_is_asked_for(
    *, binlog: bool, lines: list[str], tmp_path: Path
) -> None:
    found = configuration(tmp_path, mysql_binlog_enabled=binlog)
    assert [line for line in found if line in KEPT] == KEPT
    assert [line for line in found if "log-bin" in line or "expire" in line] == lines


def test_what_an_operator_gives_comes_last_and_so_wins(tmp_path: Path) -> None:
    given = {"innodb_flush_log_at_trx_commit": 2, "log-bin": "binlog"}
    assert configuration(tmp_path, mysql_config=given)[-2:] == [
        "innodb_flush_log_at_trx_commit = 2",
        "log-bin = binlog",
    ]
