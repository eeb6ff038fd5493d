# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""hadolint over every Dockerfile, with shellcheck over what they run."""

from __future__ import annotations

import json
from pathlib import Path

from findings import Finding, problems, program, said, short, tracked, unexplained


def look(*paths: Path) -> list[Finding]:
    """Return what hadolint finds, down to matters of style; an `ignore` beside a line switches nothing off."""
    argv = [program("hadolint"), "--no-color", "--format", "json", "--disable-ignore-pragma", "--config", "/dev/null"]
    return [
        Finding(short(Path(item["file"])), item["line"], item["code"], item["message"])
        for item in json.loads(said([*argv, *map(str, paths)]))
    ]


def dockerfiles() -> list[Path]:
    """Return all that there are."""
    return [path for path in tracked() if path.name.startswith("Dockerfile")]


def test_nothing_in_a_dockerfile_is_unexplained() -> None:
    assert len(dockerfiles()) >= 2
    assert problems("hadolint", look(*dockerfiles())) == []


def test_a_flaw_is_found(tmp_path: Path) -> None:
    flaw = tmp_path / "Dockerfile"
    flaw.write_text(
        "FROM debian\n# hadolint ignore=DL3020\nADD x.py /\nRUN cd $HOME && sudo rm $1\nUSER root\nCMD python x.py\n"
    )
    found = {line.split()[1] for line in unexplained("hadolint", look(flaw))}
    assert {"DL3002", "DL3004", "DL3006", "DL3020", "DL3025", "SC2086"} <= found
