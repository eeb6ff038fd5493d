# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a switch writes down, and what it takes from that: what serves, and what there is to go back to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _edge, _release, _switch_job

if TYPE_CHECKING:
    from pathlib import Path

    from ansible.module_utils.basic import AnsibleModule

EDGE = {
    "service": "nginx", "directory": "nginx/upstream", "stamp_port": 8090, "http_port": 80, "test": ["t"], "command": ["r"],
    "upstream": "web", "probe": {"path": "/", "port": 8000, "host": "localhost"},
}  # fmt: skip


class Stack:
    """The directory of a stack."""

    def __init__(self, root: Path) -> None:
        """Make it, bare."""
        self.root = root
        (root / "releases").mkdir()
        self.configure("none")

    def configure(self, content: str) -> None:
        """Write the files that the next release is started with."""
        for name in ("compose.yaml", ".env"):
            (self.root / name).write_text(content)

    def job(self, release: str, generation: str = "", **params: Any) -> _switch_job.Job:
        """Return the job that switches to a release, as far as it has looked at the host."""
        given = {
            "project_dir": str(self.root), "project": "shop", "release_id": release, "image": f"shop/app:{release}", "image_id": "",
            "services": [{"name": "web", "rollover": "beside", "routed": True, "replicas": 1, "ready": [], "networks": ["b"]}],
            "edge": EDGE, "tasks": {}, "static_root": "/static", "details": {}, "settings_before": False, "reject": "",
            **params,
        }  # fmt: skip
        module = SimpleNamespace(params=given, run_command=None, tmpdir="", check_mode=False)
        job = _switch_job.Job(cast("AnsibleModule", module))
        generation = generation or f"of-{release}"
        job.wanted = {"web": {"generation": generation}}
        job.text = _release.serving_text(release, "i", {"web": generation}, networks={"web": []}, routed=[])
        return job

    def commit(self, release: str, *, proven: bool = True, **params: Any) -> None:
        """Deploy a release, with settings of its own."""
        self.configure(params.pop("content", release))
        self.job(release, **params).commit()
        if proven:
            _release.prove(str(self.root), release)

    def record(self, release: str) -> dict[str, Any]:
        """Return the record of a release."""
        return _release.read_record(self.root / "releases" / f"{release}.json") or {}


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Return a stack that has served two releases."""
    made = Stack(tmp_path)
    made.commit("aaa")
    made.commit("bbb")
    return made


def test_there_is_nothing_to_go_back_to_from_the_first(tmp_path: Path) -> None:
    job = Stack(tmp_path).job("aaa")
    assert (job.serving, job.before["id"], job.resumed) == ("", "", False)
    assert job.route_before(_edge.Route("web-of-aaa", 8000)) == _edge.Route()
    assert job.static_before(("aaa",)) == ()


def test_what_served_is_what_there_is_to_go_back_to(stack: Stack) -> None:
    job = stack.job("ccc")
    assert (job.serving, job.before["id"], job.resumed) == ("bbb", "bbb", False)
    assert job.before["switch"]["static_root"] == "/static"
    assert job.route_before(_edge.Route("web-of-bbb", 8000)) == _edge.Route("web-of-bbb", 8000)
    assert job.static_before(("bbb", "aaa")) == ("bbb", "aaa")


def test_a_run_that_was_cut_off_before_its_commit_has_changed_nothing_of_that(stack: Stack) -> None:
    job = stack.job("ccc")
    job.note("probe")
    again = stack.job("ccc")
    assert (again.serving, again.before["id"]) == ("bbb", "bbb")
    # Its files say otherwise by now.
    assert again.route_before(_edge.Route("web-of-ccc", 8000)) == _edge.Route("web-of-bbb", 8000)
    assert again.static_before(("ccc", "bbb", "aaa")) == ("bbb", "aaa")
    assert stack.job("aaa").static_before(("aaa", "bbb")) == ("bbb", "aaa")


def test_a_commit_that_is_not_proven_can_still_be_taken_back(stack: Stack) -> None:
    stack.commit("ccc", proven=False)
    for _ in range(2):
        job = stack.job("ccc")
        assert (job.serving, job.before["id"], job.resumed) == ("ccc", "bbb", True)
        # The same once more, with other settings.
        stack.commit("ccc", proven=False, content="other")
    _release.prove(str(stack.root), "ccc")
    assert (stack.job("ccc").before["id"], stack.job("ccc").resumed) == ("ccc", False)


def test_the_settings_of_what_is_gone_back_to_are_there_still(stack: Stack) -> None:
    stack.commit("ccc", proven=False)
    stack.commit("ccc", proven=False, content="other")
    _release.drop_settings(str(stack.root))
    _release.restore_files(str(stack.root), stack.record("ccc")["before"]["settings"])
    assert (stack.root / ".env").read_text() == "bbb"
    _release.restore_files(str(stack.root))
    assert (stack.root / ".env").read_text() == "other"


def test_the_same_release_with_other_settings_can_go_back_to_its_own(stack: Stack) -> None:
    stack.commit("bbb", proven=False, content="other", generation="second")
    job = stack.job("bbb", "third")
    assert (job.before["id"], job.resumed) == ("bbb", True)
    _release.restore_files(str(stack.root), job.before["settings"])
    assert (stack.root / ".env").read_text() == "bbb"


def test_a_commit_that_fails_half_way_leaves_no_trace(stack: Stack) -> None:
    before = (stack.record("bbb"), stack.record("aaa"), (stack.root / "compose.override.yaml").read_text())
    job = stack.job("aaa", reject="rolled back")
    job.note("commit")
    job.commit()
    assert stack.record("bbb")["rejected"]["reason"] == "rolled back"
    job.uncommit()
    assert _release.committed(str(stack.root)).release_id == "bbb"
    assert (
        stack.record("bbb"),
        {**stack.record("aaa"), "step": None},
        (stack.root / "compose.override.yaml").read_text(),
    ) == (before[0], {**before[1], "step": None}, before[2])
    # It still says how far it came.
    assert stack.record("aaa")["step"] == "commit"


def test_a_first_commit_is_taken_back_too(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    job = stack.job("aaa")
    job.commit()
    job.uncommit()
    assert _release.committed(str(tmp_path)) == _release.Committed("", None, {})
    assert "activated" not in stack.record("aaa")


def test_whoever_is_left_is_rejected_and_good_again_once_it_serves(stack: Stack) -> None:
    stack.commit("aaa", reject="rolled back")
    assert stack.record("bbb")["rejected"]["reason"] == "rolled back"
    assert not stack.record("aaa")["rejected"]
    stack.commit("bbb")
    assert not stack.record("bbb")["rejected"]


def test_what_is_gone_back_to_needs_no_proof(stack: Stack) -> None:
    stack.commit("ccc", proven=False)
    stack.commit("bbb", proven=False, settings_before=True, reject="it did not answer")
    assert stack.job("bbb").resumed is False
    assert stack.record("ccc")["rejected"]["reason"] == "it did not answer"
