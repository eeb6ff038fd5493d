# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""deploy_lock: old passwords go with the lock of a deploy that has come to its good end, and with no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _before, _credentials, _lock, _redis_users
from ansible_collections.barehost.django.plugins.modules import deploy_lock
from support.modules import Call, Engine, Reply, run

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = "not-for-production-old", "not-for-production-new"
WISH = {"kind": "redis", "service": "redis", "file": "redis_users/default.conf", "secret": "redis_password"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the directory of a stack whose Redis takes two passwords."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "redis_password").write_text(NEW)
    (tmp_path / "redis_users").mkdir()
    hashes = [_redis_users.hash_of(NEW), _redis_users.hash_of(OLD)]
    (tmp_path / WISH["file"]).write_text(_redis_users.file_text(hashes))
    _credentials.note(tmp_path, WISH, "shop")
    return tmp_path


def call(root: Path, engine: Engine | None = None, *, check: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module."""
    return run(
        deploy_lock.main, {"project_dir": str(root), "audit_log": str(root / "log"), **options}, engine, check=check
    )


def redis() -> Engine:
    """Return an engine with a Redis that does what it is told."""

    def told(one: Call) -> Reply:
        return 0, " ".join(_redis_users.HASH.findall(one.data or "")), ""

    return Engine().on("ps", reply=(0, "redis-id\n", "")).on("redis-cli", reply=told)


def deploy(root: Path, result: str, engine: Engine, step: str = _before.INSTALLING) -> dict[str, Any]:
    """Hold the lock for a step, and give it back."""
    token = call(root)["token"]
    with _lock.hold(str(root), token, step):
        pass
    return call(root, engine, state="free", token=token, result={"result": result})


def test_a_good_end_leaves_the_new_password_alone(root: Path) -> None:
    engine = redis()
    freed = deploy(root, "ok", engine)
    assert freed["finished"] == ["password of Redis: old one discarded"]
    # What the call before has reported is reported once.
    assert freed["changed"] is False
    assert _redis_users.HASH.findall((root / WISH["file"]).read_text()) == [_redis_users.hash_of(NEW)]
    assert not (root / _credentials.NOTE).exists()
    assert [one for one in engine.calls if any(NEW in word for word in one.argv)] == []


@pytest.mark.parametrize(
    ("result", "step"), [("failed", _before.INSTALLING), ("returned", _before.INSTALLING), ("ok", "switch")]
)
def test_any_other_end_leaves_both(root: Path, result: str, step: str) -> None:
    engine = Engine()
    assert deploy(root, result, engine, step)["finished"] == []
    assert engine.calls == []
    assert (root / _credentials.NOTE).exists()


def test_where_nothing_was_replaced_nothing_is_asked(root: Path) -> None:
    _credentials.forget(root)
    engine = Engine()
    assert deploy(root, "ok", engine)["finished"] == []
    assert engine.calls == []


def test_a_server_that_is_down_keeps_nobody_from_giving_the_lock_back(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    freed = deploy(root, "ok", Engine().on("ps", reply=(0, "", "")))
    assert (freed["finished"], freed["lost"]) == ([], "")
    assert warnings == ["an old password is still taken beside the new one, until the next deploy: redis does not run"]
    assert (root / _credentials.NOTE).exists()
