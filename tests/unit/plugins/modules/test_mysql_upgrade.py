# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""mysql_upgrade: what is refused first, what is done in which order, and the way back from each step."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _before,
    _credentials,
    _dump,
    _host,
    _restore_journal,
    _run_upgrade,
    _upgrade_state,
    _wait,
)
from ansible_collections.barehost.django.plugins.modules import config_restore, mysql_upgrade
from support.data_host import GUARD
from support.modules import run
from support.upgrade_host import EXITED, NEW, OLD, TRIAL, Upgradable


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Upgradable:
    """Return a host whose MySQL serves, and whose Compose file names a new image by now."""
    monkeypatch.setattr(_wait, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(_run_upgrade, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(_run_upgrade, "HEALTH_SECONDS", 0.05)
    monkeypatch.setattr(_dump, "dump_cmd", lambda *_args: ["printf", "%s\\n", "a", "-- Dump completed on today"])
    found = Upgradable(tmp_path, definition=OLD)
    found.fill()
    found.root.mkdir()
    (found.root / "compose.yaml").write_text(OLD)
    _before.note(found.root, ["compose.yaml"])
    (found.root / "compose.yaml").write_text(NEW)
    return found


def upgrade(host: Upgradable, image: str = NEW, *, check: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module."""
    args = {
        "project_dir": str(host.root),
        "project": "shop",
        "image": image,
        "database": "shop",
        "volumes": [
            {"type": "volume", "source": "mysql", "target": "/var/lib/mysql"},
            {"type": "bind", "source": "mysql/conf.d", "target": "/etc/mysql/conf.d", "read_only": True},
        ],
        "guard": GUARD,
        "healthcheck": ["health"],
        "timeout": 1,
        **options,
    }
    return run(mysql_upgrade.main, args, host, check=check)  # type: ignore[arg-type]


def serves_as_before(host: Upgradable) -> bool:
    """Whether the earlier version runs on the data of before, and takes writes."""
    history = (host.data / "mysql_upgrade_history").read_text()
    untouched = "9.7.4" in history and not (host.data / "new").exists()
    running = host.there and host.state.get("Status", "running") == "running" and host.image == OLD
    return untouched and running and not host.frozen and not host.trial and _upgrade_state.load(host.root) is None


def test_an_upgrade(host: Upgradable) -> None:
    result = upgrade(host)
    assert result["changed"]
    assert result["msg"].startswith("upgraded MySQL 9.7.4 to 26.7.0 of mysql:26.7, ")
    assert Path(result["dump"]).name.endswith("-before-upgrade-of-mysql-9.7.4.sql.gz")
    kept = Path(result["copy"]) / "data"
    assert "9.7.4" in (kept / "mysql_upgrade_history").read_text()
    assert Path(result["copy"]).stat().st_mode & 0o777 == 0o700
    assert (host.image, host.trial, _upgrade_state.load(host.root)) == (NEW, False, None)
    order = [word for call in host.calls for word in call.argv[1 if call.argv[0] == "docker" else 0 :][:1]]
    for earlier, later in (("stop", "cp"), ("cp", "run"), ("run", "compose")):
        assert order.index(earlier) < len(order) - 1 - order[::-1].index(later)
    assert upgrade(host)["changed"] is False


def test_nobody_reaches_the_trial(host: Upgradable) -> None:
    upgrade(host)
    argv = next(call.argv for call in host.calls if "--detach" in call.argv)
    assert {"--network=none", f"--name={TRIAL}", "--volume=shop_mysql:/var/lib/mysql"} <= set(argv)
    assert f"--volume={host.root}/mysql/conf.d:/etc/mysql/conf.d:ro" in argv


@pytest.mark.parametrize("check", [True, False])
def test_what_a_restore_has_left_is_not_upgraded(host: Upgradable, *, check: bool) -> None:
    _restore_journal.write(host.root, _restore_journal.Journal("20261126T030000Z", "shop"))
    result = upgrade(host, check=check)
    assert result["failed"]
    assert "the restore 20261126T030000Z was killed in the middle: run barehost.django.restore again" in result["msg"]
    assert host.image == OLD


def test_check_mode_says_what_would_be_done(host: Upgradable) -> None:
    result = upgrade(host, check=True)
    assert result["changed"]
    assert result["msg"].startswith("would upgrade MySQL 9.7.4 to 26.7.0 of mysql:26.7: a dump, a copy of ")
    assert serves_as_before(host)
    assert not (host.root / "backups").exists()
    assert not any(host.did(word) for word in ("stop", "run", "cp", "up"))


BROKEN = {"checked": "shop.a\tcheck\tError\tTable is marked as crashed"}


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (BROKEN, "CHECK TABLE found: shop.a: Table is marked as crashed"),
        ({"rows": {"`shop`.`a`": 2}}, "the rows are not those of before: `shop`.`a` had 3 rows and has 2"),
        ({"rows": {}}, "`shop`.`a` had 3 rows and has none"),
        (
            {"trial_state": {"Status": "exited", "ExitCode": 1}},
            "service mysql did not let root in (exited, exit code 1)",
        ),
        ({"healthy": False}, "service mysql did not let the application in"),
        ({"breaks": {"RestartCount": 2, "Status": "restarting"}}, "service mysql failed"),
        ({"exit_code": 137}, "MySQL did not end cleanly (exited, healthy, exit code 137)"),
    ],
)
def test_whatever_fails_the_data_of_before_serves_again(host: Upgradable, trouble: dict[str, Any], said: str) -> None:
    for name, value in trouble.items():
        setattr(host, name, value)
    compose = host._compose

    def settled(argv: list[str]) -> tuple[int, str, str]:
        # With the files of before there is no trouble.
        host.breaks = host.breaks if host.wanted() == NEW else {}
        return compose(argv)

    host._compose = settled  # type: ignore[method-assign]
    result = upgrade(host)
    assert result["failed"]
    assert said in result["msg"]
    assert result["msg"].startswith("MySQL was not upgraded, and 9.7.4 serves again with the data of before (")
    assert serves_as_before(host)
    assert host.wanted() == OLD
    # The dump stays, the copy is what is in place.
    assert [path.name.endswith(".sql.gz") for path in (host.root / "backups").iterdir()] == [True]


def test_a_way_back_that_fails_leaves_the_copy_and_says_where(
    host: Upgradable, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.healthy = False

    def full(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    put_back = _upgrade_state.put_back
    monkeypatch.setattr(_upgrade_state, "put_back", full)
    result = upgrade(host)
    assert "and the way back failed: [Errno 28] No space left on device. The data of before is in" in result["msg"]
    monkeypatch.setattr(_upgrade_state, "put_back", put_back)
    host.healthy = True
    # The next run goes the rest of the way, and begins anew.
    result = upgrade(host)
    assert "was cut off, and was taken back; upgraded MySQL 9.7.4" in result["msg"]


@pytest.mark.parametrize("image", ["mysql:8.4"])
def test_a_step_that_mysql_does_not_go_is_refused(host: Upgradable, image: str) -> None:
    told = [upgrade(host, image, check=check)["msg"] for check in (True, False)]
    assert told[0] == told[1]
    assert "an older server must not meet it" in told[0]
    assert serves_as_before(host)


def rotating(host: Upgradable, word: str) -> dict[str, Any]:
    """Leave a password that the server does not know yet; return what the run says of it."""
    secret = host.root / "secrets" / "mysql_password"
    secret.parent.mkdir()
    secret.write_text("not-for-production-old")
    if word == "cut off":
        _before.note(host.root, ["secrets/mysql_password"])
        secret.write_text("not-for-production-new")
    if word == "noted":
        _credentials.note(host.root, {"service": "mysql"}, "shop")
    return {"changing": ["redis_password", "mysql_password"]} if word == "this run" else {}


@pytest.mark.parametrize("word", ["this run", "cut off", "noted"])
def test_passwords_that_the_server_does_not_know_yet_are_refused_first(host: Upgradable, word: str) -> None:
    options = rotating(host, word)
    told = [upgrade(host, check=check, **options)["msg"] for check in (True, False)]
    assert told[0] == told[1]
    named = "lock/rotation.json" if word == "noted" else "mysql_password"
    assert told[0].startswith(f"mysql was left as it is: its passwords are being changed ({named}), ")
    assert "Run barehost.django.deploy with the earlier image first" in told[0]
    assert serves_as_before(host)
    assert not any(host.did(command) for command in ("stop", "run", "cp", "up", "exec"))
    assert not (host.root / "backups").exists()


def test_an_upgrade_that_was_cut_off_is_not_gone_on_with_by_other_passwords(host: Upgradable) -> None:
    state = cut_off(host, "upgrading")
    told = [upgrade(host, check=check, changing=["mysql_root_password"])["msg"] for check in (True, False)]
    assert told[0] == told[1]
    assert "(mysql_root_password)" in told[0]
    assert _upgrade_state.load(host.root) == state
    assert not host.did("rm", "--force", TRIAL)


def test_other_secrets_and_a_server_that_is_of_the_version_hinder_nobody(host: Upgradable) -> None:
    rotating(host, "settled")
    _before.note(host.root, ["secrets/mysql_password"])
    _credentials.note(host.root, {"service": "redis"}, "shop")
    assert upgrade(host, OLD, changing=["mysql_password"])["msg"].startswith("no upgrade of mysql: ")
    assert upgrade(host, changing=["redis_password", "mysql_backup_password"])["changed"]


def test_a_full_disk_is_refused_first(host: Upgradable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_host, "free_mb", lambda _path: 0)
    told = [upgrade(host, check=check)["msg"] for check in (True, False)]
    assert told[0] == told[1]
    assert "a dump and a copy of the data may take" in told[0]
    assert serves_as_before(host)
    assert not host.did("stop")


def test_an_image_that_says_more_than_its_server_is_gone_to_once(host: Upgradable) -> None:
    upgrade(host)
    # As the server itself has it.
    (host.data / "mysql_upgrade_history").write_text(json.dumps({"upgrade_history": [{"version": "9.7.4"}]}))
    result = upgrade(host)
    assert (result["changed"], result["msg"]) == (False, "no upgrade of mysql: it is of the image mysql:26.7 already")


def test_half_initialised_data_is_not_upgraded(host: Upgradable) -> None:
    (host.data / GUARD["marker"]).unlink()
    host.state = {**EXITED, "ExitCode": 1}
    assert "never initialised to its end" in upgrade(host)["msg"]


def test_tables_without_a_proof_are_not_upgraded_and_not_given_up(host: Upgradable) -> None:
    (host.data / GUARD["marker"]).unlink()
    (host.data / "shop").mkdir()
    (host.data / "shop" / "a.ibd").touch()
    host.state = {**EXITED, "ExitCode": 1}
    told = upgrade(host)["msg"]
    assert "holds tables of an application (shop)" in told
    assert "docker volume rm" not in told


def test_a_server_that_is_down_has_nothing_to_compare(host: Upgradable) -> None:
    host.state = EXITED
    assert "run barehost.django.deploy with the earlier image first" in upgrade(host)["msg"]


def test_where_there_is_no_data_the_deploy_makes_it(host: Upgradable) -> None:
    shutil.rmtree(host.data)
    host.there = False
    assert upgrade(host)["msg"] == "no upgrade of mysql: there is no data yet: the deploy makes it"


def test_a_dry_run_of_a_bare_host_does_nothing(host: Upgradable) -> None:
    (host.root / "compose.yaml").unlink()
    assert upgrade(host, check=True)["changed"] is False


def cut_off(host: Upgradable, phase: str) -> _upgrade_state.State:
    """Leave an upgrade as a run does that is killed in a phase."""
    copy = host.root / "backups" / "kept"
    shutil.copytree(host.data, copy / "data", dirs_exist_ok=True)
    state = _upgrade_state.State(
        service="mysql",
        phase=phase,
        volume="shop_mysql",
        folder=str(host.data),
        copy=str(copy),
        container="mysql-id",
        trial=TRIAL,
        data="9.7.4",
        image=NEW,
        before=OLD,
        before_id="sha256:9.7.4",
    )
    if phase in (_upgrade_state.UPGRADING, _upgrade_state.RESTORING):
        host._run(["--detach"])
    if phase == _upgrade_state.COPYING:
        host.frozen = True
    else:
        host.state = EXITED
    if phase == _upgrade_state.RESTORING:
        (host.data / "auto.cnf").unlink()
    if phase == _upgrade_state.STARTING:
        host.image = host.definition = NEW
        (host.data / "written").touch()
    _upgrade_state.save(host.root, state)
    return state


@pytest.mark.parametrize("phase", ["copying", "upgrading", "restoring"])
def test_the_next_run_takes_back_what_was_cut_off_and_begins_anew(host: Upgradable, phase: str) -> None:
    cut_off(host, phase)
    if phase != "copying":
        would = upgrade(host, check=True)
        assert would["msg"].startswith("would upgrade MySQL 9.7.4")
    result = upgrade(host)
    assert result["msg"].startswith(
        "the upgrade of mysql from 9.7.4 to mysql:26.7 was cut off, and was taken back; upgraded MySQL 9.7.4"
    )
    assert not (host.root / "backups" / "kept").exists()
    assert (host.data / "auto.cnf").exists()


@pytest.mark.parametrize("phase", ["copying", "upgrading", "restoring"])
def test_taking_back_leaves_the_data_of_before(host: Upgradable, phase: str) -> None:
    state = cut_off(host, phase)
    engine = _run_upgrade._up.Engine(host.run, str(host.root), [str(host.root / "compose.yaml")], "shop")  # type: ignore[arg-type]
    assert _upgrade_state.recover(engine) == f"{state.describe()} was cut off, and was taken back"
    assert "9.7.4" in (host.data / "mysql_upgrade_history").read_text()
    assert (host.data / "auto.cnf").exists()
    assert not (host.data / "new").exists()
    assert not host.trial
    assert not host.frozen
    assert _upgrade_state.recover(engine) == ""


@pytest.mark.parametrize("phase", ["copying", "upgrading", "restoring"])
def test_a_run_whose_module_was_killed_takes_it_back_itself(host: Upgradable, phase: str) -> None:
    cut_off(host, phase)
    result = run(config_restore.main, {"project_dir": str(host.root), "project": "shop", "timeout": 1}, host)  # type: ignore[arg-type]
    assert result["left"] == ""
    assert serves_as_before(host)
    assert host.wanted() == OLD


def test_what_the_application_may_have_written_is_never_taken_back(host: Upgradable) -> None:
    cut_off(host, _upgrade_state.STARTING)
    (host.data / "mysql_upgrade_history").write_text(json.dumps({"upgrade_history": [{"version": "26.7.0"}]}))
    run(config_restore.main, {"project_dir": str(host.root), "project": "shop", "timeout": 1}, host)  # type: ignore[arg-type]
    assert (host.data / "written").exists()
    cut_off(host, _upgrade_state.STARTING)
    result = upgrade(host)
    assert result["msg"].startswith(
        "the upgrade of mysql from 9.7.4 to mysql:26.7 was cut off at its end, and goes on; no upgrade"
    )
    assert (host.data / "written").exists()
    assert (host.root / "backups" / "kept").exists()


@pytest.mark.parametrize(
    ("phase", "said"),
    [("copying", "takes it back"), ("restoring", "takes it back"), ("starting", "brings it to its end")],
)
def test_what_was_cut_off_is_said_by_whoever_looks(host: Upgradable, phase: str, said: str) -> None:
    assert _upgrade_state.left(host.root) == ""
    cut_off(host, phase)
    told = _upgrade_state.left(host.root)
    assert told.startswith(f"the upgrade of mysql from 9.7.4 to mysql:26.7 was cut off ({phase}): ")
    assert told.endswith(f", which {said}")
    (host.root / "lock" / "upgrade.json").write_text("{")
    assert "nobody knows how far an upgrade has come" in _upgrade_state.left(host.root)


def test_nothing_is_put_in_place_of_data_that_is_in_use(host: Upgradable) -> None:
    state = replace(cut_off(host, _upgrade_state.UPGRADING), container="mysql-id")
    host.state = {}
    engine = _run_upgrade._up.Engine(host.run, str(host.root), [], "shop")  # type: ignore[arg-type]
    with pytest.raises(_run_upgrade._up.UpError, match="works with the volume shop_mysql: stop it"):
        _upgrade_state.put_back(engine, state)
    assert (host.data / "new").exists()


def test_a_copy_that_is_gone_is_said(host: Upgradable) -> None:
    state = cut_off(host, _upgrade_state.UPGRADING)
    shutil.rmtree(state.copy)
    assert f"the copy of its data {state.copy} is gone" in upgrade(host)["msg"]
    assert (host.data / "new").exists()


def test_a_damaged_note_is_no_leave_to_go_on(host: Upgradable) -> None:
    (host.root / "lock").mkdir(exist_ok=True)
    (host.root / "lock" / "upgrade.json").write_text("{")
    assert "nobody knows how far an upgrade has come" in upgrade(host)["msg"]
