# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a manifest is the one that was written: the same answer for a restore and for a drill."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _audited,
    _manifest,
    _restore,
    _restore_source,
    _restore_text,
)
from test_restore_source import ID, backup

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Have a backup."""
    (tmp_path / "backups").mkdir()
    return backup(tmp_path)


def line(folder: Path, to: str = ID, **values: Any) -> str:
    digest = hashlib.sha256((folder / _manifest.FILE).read_bytes()).hexdigest()
    return json.dumps({"to": to, "command": "backup", "manifest_sha256": digest, **values})


def asked(folder: Path, *lines: str) -> tuple[str, str]:
    log = folder.parent.parent / "audit.jsonl"
    log.write_text("\n".join(lines))
    return _audited.ask(folder, ID, log)


def test_the_one_that_was_written(folder: Path) -> None:
    other = line(folder, "20200101T000000Z", message=f"before {ID}", manifest_sha256="ff")
    assert asked(folder, f"torn manifest_sha256 {ID}", other, line(folder)) == ("", "")


def test_the_first_word_counts(folder: Path) -> None:
    assert asked(folder, line(folder), line(folder, manifest_sha256="ff")) == ("", "")
    changed, _unknown = asked(folder, line(folder, manifest_sha256="ff"), line(folder))
    assert "is not the one that was written" in changed
    # A drill of it names it, too.
    assert asked(folder, line(folder, manifest_sha256=""), line(folder)) == ("", "")


def test_one_that_was_written_by_an_older_version_is_no_other(folder: Path) -> None:
    path = folder / _manifest.FILE
    found = json.loads(path.read_text())
    del found["warnings"]
    path.write_text(json.dumps(found))
    assert _manifest.render(_manifest.read(folder)) != path.read_text()
    assert asked(folder, line(folder)) == ("", "")


def test_without_a_line_nobody_can_say(folder: Path) -> None:
    for lines in ((), (line(folder, "20200101T000000Z"),)):
        assert asked(folder, *lines)[0] == ""
        assert "nobody can say" in asked(folder, *lines)[1]
    assert "nobody can say" in _audited.ask(folder, ID, folder / "nowhere")[1]


@pytest.mark.parametrize(
    ("noted", "stranger", "refused", "warning"),
    [
        (None, "", False, "nobody can say"),
        ("ff", "", True, ""),
        ("ff", "shop@other", False, "knows another backup"),
        ("", "", False, ""),
    ],
)
def test_what_a_restore_makes_of_it(
    folder: Path,
    noted: str | None,
    stranger: str,
    refused: bool,  # noqa: FBT001 - a column
    warning: str,
) -> None:
    root = folder.parent.parent
    log = root / "audit.jsonl"
    if noted is not None:
        log.write_text(line(folder, **({"manifest_sha256": noted} if noted else {})))
    job = _restore.Job(root, "shop", "shop", ID, audit_log=str(log))
    source = _restore_source.find(root, ID, ["database"])
    verified = _restore_source.Verified(_restore_text.Found(), {})
    assert bool(_restore.altered(job, source, verified, stranger)) == refused
    assert len(verified.warnings) == bool(warning)
    assert warning in "".join(verified.warnings)
