# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""release_rollback after deploys of every kind: what the other modules have written must be what it reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _release, _schema
from ansible_collections.barehost.django.plugins.modules import release_rollback
from support.modules import Engine, run
from support.schema import Host

if TYPE_CHECKING:
    from pathlib import Path

FIRST = {"shop.0001_initial": "additive"}
ADDED = {**FIRST, "shop.0002_add": "additive"}
DROPPED = {**FIRST, "shop.0002_drop": "destructive"}
BOTH = {**ADDED, "shop.0003_drop": "destructive"}
IMAGES = {
    "first": FIRST,
    "hotfix": FIRST,
    "added": ADDED,
    "dropped": DROPPED,
    "both": BOTH,
    "last": BOTH,
    "fill": {**FIRST, "shop.0002_fill": "data"},
}
SAFE = "the schema is the one that the release knows"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a host on which the first release serves."""
    found = Host(tmp_path, IMAGES)
    found.deploy("first")
    return found


def entry(host: Host, release: str) -> list[tuple[str, list[str], str]]:
    """Return what a release's record says of the schema, shortly."""
    record = _release.read_record(_release.record_path(str(host.root), release)) or {}
    return [(found["migration"], found["kinds"], found["state"]) for found in record["migrations"]]


def test_without_a_release_there_is_nothing_to_go_back_from(tmp_path: Path) -> None:
    result = run(release_rollback.main, {"project_dir": str(tmp_path)})
    assert result["msg"] == f"There is no stack in {tmp_path}: run barehost.django.site first."
    (tmp_path / "compose.yaml").touch()
    result = run(release_rollback.main, {"project_dir": str(tmp_path)})
    assert result["msg"] == f"there is no release in {tmp_path}: nothing to go back from"


def test_a_release_that_is_not_there_is_refused_in_one_line(host: Host) -> None:
    result = host.back("nowhere")
    assert (result["failed"], "\n" in result["msg"]) == (True, False)
    assert "release nowhere has never served here" in result["msg"]


def test_a_release_whose_image_is_gone_is_refused(host: Host) -> None:
    host.deploy("hotfix")
    engine = Engine().on("image", "inspect", "shop/app:first", reply=(1, "[]", "No such image"))
    result = host.module(release_rollback.main, "first", engine, allow_schema_mismatch=True)
    assert result["failed"] is True
    assert result["msg"] == (
        "the image shop/app:first is not on the host any more: deploy that version instead of going back"
    )


def test_beside_a_paused_database_nobody_goes_back(host: Host) -> None:
    host.deploy("hotfix")
    host.paused = "mysql shop-mysql-1\nnginx shop-nginx-1\n"
    result = host.back("first")
    assert result["failed"] is True
    assert result["msg"] == (
        "paused: mysql, nginx, and going back does not change that: run `docker unpause shop-mysql-1 shop-nginx-1` on the "
        "host, then the same again"
    )


def test_what_runs_the_release_is_for_the_switch_to_let_go_on(host: Host) -> None:
    path = _release.record_path(str(host.root), "first")
    host.deploy("hotfix")
    _release.update_record(path, "first", "shop/app:first", {"switch": {"services": [{"name": "worker"}]}})
    host.paused = "worker shop-worker-1\n"
    assert "failed" not in host.back("first")


def test_what_it_answers(host: Host) -> None:
    host.deploy("hotfix")
    result = host.back("")
    assert (result["changed"], result["release_id"], result["before"]) == (False, "first", "hotfix")
    assert result["record"]["image"] == "shop/app:first"
    assert result["schema"] == {"known": True, "safe": True, "migrations": [], "harmful": [], "dump": ""}
    assert result["diff"] == {"before": "release: hotfix\n", "after": "release: first\n"}
    assert result["msg"].endswith(SAFE)


def test_what_only_added_lets_the_way_back_open(host: Host) -> None:
    host.deploy("added")
    result = host.back("first")
    assert "failed" not in result
    assert result["schema"]["migrations"] == ["shop.0002_add"]
    assert "ahead of it by shop.0002_add, which only added to it" in result["msg"]


