# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is not started: half-initialised data, data of another version, data in an upgrade."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _data_dir,
    _guard,
    _service,
    _up,
    _upgrade_state,
    _wait,
)
from support.data_host import GUARD, MARKER, Host

if TYPE_CHECKING:
    from pathlib import Path

DOWN = {"Status": "exited", "ExitCode": 1, "Health": {"Status": "unhealthy", "Log": []}}
AGAIN = {"RestartCount": 1, "Health": {"Status": "starting", "Log": []}}
BUSY = {"Health": {"Status": "starting", "Log": []}}
LATER = {**BUSY, "StartedAt": "2026-11-26T20:10:00.1Z"}
RECORDED = 1_000_000_000.0
YOUNG = 2_000_000_000.0


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return a host whose MySQL serves."""
    monkeypatch.setattr(_wait, "LOOK_SECONDS", 0.01)
    found = Host(tmp_path)
    found.fill()
    return found


def refusal(host: Host, image: str = "mysql:9.7", *, check: bool = False, **wish: Any) -> str:
    """Bring MySQL up, which is refused; return why."""
    task = host.bring_up(image, check=check, **wish)
    with pytest.raises(_up.UpError) as caught:  # noqa: PT012 - in either of the two
        task.decide()
        task.act()
    return str(caught.value)


def steps(host: Host, image: str = "mysql:9.7", *, check: bool = False, **wish: Any) -> list[str]:
    """Bring MySQL up; return what was done."""
    task = host.bring_up(image, check=check, **wish)
    task.decide()
    task.act()
    return [step["action"] for step in task.result()["steps"]]


def test_nothing_more_is_asked_where_nothing_is_to_be_done(host: Host) -> None:
    assert steps(host) == []
    assert [call.argv[1:3] for call in host.calls] == [["image", "inspect"], ["ps", "--all"], ["container", "inspect"]]


@pytest.mark.parametrize("state", [DOWN, AGAIN, LATER])
def test_half_initialised_data_is_refused_in_the_same_words(tmp_path: Path, state: dict[str, Any]) -> None:
    told = []
    for check in (True, False):
        host = Host(tmp_path, state=state)
        host.fill(marked=False)
        told.append(refusal(host, check=check))
        # Only the real run ends what must not be let in to, and neither deletes anything.
        assert host.did("stop", "mysql-id") is (not check and "Status" not in state)
        assert not host.did("up")
        assert (host.data / "auto.cnf").exists()
    assert told[0] == told[1]
    assert "was never initialised to its end (volume shop_mysql, no .barehost-initialised in it)" in told[0]
    assert "docker volume rm shop_mysql" in told[0]
    assert f"touch {host.data / MARKER}" in told[0]


def tables(host: Host, *names: str) -> None:
    """Leave files in the data directory, as servers do."""
    for name in names:
        path = host.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(("there", "action"), [(True, "start"), (False, "create")])
def test_tables_of_an_application_are_never_called_nothing(tmp_path: Path, *, there: bool, action: str) -> None:
    told = []
    for check in (True, False):
        host = Host(tmp_path, state=LATER, there=there)
        host.fill(marked=False)
        tables(host, "mysql/help.ibd", "sys/sys_config.ibd", "#innodb_temp/1.ibd", "shop@002ddb/orders.ibd")
        told.append(refusal(host, check=check))
        assert not any(host.did(word) for word in ("stop", "up", "rm"))
        assert (host.data / "shop@002ddb" / "orders.ibd").exists()
    assert told[0] == told[1]
    assert "holds tables of an application (shop@002ddb)" in told[0]
    assert f"`touch {host.data / MARKER}`" in told[0]
    assert "docker volume rm" not in told[0]
    assert "docker rm" not in told[0]
    # And what it says is enough.
    (host.data / MARKER).touch()
    host.state = DOWN
    assert steps(host) == [action]


def test_tables_of_the_server_itself_are_no_application(tmp_path: Path) -> None:
    host = Host(tmp_path, there=False)
    host.fill(marked=False)
    tables(
        host, "mysql/help.ibd", "sys/sys_config.ibd", "#innodb_redo/x.ibd", "performance_schema/x.sdi", "shop/db.opt"
    )
    assert "never initialised to its end" in refusal(host)


def test_a_first_start_that_breaks_off_over_tables_is_told_without_a_removal(tmp_path: Path) -> None:
    class Breaking(Host):
        def _compose(self, argv: list[str]) -> tuple[int, str, str]:
            if "up" in argv:
                self.fill(marked=False)
                tables(self, "shop/orders.ibd")
            return super()._compose(argv)

    host = Breaking(tmp_path, there=False, breaks=AGAIN)
    told = refusal(host)
    assert "holds tables of an application (shop)" in told
    assert "What came in between: service mysql failed" in told
    assert "docker volume rm" not in told
    assert not host.did("stop", "mysql-id")


def test_data_without_a_container_is_half_initialised_too(tmp_path: Path) -> None:
    host = Host(tmp_path, there=False)
    host.fill(marked=False)
    assert "never initialised" in refusal(host)
    assert host.did("volume", "inspect", "shop_mysql")


@pytest.mark.parametrize("entries", [[], ["lost+found"], [".hidden"]])
def test_an_empty_directory_is_initialised(tmp_path: Path, entries: list[str]) -> None:
    host = Host(tmp_path, there=False)
    host.data.mkdir()
    for name in entries:
        (host.data / name).mkdir()
    assert steps(host) == ["create"]


def test_no_volume_is_no_data(tmp_path: Path) -> None:
    assert steps(Host(tmp_path, there=False)) == ["create"]


def test_where_no_engine_is_installed_a_dry_run_asks_none(tmp_path: Path) -> None:
    host = Host(tmp_path, there=False, installed=False)
    assert steps(host, check=True) == ["create"]
    assert host.calls == []


def test_one_in_its_first_start_is_waited_for(tmp_path: Path) -> None:
    host = Host(tmp_path, state=BUSY)
    host.fill(marked=False)
    assert "was not ready within" in refusal(host, timeout=0)
    assert not host.did("stop")


def test_a_stack_of_before_gets_its_marker_once(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.fill(marked=False)
    assert steps(host, check=True) == ["mark"]
    assert not (host.data / MARKER).exists()
    assert steps(host) == ["mark"]
    assert (host.data / MARKER).stat().st_mode & 0o777 == 0o640
    assert steps(host) == []


def test_a_stack_that_is_down_is_known_by_its_record(tmp_path: Path) -> None:
    host = Host(tmp_path, state=DOWN)
    host.fill(marked=False, made=RECORDED)
    host.record()
    assert steps(host) == ["mark", "start"]
    assert (host.data / MARKER).exists()


def test_data_that_is_younger_than_the_record_is_not_what_was_recorded(tmp_path: Path) -> None:
    host = Host(tmp_path, state=DOWN)
    host.fill(marked=False, made=YOUNG)
    host.record()
    assert "never initialised" in refusal(host)


@pytest.mark.parametrize("activated", ["", "yesterday", None])
def test_a_damaged_record_proves_nothing(tmp_path: Path, activated: Any) -> None:
    host = Host(tmp_path, state=DOWN)
    host.fill(marked=False, made=RECORDED)
    host.record(activated)
    assert "never initialised" in refusal(host)


def test_a_first_start_that_breaks_off_is_ended_and_told(tmp_path: Path) -> None:
    class Breaking(Host):
        def _compose(self, argv: list[str]) -> tuple[int, str, str]:
            if "up" in argv:
                self.fill(marked=False)
            return super()._compose(argv)

    host = Breaking(tmp_path, there=False, breaks=AGAIN)
    told = refusal(host)
    assert told.startswith("the data directory of mysql was never initialised to its end")
    assert "What came in between: service mysql failed" in told
    assert host.did("stop", "mysql-id")


def test_other_trouble_of_whole_data_is_told_as_it_is(host: Host) -> None:
    host.state, host.breaks = DOWN, AGAIN
    told = refusal(host)
    assert "never initialised" not in told
    assert not host.did("stop")


@pytest.mark.parametrize("image", ["mysql:8.4", "mysql:26.7"])
def test_another_series_is_refused_before_anything_is_touched(host: Host, image: str) -> None:
    told = [refusal(host, image, check=check) for check in (True, False)]
    assert told[0] == told[1]
    assert told[0].startswith("mysql was left as it is: the data is of MySQL 9.7.4")
    assert not host.did("up")


def test_a_patch_release_goes_with_the_deploy(host: Host) -> None:
    assert steps(host, "mysql:9.7.5") == ["recreate"]


def test_a_server_that_only_starts_again_is_judged_too(host: Host) -> None:
    host.state = DOWN
    (host.data / "mysql_upgrade_history").write_text(json.dumps({"upgrade_history": [{"version": "26.7.0"}]}))
    assert "an older server must not meet it" in refusal(host)


def test_an_image_that_is_not_there_is_judged_by_its_tag_and_then_by_itself(host: Host) -> None:
    host.missing = ["mysql:8.4"]
    told = [refusal(host, "mysql:8.4", check=check) for check in (True, False)]
    assert told[0] == told[1]


def test_an_image_that_says_nothing_is_pulled_and_asked(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(host.run.__globals__["IMAGES"], "own/mysql:1", "8.4.7")
    host.missing, host.silent = ["own/mysql:1"], True
    assert steps(host, "own/mysql:1", check=True) == ["recreate"]
    assert not host.did("pull")
    assert not host.did("run")
    assert "MySQL 8.4: an older server" in refusal(host, "own/mysql:1")
    assert host.did("run", "--network=none", "--read-only", "--cap-drop=ALL", "--entrypoint=mysqld", "--version")
    assert not host.did("up")


def test_a_dry_run_foresees_what_the_upgrade_before_it_leaves(host: Host) -> None:
    assert steps(host, "mysql:26.7", check=True, upgraded=True) == []
    # In a real run there is nothing to foresee.
    assert "a deploy does not change the series" in refusal(host, "mysql:26.7", upgraded=True)


def pending(host: Host, phase: str) -> _upgrade_state.State:
    """Leave an upgrade that was cut off."""
    host.root.mkdir(exist_ok=True)
    copy = host.root / "backups" / "kept"
    (copy / "data").mkdir(parents=True)
    state = _upgrade_state.State(
        service="mysql",
        phase=phase,
        volume="shop_mysql",
        folder=str(host.data),
        copy=str(copy),
        container="mysql-id",
        trial="shop-mysql-upgrade",
        data="9.7.4",
        image="mysql:26.7",
        before="mysql:9.7",
        before_id="sha256:1",
    )
    _upgrade_state.save(host.root, state)
    return state


def test_an_upgrade_that_was_cut_off_is_taken_back_first(host: Host) -> None:
    host.state = DOWN
    state = pending(host, _upgrade_state.COPYING)
    (host.data / "mysql_upgrade_history").write_text(json.dumps({"upgrade_history": [{"version": "26.7.0"}]}))
    # The data is of before again by then.
    assert steps(host, check=True) == ["recover", "start"]
    assert _upgrade_state.load(host.root) == state
    host.fill()
    assert steps(host) == ["recover", "start"]
    assert _upgrade_state.load(host.root) is None
    assert host.did("rm", "--force", "shop-mysql-upgrade")
    assert not (host.root / "backups" / "kept").exists()


def test_a_guard_is_checked_as_the_rest_of_a_dictionary() -> None:
    service = {"tier": "data", "image": "mysql:9.7", "networks": ["backend"], "guard": GUARD}
    other = {key: value for key, value in service.items() if key != "guard"}
    assert _service.service_guards({"mysql": service, "redis": other}) == [{"service": "mysql", **GUARD}]
    assert "guard" not in _service.render_service("mysql", service)
    for wrong in ({**GUARD, "more": "1"}, {**GUARD, "volume": 1}, {**GUARD, "versions": "oracle"}, {"volume": "mysql"}):
        with pytest.raises(_service.ServiceError, match="guard"):
            _service.service_guards({"mysql": {**service, "guard": wrong}})


def test_there_is_a_sentence_for_each_kind_of_trouble() -> None:
    assert _guard.problem({}) == ""
    assert _data_dir.state(_data_dir.Seen(used=True, beginning=True)) == _data_dir.BEGINNING
