# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A dry run of django_prepare beside a database that is stopped or paused, which the real run wakes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _release
from ansible_collections.barehost.django.plugins.modules import django_prepare
from support.modules import stack_runs
from support.schema import Host

if TYPE_CHECKING:
    from pathlib import Path

FIRST = {"shop.0001_initial": "additive"}
IMAGES = {
    "first": FIRST,
    "same": FIRST,
    "added": {**FIRST, "shop.0002_add": "additive"},
    "dropped": {**FIRST, "shop.0002_drop": "destructive"},
}
SAID = "the database does not answer, so that is what the records of the releases say"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a host on which the first release serves, and whose database does not answer."""
    found = Host(tmp_path, IMAGES)
    found.deploy("first")
    found.down = True
    return found


def foresee(host: Host, release: str, serves: str = "first", **args: Any) -> dict[str, Any]:
    """Ask for the plan of a release in a dry run."""
    source = host.root / "context.tar"
    source.write_bytes(b"")
    engine = stack_runs(host.engine(release), serves)
    asked = {"collect": False, "context": str(source), "serving": True, **args}
    return host.module(django_prepare.main, release, engine, check=True, **asked)


@pytest.mark.parametrize("release", ["first", "same"])
def test_nothing_is_missing_by_the_records(host: Host, release: str) -> None:
    result = foresee(host, release)
    assert (result["plan_known"], result["plan"], result["changed"]) == (True, [], False)
    assert result["msg"] == f"the schema is up to date; {SAID}"


def test_what_is_missing_by_the_records(host: Host) -> None:
    result = foresee(host, "added")
    assert [step["migration"] for step in result["plan"]] == ["shop.0002_add"]
    assert (result["plan_known"], result["kinds"]["additive"]) == (True, 1)
    assert result["msg"] == f"1 migration to apply; {SAID}"


def test_what_the_real_run_refuses_is_refused(host: Host) -> None:
    result = foresee(host, "dropped")
    assert result["failed"] is True
    assert result["msg"].startswith("nothing was applied: the release that serves cannot live with shop.0002_drop: ")
    assert "failed" not in foresee(host, "dropped", allow_destructive=True)


def test_what_another_release_has_applied_since_is_not_missing(host: Host) -> None:
    host.down = False
    # It never served: its migration stays.
    host.migrate("added")
    host.down = True
    assert foresee(host, "added")["plan"] == []


def test_what_another_release_has_only_begun_leaves_it_unknown(host: Host) -> None:
    host.down, host.stop = False, ("shop.0002_add", "killed")
    host.killed("added")
    host.down = True
    result = foresee(host, "added")
    assert result["plan_known"] is False
    assert result["msg"] == "the plan cannot be known yet: the database does not answer yet"


def test_records_that_do_not_say_it_leave_it_unknown(host: Host) -> None:
    path = _release.record_path(str(host.root), "first")
    record = _release.read_record(path) or {}
    _release.write_record(path, {**record, "schema": []})
    assert foresee(host, "same")["plan_known"] is False


@pytest.mark.parametrize("found", [True, False])
def test_the_superuser_is_as_the_last_run_has_found_it(host: Host, *, found: bool) -> None:
    path = _release.record_path(str(host.root), "first")
    account = {"username": "ana", "email": ""}
    _release.write_record(path, {**(_release.read_record(path) or {}), **({"superuser": account} if found else {})})
    result = foresee(host, "same", superuser=account)
    assert result["superuser_settled"] is found
