# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""django_prepare where the database is ahead of the image that is to be deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.modules import django_prepare
from support.modules import run, sent, stack_runs
from support.schema import Host

if TYPE_CHECKING:
    from pathlib import Path

FIRST = {"shop.0001_initial": "additive"}
IMAGES = {
    "first": FIRST,
    "added": {**FIRST, "shop.0002_add": "additive"},
    "filled": {**FIRST, "shop.0002_fill": "data"},
    "dropped": {**FIRST, "shop.0002_drop": "destructive"},
}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a host on which the first release serves."""
    found = Host(tmp_path, IMAGES)
    found.deploy("first")
    assert found.warnings == []
    return found


def test_an_older_image_over_a_destructive_schema_is_refused(host: Host) -> None:
    host.deploy("dropped", allow=True)
    result = host.migrate("first")
    assert result["failed"] is True
    assert result["unknown"] == ["shop.0002_drop"]
    assert result["msg"].startswith(
        "release first does not have migrations that the database has, and these took something away: "
        "shop.0002_drop (destructive). Deploy a version that has them, or go on all the same with "
        "release_allow_schema_mismatch: true; the data as it was before: "
    )
    assert result["msg"].endswith("barehost.django.restore -e restore_from=/b/dropped-1.sql.gz")


def test_a_dry_run_refuses_it_too(host: Host) -> None:
    host.deploy("dropped", allow=True)
    source = host.root / "context.tar"
    source.write_bytes(b"")
    args = {"project_dir": str(host.root), "release_id": "first", "collect": False, "context": str(source)}
    engine = stack_runs(host.engine("first"), "dropped")
    result = run(django_prepare.main, args, engine, check=True)
    assert "source" in sent(engine.work[0])
    assert result["failed"] is True
    assert "these took something away: shop.0002_drop" in result["msg"]


def test_what_is_allowed_is_a_warning(host: Host) -> None:
    host.deploy("dropped", allow=True)
    host.deploy("first", allow_schema_mismatch=True)
    said = (
        "release first does not have migrations that the database has: shop.0002_drop (destructive). Its code has to "
    )
    assert host.warnings == [said + "live with them"]


@pytest.mark.parametrize(("release", "kind"), [("added", "additive"), ("filled", "data")])
def test_what_took_nothing_away_is_a_warning(host: Host, release: str, kind: str) -> None:
    host.deploy(release)
    host.deploy("first")
    assert len(host.warnings) == 1
    assert f" ({kind}). Its code" in host.warnings[0]


def test_what_nobody_has_written_down_is_a_warning(host: Host) -> None:
    host.applied.append("shop.0002_else")
    host.deploy("first")
    assert "shop.0002_else (of an unknown kind)" in host.warnings[0]


def test_the_release_that_serves_may_be_deployed_again(host: Host) -> None:
    host.migrate("dropped", allow=True)
    # It was not accepted, and its migration stays.
    result = host.migrate("first")
    assert "failed" not in result
    assert "shop.0002_drop (destructive)" in host.warnings[0]