def test_what_took_something_away_is_refused_with_the_dump_unless_it_is_allowed(host: Host) -> None:
    host.deploy("both", allow=True)
    result = host.back("first")
    assert result["failed"] is True
    assert "\n" not in result["msg"]
    assert result["msg"].startswith(
        "not going back to release first: the schema is ahead of it by shop.0003_drop (destructive): "
    )
    assert "with release_allow_schema_mismatch: true; the data as it was before: " in result["msg"]
    assert result["msg"].endswith("barehost.django.restore -e restore_from=/b/both-1.sql.gz")
    assert result["schema"]["safe"] is False
    assert host.back("first", allow_schema_mismatch=True)["release_id"] == "first"


def test_a_release_that_was_built_long_before_it_was_deployed_is_still_later(host: Host) -> None:
    assert "nothing was applied" in host.migrate("dropped")["msg"]
    host.deploy("hotfix")
    host.deploy("dropped", allow=True)
    assert "shop.0002_drop (destructive)" in host.back("hotfix")["msg"]
    assert "shop.0002_drop (destructive)" in host.back("first")["msg"]


def test_a_release_that_was_built_early_and_failed_late_is_later_too(host: Host) -> None:
    host.migrate("dropped")
    host.deploy("hotfix")
    host.stop = ("shop.0002_drop", "failed")
    host.migrate("dropped", allow=True)
    host.deploy("added")
    assert "shop.0002_drop (destructive, half done)" in host.back("hotfix")["msg"]


def test_a_second_try_does_not_hide_the_dump_from_before_the_first(host: Host) -> None:
    host.stop = ("shop.0002_drop", "failed")
    host.migrate("dropped", allow=True)
    host.stop = None
    host.deploy("dropped", allow=True)
    assert "restore_from=/b/dropped-1.sql.gz" in host.back("first")["msg"]


def test_a_migration_that_ran_out_of_time_is_known(host: Host) -> None:
    host.stop = ("shop.0002_drop", "timed out")
    result = host.migrate("dropped", allow=True)
    assert result["failed_migration"] == "shop.0002_drop"
    assert entry(host, "dropped") == [("shop.0002_drop", ["destructive"], "half")]
    host.deploy("hotfix")
    assert "shop.0002_drop (destructive, half done)" in host.back("first")["msg"]


def test_a_migration_whose_module_was_killed_is_known(host: Host) -> None:
    host.stop = ("shop.0003_drop", "killed")
    host.killed("both", allow=True)
    assert entry(host, "both") == [
        ("shop.0002_add", ["additive"], "begun"),
        ("shop.0003_drop", ["destructive"], "begun"),
    ]
    host.deploy("hotfix")
    assert "shop.0003_drop (destructive, perhaps half done)" in host.back("first")["msg"]


def test_what_a_killed_module_had_left_running_came_to_its_end(host: Host) -> None:
    host.stop = ("shop.0003_drop", "killed")
    host.killed("both", allow=True)
    # Its container went on; the plan of the next run holds nothing any more.
    host.applied, host.stop = list(BOTH), None
    host.deploy("both")
    assert entry(host, "both") == [
        ("shop.0002_add", ["additive"], "applied"),
        ("shop.0003_drop", ["destructive"], "applied"),
    ]
    assert "ahead of it by shop.0003_drop (destructive): " in host.back("first")["msg"]


def test_the_rest_of_a_killed_migration_does_not_hide_what_was_done(host: Host) -> None:
    images = {**IMAGES, "both": {**DROPPED, "shop.0003_add": "additive"}}
    host.images = images
    host.stop = ("shop.0003_add", "killed")
    host.killed("both", allow=True)
    host.stop = None
    host.deploy("both")
    assert "ahead of it by shop.0002_drop (destructive): " in host.back("first")["msg"]
    assert "restore_from=/b/both-1.sql.gz" in host.back("first")["msg"]


