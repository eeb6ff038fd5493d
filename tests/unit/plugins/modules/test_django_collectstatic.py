# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""django_collectstatic: one directory for each release, whole or not there."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from ansible.module_utils import basic
from ansible_collections.barehost.django.plugins.modules import django_collectstatic
from support.modules import Engine, recorded, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.modules import Call, Reply

DONE = '\nbarehost-recorded:{"event": "done"}\n'


def collects(files: dict[str, str], code: int = 0, out: str = DONE) -> Callable[[Call], Reply]:
    """Do what the container does: write into the directory that is mounted."""

    def reply(call: Call) -> Reply:
        staging = Path(call.argv[call.argv.index("-v") + 1].partition(":")[0])
        for path, text in files.items():
            (staging / path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            (staging / path).write_text(text)
            (staging / path).chmod(0o600)
        return code, out, ""

    return reply


def args(tmp_path: Path, release: str = "r1") -> dict[str, object]:
    return {"project_dir": str(tmp_path), "release_id": release}


def test_collects_into_a_fresh_directory(tmp_path: Path) -> None:
    engine = Engine().on("run", "--rm", reply=collects({"admin/a.css": "abc", "b.js": "x"}))
    result = run(django_collectstatic.main, {**args(tmp_path), "static_root": "/srv/static"}, engine)
    assert result["changed"] is True
    assert (result["files"], result["bytes"]) == (2, 4)
    assert (result["added"], result["removed"], result["differing"]) == (2, 0, 0)
    assert result["directory"] == str(tmp_path / "static" / "r1")
    assert result["diff"]["after"] == "+ admin/a.css\n+ b.js\n"
    argv = engine.calls[0].argv
    assert argv[argv.index("--user") + 1] == "0:0"
    assert argv[argv.index("-v") + 1].startswith(f"{tmp_path}/static/.r1.")
    assert argv[argv.index("-v") + 1].endswith(":/srv/static")
    assert argv[-3:] == ["web", "python", "-"]
    assert [path.name for path in (tmp_path / "static").iterdir()] == ["r1"]


def test_everybody_may_read(tmp_path: Path) -> None:
    run(django_collectstatic.main, args(tmp_path), Engine().on("run", reply=collects({"admin/a.css": "abc"})))
    root = tmp_path / "static" / "r1"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (root, root / "admin", root / "admin" / "a.css")]
    assert modes == [0o755, 0o755, 0o644]


def test_a_release_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "static" / "r1").mkdir(parents=True)
    (tmp_path / "static" / "r1" / "a").write_text("abc")
    for check in (False, True):
        result = run(django_collectstatic.main, args(tmp_path), Engine(), check=check)
        assert (result["changed"], result["files"], result["bytes"]) == (False, 1, 3)


def test_check_without_anything(tmp_path: Path) -> None:
    result = run(django_collectstatic.main, args(tmp_path), Engine(missing=("docker",)), check=True)
    assert result["changed"] is True
    assert result["msg"] == "the static files of r1 would be collected"
    assert not (tmp_path / "static").exists()


def test_diff_against_the_current_release(tmp_path: Path) -> None:
    for release, files in (("r1", {"a": "1", "b": "1", "c": "1"}), ("r2", {"a": "1", "b": "2", "d": "1"})):
        result = run(django_collectstatic.main, args(tmp_path, release), Engine().on("run", reply=collects(files)))
        if release == "r1":
            (tmp_path / "static" / "current").symlink_to("r1")
    assert result["diff"]["after"] == "+ d\n- c\n~ b\n"
    assert (result["added"], result["removed"], result["differing"]) == (1, 1, 1)


def test_the_diff_is_bounded(tmp_path: Path) -> None:
    files = {f"f{index:03}": "x" for index in range(100)}
    result = run(django_collectstatic.main, args(tmp_path), Engine().on("run", reply=collects(files)))
    assert result["added"] == 100
    assert result["diff"]["after"].endswith("+ f039\n+ … and 60 more\n")


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    code, out, _err = recorded("no_settings")
    result = run(django_collectstatic.main, args(tmp_path), Engine().on("run", reply=collects({"a": "1"}, code, out)))
    assert result["failed"] is True
    assert result["msg"].startswith("collecting static files failed: the app does not start with these settings: Mod")
    assert list((tmp_path / "static").iterdir()) == []


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    (tmp_path / "static" / ".r1.abc").mkdir(parents=True)
    (tmp_path / "static" / ".r10.abc").mkdir()
    run(django_collectstatic.main, args(tmp_path), Engine().on("run", reply=collects({"a": "1"})))
    assert sorted(path.name for path in (tmp_path / "static").iterdir()) == [".r10.abc", "r1"]


def test_nothing_collected_is_a_warning(tmp_path: Path) -> None:
    with mock.patch.object(basic.AnsibleModule, "warn") as warn:
        result = run(django_collectstatic.main, args(tmp_path), Engine().on("run", reply=collects({})))
    assert result["changed"] is True
    assert "put no file into its directory" in warn.call_args.args[0]


@pytest.mark.parametrize(
    ("extra", "fragment"),
    [
        ({"release_id": "../x"}, "release_id '../x'"),
        ({"release_id": "current"}, "release_id 'current'"),
        ({"release_id": ""}, "release_id ''"),
        ({"static_root": "static"}, "static_root 'static'"),
        ({"static_root": "/a:/b"}, "static_root '/a:/b'"),
    ],
)
def test_refused(tmp_path: Path, extra: dict[str, str], fragment: str) -> None:
    result = run(django_collectstatic.main, {**args(tmp_path), **extra})
    assert result["failed"] is True
    assert fragment in result["msg"]


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "r1").write_text("")
    assert "is in the way" in run(django_collectstatic.main, args(tmp_path))["msg"]
