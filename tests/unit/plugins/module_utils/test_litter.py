# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What killed runs leave: found by its name, and removed only by who has the lock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _dump,
    _files,
    _litter,
    _lock,
    _lock_state,
    _release,
)
from ansible_collections.barehost.django.plugins.module_utils import _static as static_files

LEFT = [
    ".work-1-abcd_123/docker-x/config.json",
    "..env.0123abcd",
    ".compose.yaml.0123abcd",
    "static/.0123456789ab.abcd_123/css/site.css",
    "static/.previous.0123abcd",
    "releases/.0123456789ab.json.0123abcd",
    "releases/.current.0123abcd",
    "backups/.20260101T000000Z-before-0123456789ab.sql.gz.0123abcd.partial",
    "source/git/objects/pack/tmp_pack_AbCdEf",
]
OTHERS = [
    ".env",
    ".work-notes",
    ".ssh/key",
    "static/0123456789ab/site.css",
    "static/.well-known/acme",
    "releases/0123456789ab.json",
    "backups/.20260101T000000Z-nightly.sql.gz.0123abcd.partial",
    "backups/20260101T000000Z-before-0123456789ab.sql.gz",
    "source/git/objects/pack/pack-0123.pack",
    "media/.0123456789ab.abcd_123",
]


def lay(root: Path, names: list[str]) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")


def there(root: Path) -> set[str]:
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return {name for name in files if not name.startswith("lock/")}


@pytest.fixture
def token(tmp_path: Path) -> str:
    lock = _lock_state.new("t", {}, 1800)
    _lock.acquire(str(tmp_path), _lock_state.Wish(lock))
    return "t"


def test_what_is_left_goes_and_nothing_else(tmp_path: Path, token: str) -> None:
    lay(tmp_path, [*LEFT, *OTHERS])
    with _lock.hold(str(tmp_path), token, "image"):
        assert _litter.clear(tmp_path) == []
    assert there(tmp_path) == set(OTHERS)


def test_the_names_are_those_that_are_given(tmp_path: Path, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    staging = static_files.make_staging(tmp_path / "static" / "0123456789ab")
    name = _dump.file_name("before-0123456789ab", "20261124T084129Z")
    dump = _dump.Target(tmp_path / "backups" / name)
    dump.open().close()
    monkeypatch.setattr(Path, "replace", lambda *_args: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(Path, "unlink", lambda *_args, **_options: None)
    (tmp_path / "releases").mkdir()
    with pytest.raises(KeyboardInterrupt):
        _files.replace(tmp_path / "releases" / "0123456789ab.json", "{}", 0o600)
    with pytest.raises(KeyboardInterrupt):
        _release.point(tmp_path / "static" / "current", "0123456789ab")
    monkeypatch.undo()
    assert len(_litter.find(tmp_path)) == 4
    assert {staging, dump.temporary} < set(_litter.find(tmp_path))
    with _lock.hold(str(tmp_path), token, "image"):
        _litter.clear(tmp_path)
    assert there(tmp_path) == set()


@pytest.mark.parametrize("whose", ["nobody's", "another process's"])
def test_without_the_lock_everything_stays(
    tmp_path: Path, token: str, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    lay(tmp_path, LEFT)
    if whose == "nobody's":
        assert _litter.clear(tmp_path) == []
    else:
        with _lock.hold(str(tmp_path), token, "image"):
            own = os.getpid()
            monkeypatch.setattr(os, "getpid", lambda: own + 1)
            assert _litter.clear(tmp_path) == []
    assert there(tmp_path) == set(LEFT)


def test_a_folder_to_work_in_is_the_stacks_under_the_lock(tmp_path: Path, token: str) -> None:
    with _litter.work_folder(tmp_path, "/elsewhere") as folder:
        assert folder == "/elsewhere"
    with _lock.hold(str(tmp_path), token, "image"), _litter.work_folder(tmp_path, "/elsewhere") as folder:
        assert Path(folder).parent == tmp_path
        assert Path(folder).stat().st_mode & 0o77 == 0
        (Path(folder) / "password").touch()
        # Room is made while an image is built in it.
        assert _litter.clear(tmp_path) == []
        assert (Path(folder) / "password").exists()
    assert not Path(folder).exists()
    # As the next process sees what a killed one had.
    lay(tmp_path, [".work-1-abcd_123/password"])
    with _lock.hold(str(tmp_path), token, "image"):
        _litter.clear(tmp_path)
    assert there(tmp_path) == set()


def test_a_staged_tree_outlives_its_run_no_longer_than_to_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _litter.staging(str(tmp_path)) as folder:
        lay(Path(folder), ["redis/redis.conf"])
        assert Path(folder).stat().st_mode & 0o77 == 0
        # As long as its run is alive it stays, whoever else begins.
        assert _litter.clear_staging([tmp_path, tmp_path / "nowhere"]) == []
        assert there(tmp_path) == {f"{Path(folder).name}/redis/redis.conf"}
    assert there(tmp_path) == set()
    # No process has a number as high as that.
    own = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: 2**30)
    monkeypatch.setattr(_litter.shutil, "rmtree", lambda *_args, **_options: None)
    with _litter.staging(str(tmp_path)) as folder:
        lay(Path(folder), ["redis/redis.conf"])
    monkeypatch.undo()
    lay(tmp_path, [".staging-notes/x", f".staging-{own}-abcd_123/x"])
    assert Path(folder).exists()
    assert _litter.clear_staging([tmp_path]) == []
    assert there(tmp_path) == {".staging-notes/x", f".staging-{own}-abcd_123/x"}


def test_contexts_of_the_same_stack_that_were_sent_before(tmp_path: Path, token: str) -> None:
    stack, name = tmp_path / "stack", _litter.context_name("/opt/shop")
    assert name != _litter.context_name("/opt/app")
    lay(tmp_path, [f"tmp/a/{name}", f"tmp/b/{name}", f"tmp/a/{_litter.context_name('/opt/app')}"])
    _lock.acquire(str(stack), _lock_state.Wish(_lock_state.new(token, {}, 1800)))
    with _lock.hold(str(stack), token, "image"):
        assert _litter.clear(stack, str(tmp_path / "tmp" / "b" / name)) == []
    assert there(tmp_path / "tmp") == {f"b/{name}", f"a/{_litter.context_name('/opt/app')}"}


def test_what_cannot_be_removed_is_told(tmp_path: Path, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, LEFT)

    def refuse(_path: Path, **_options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refuse)
    with _lock.hold(str(tmp_path), token, "image"):
        problems = _litter.clear(tmp_path)
    assert f"{tmp_path}/..env.0123abcd could not be removed: [Errno 1] Operation not permitted" in problems
    monkeypatch.undo()
    monkeypatch.setattr(_litter, "find", lambda *_args: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with _lock.hold(str(tmp_path), token, "image"):
        (problem,) = _litter.clear(tmp_path)
    assert problem == "what killed runs left could not be looked for: [Errno 5] Input/output error"