def test_a_migration_that_the_database_took_back_is_none(host: Host) -> None:
    host.stop = ("shop.0002_drop", "undone")
    assert host.migrate("dropped", allow=True)["failed_migration"] == "shop.0002_drop"
    assert entry(host, "dropped") == []
    host.deploy("hotfix")
    assert host.back("first")["msg"].endswith(SAFE)


def test_what_a_second_try_does_not_come_to_is_still_half_done(host: Host) -> None:
    host.stop = ("shop.0002_drop", "failed")
    host.migrate("dropped", allow=True)
    host.stop = ("shop.0002_drop", "undone")
    host.migrate("dropped", allow=True)
    assert entry(host, "dropped") == [("shop.0002_drop", ["destructive"], "half")]


def test_nothing_is_left_of_a_plan_that_was_refused(host: Host) -> None:
    host.migrate("both")
    host.deploy("added")
    assert "failed" not in host.back("first")


def test_what_no_record_speaks_of_is_not_trusted(host: Host) -> None:
    host.applied.append("shop.0002_add")
    host.deploy("added")
    result = host.back("first")
    assert result["failed"] is True
    assert "ahead of it by shop.0002_add (of an unknown kind): " in result["msg"]
    assert "there is no dump of the schema before that" in result["msg"]


def test_records_without_names_are_compared_by_their_heads(host: Host) -> None:
    host.deploy("added")
    for release in ("first", "added"):
        path = _release.record_path(str(host.root), release)
        record = json.loads(path.read_text())
        del record["schema"], record["migrations"]
        path.write_text(json.dumps(record))
    assert "ahead of it by shop.0002_add (of an unknown kind): " in host.back("first")["msg"]


def test_an_older_release_is_no_reason_not_to_go_forward_again(host: Host) -> None:
    host.deploy("added")
    host.deploy("hotfix")
    assert host.back("added")["msg"].endswith(SAFE)


def test_a_run_for_the_release_that_serves_is_no_new_beginning(host: Host) -> None:
    host.stop = ("shop.0002_drop", "failed")
    host.migrate("dropped", allow=True)
    host.deploy("first")
    host.deploy("hotfix")
    assert "shop.0002_drop (destructive, half done)" in host.back("first")["msg"]


def test_a_release_that_was_deployed_over_it_has_lived_with_it(host: Host) -> None:
    host.stop = ("shop.0002_drop", "failed")
    host.migrate("dropped", allow=True)
    host.deploy("hotfix")
    host.deploy("added")
    assert "failed" not in host.back("hotfix")


def test_a_deploy_that_failed_proves_nothing(host: Host) -> None:
    host.deploy("dropped", allow=True)
    # Asked for again, and never accepted.
    host.migrate("first", allow_schema_mismatch=True)
    assert "shop.0002_drop (destructive)" in host.back("first")["msg"]


def test_a_record_that_cannot_be_written_ends_before_anything_is_applied(host: Host) -> None:
    folder = host.root / "releases"
    before = list(host.applied)
    host.build("added")
    real = _release.update_record

    def full(path: Path, release: str, image: str, details: dict[str, Any]) -> None:
        if any(found["state"] == _schema.BEGUN for found in details.get("migrations", [])):
            raise OSError(28, "No space left on device", str(folder))
        real(path, release, image, details)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_release, "update_record", full)
        result = host.migrate("added")
    assert result["msg"].startswith("nothing was applied, as the record of the release cannot be written: ")
    assert host.applied == before


def test_an_engine_that_is_stopped_is_told_apart_from_an_image_that_is_gone(host: Host) -> None:
    host.deploy("hotfix")
    stopped = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
    engine = Engine().on("image", "inspect", reply=(1, "[]", f"{stopped}\n"))
    result = host.module(release_rollback.main, "first", engine)
    assert result["failed"] is True
    assert result["msg"] == (
        f"Docker does not run, and going back does not start it ({stopped}): start it first, or run barehost.django.site"
    )
