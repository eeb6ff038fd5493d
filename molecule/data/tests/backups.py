# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The backup program of the host, what it notes, and backups that somebody has tampered with."""

from __future__ import annotations

import json
import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from conftest import STACK_DIR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Host

PROGRAM = f"{STACK_DIR}/backup/barehost-backup"
BACKUPS = f"{STACK_DIR}/backups"
SETTINGS = f"{STACK_DIR}/backup/settings.json"
AUDIT = "/var/log/barehost/app.jsonl"
LABEL = "barehost.django.drill"
# Runs on the host. `change` edits the dump, `counts` makes the manifest say what the dump now holds, and `audit` makes the audit
# log say what the manifest now is.
TAMPER = """
import hashlib, json, subprocess, sys
from pathlib import Path
folder, log, change, counts, audit = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4] == "1", sys.argv[5] == "1"
dump, manifest = folder / "database.sql.zst", folder / "manifest.json"
lines = subprocess.run(["zstd", "-dcq", str(dump)], stdout=subprocess.PIPE, check=True).stdout.split(b"\\n")
found = json.loads(manifest.read_text())
before = hashlib.sha256(manifest.read_bytes()).hexdigest()
if change == "row":
    at = max(i for i, line in enumerate(lines) if line.startswith(b"INSERT INTO") and b"),(" in line)
    lines[at] = lines[at][: lines[at].rindex(b"),(")] + b");"
    table = lines[at].split(b"`")[1].decode()
    if counts:
        found["tables"][table] -= 1
        found["rows"] -= 1
if change == "end":
    lines = lines[: max(i for i, line in enumerate(lines) if line.startswith(b"UNLOCK TABLES")) + 1]
text = b"\\n".join(lines)
if change != "byte":
    dump.write_bytes(subprocess.run(["zstd", "-cq"], input=text, stdout=subprocess.PIPE, check=True).stdout)
    packed = dump.read_bytes()
    found["files"]["database.sql.zst"].update(bytes=len(packed), sha256=hashlib.sha256(packed).hexdigest(), plain_bytes=len(text))
    manifest.write_text(json.dumps(found, indent=1, sort_keys=True) + "\\n")
else:
    packed = bytearray(dump.read_bytes())
    packed[len(packed) // 2] ^= 1
    dump.write_bytes(packed)
if audit:
    log.write_text(log.read_text().replace(before, hashlib.sha256(manifest.read_bytes()).hexdigest()))
"""


def run(machine: Host, *words: str) -> tuple[int, str]:
    """Run the program; return its exit code and all that it says."""
    out = machine.run(f"{shlex.join([PROGRAM, *words])} 2>&1; code=$?; echo; echo $code", seconds=600)
    said, _, code = out.rpartition("\n")
    return int(code), said.strip()


def make(machine: Host) -> str:
    """Make a backup and return its id."""
    code, said = run(machine, "backup")
    assert code == 0, said
    return ids(machine)[-1]


def ids(machine: Host) -> list[str]:
    """Return the backups that are on the host, the newest last."""
    return list(json.loads(run(machine, "list", "--json")[1]))


def state(machine: Host) -> dict[str, Any]:
    """Return what was noted."""
    found: dict[str, Any] = json.loads(machine.run(f"cat {BACKUPS}/state.json"))
    return found


def audit(machine: Host) -> dict[str, Any]:
    """Return the last line of the audit log."""
    found: dict[str, Any] = json.loads(machine.run(f"tail -n 1 {AUDIT}"))
    return found


def left_by_drills(machine: Host) -> str:
    """Return what drills have left: containers, volumes, files."""
    return machine.run(
        f"docker ps --all --quiet --filter label={LABEL}; docker volume ls --quiet --filter label={LABEL};"
        f" ls {STACK_DIR}/lock | grep '^drill\\.' || true"
    )


@contextmanager
def tampered(machine: Host, backup: str, change: str, *, counts: bool = False, log: bool = False) -> Iterator[None]:
    """Have a backup as somebody has changed it, and afterwards as it was."""
    folder = f"{BACKUPS}/{backup}"
    machine.run(f"rm -rf /root/kept && mkdir /root/kept && cp -a {folder} {AUDIT} /root/kept/")
    try:
        words = ["python3", "-", folder, AUDIT, change, "01"[counts], "01"[log]]
        machine.run(shlex.join(words), given=TAMPER)
        yield
    finally:
        machine.run(f"rm -rf {folder} && mv /root/kept/{backup} {BACKUPS}/")
        # The lines that were written meanwhile stay.
        machine.run(
            f"python3 - <<'E'\nkept=open('/root/kept/app.jsonl').read().splitlines(1); now=open('{AUDIT}').read().splitlines(1)\n"
            f"open('{AUDIT}','w').writelines(kept + now[len(kept):])\nE"
        )


@contextmanager
def settings(machine: Host, **changes: Any) -> Iterator[None]:
    """Have the program with other settings, and afterwards with those that it had."""
    before = machine.run(f"cat {SETTINGS}")
    try:
        write_settings(machine, json.dumps({**json.loads(before), **changes}))
        yield
    finally:
        write_settings(machine, before)


def write_settings(machine: Host, text: str) -> None:
    """Put settings in place."""
    machine.run(f"cat > {SETTINGS}", given=text + "\n")
