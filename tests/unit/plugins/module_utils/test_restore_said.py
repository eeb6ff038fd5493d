# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people are told of a restore."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ansible_collections.barehost.django.plugins.module_utils import (
    _restore,
    _restore_media,
    _restore_run,
    _restore_said,
    _restore_source,
)
from ansible_collections.barehost.django.plugins.module_utils._restore_sql import Contents
from ansible_collections.barehost.django.plugins.module_utils._restore_text import Found

MEDIA = Path("/opt/shop/media")


def plan(*warnings: str, stranger: str = "") -> _restore.Plan:
    path = Path("/b/x.sql")
    found = Found(noise=["'Enter password:'"])
    verified = _restore_source.Verified(found, {"t": 2, "new": 1}, warnings=list(warnings))
    source = _restore_source.Source(path, path)
    return _restore.Plan(source, verified, {}, Contents(), {"t": 5, "gone": 1}, stranger, ("/", "/"))


def test_a_dry_run_shows_the_rows_of_each_table_before_and_after() -> None:
    said = _restore_said.foreseen(plan(), ["the schema x"])
    assert said["msg"] == "would restore x.sql: 2 tables with 3 rows"
    assert said["diff"] == {"before": "gone: 1 row\nt: 5 rows\n", "after": "new: 1 row\nt: 2 rows\n"}
    assert said["tables"] == [
        {"table": "gone", "before": 1, "after": None},
        {"table": "new", "before": None, "after": 1},
        {"table": "t", "before": 5, "after": 2},
    ]
    assert said["warned"] == [
        "left out, since it is no part of the dump: 'Enter password:'",
        "the schema x is settled first",
    ]


def test_uploaded_files_are_counted_with_what_becomes_of_those_that_are_there() -> None:
    job = plan()
    job.source = replace(job.source, media=Path("/b/media.tar.zst"))
    job.verified.media = _restore_media.Uploads(entries=5, files=1, there=4, same=0, other=1)
    said = _restore_said.foreseen(job, [])
    assert said["msg"] == "would restore x.sql: 2 tables with 3 rows, 1 uploaded file"
    assert said["diff"]["before"].endswith("t: 5 rows\nuploaded files: 4\n")
    became = "new: 0, gone: 3, of other size or time: 1, the same: 0"
    assert said["diff"]["after"].endswith(f"t: 2 rows\nuploaded files: 1 ({became})\n")


def test_tables_that_stay_are_not_said_to_be_restored() -> None:
    job = plan()
    job.database = False
    job.source = replace(job.source, media=Path("/b/media.tar.zst"))
    said = _restore_said.foreseen(job, [])
    assert said["msg"] == "would restore x.sql: 0 uploaded files"
    assert (said["tables"], said["rows"]) == ([], 0)
    assert said["diff"]["before"] == "uploaded files: 0\n"


def test_a_result_says_where_the_data_of_before_is_and_what_to_do() -> None:
    done = _restore_run.Done(
        "x", safety_dump="/b/s.sql.zst", old_schema="a__before_x", old_media="/b/m", seconds={"load": 1.5}
    )
    said = _restore_said.result(
        plan("run barehost.django.deploy now", stranger="shop@web1"), done, ["that was killed"], MEDIA
    )
    assert said["msg"] == (
        "restored x.sql of shop@web1: 2 tables with 3 rows in 1.5 s; the tables of before are in the schema a__before_x; "
        "their dump is /b/s.sql.zst; the files of before are in /b/m"
    )
    assert said["next"][0] == "run barehost.django.deploy now"
    assert "to go back: the same playbook with -e restore_from=/b/s.sql.zst" in said["next"]
    files = "find /b/m -mindepth 1 -maxdepth 1 -exec cp -a --remove-destination -t /opt/shop/media {} +"
    assert [step for step in said["next"] if step.endswith(f"to go back, on the host: {files}")]
    assert said["recovered"] == ["that was killed"]


def test_where_nothing_was_kept_nothing_is_said_of_it() -> None:
    said = _restore_said.result(plan(), _restore_run.Done("x"), [], MEDIA)
    assert said["msg"] == "restored x.sql: 2 tables with 3 rows in 0 s"
    assert [step for step in said["next"] if "stay" in step or "go back" in step] == []
