# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Upgrading MySQL: everything that can refuse first, then a copy, then a trial, and only then for the application."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.barehost.django.plugins.module_utils import (
    _before,
    _compose,
    _credentials,
    _data_dir,
    _data_lock,
    _dump,
    _guard,
    _host,
    _mysql_upgrade,
    _mysql_version,
    _up,
    _upgrade_state,
    _wait,
    _way_back,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ansible.module_utils.basic import AnsibleModule

PROBLEMS = (_up.UpError, _dump.DumpError, _mysql_upgrade.CheckError, _data_lock.BusyError, OSError, ValueError)
POLL_SECONDS = 1.0
# For the answer of the healthcheck once root is let in.
HEALTH_SECONDS = 30
# The secrets that root and the healthcheck log in with.
PASSWORDS = ("mysql_root_password", "mysql_password")
BLOCK = 512
MEGABYTE = 1 << 20


@dataclass
class Upgrade:
    """One upgrade: what there is, what is wanted, and how far it has come."""

    module: AnsibleModule
    engine: _up.Engine
    guarded: _guard.Guarded
    began: float = 0.0
    dump: str = ""
    taken_back: str = ""

    @property
    def params(self) -> dict[str, Any]:
        """Return what the module was given."""
        params: dict[str, Any] = self.module.params
        return params

    @property
    def root(self) -> Path:
        """Directory of the stack."""
        return self.engine.root

    def container(self) -> _compose.Container | None:
        """Return the server's container."""
        return next(iter(self.guarded.containers(self.engine.containers())), None)

    def go(self) -> dict[str, Any]:
        """Do all of it; return what the module returns."""
        pending = _upgrade_state.load(self.root)
        if pending:
            self.demand_passwords()
        if pending and not self.module.check_mode:
            self.taken_back = self.take_up(pending)
        found = self.container()
        folder = self.guarded.folder(self.engine, [found] if found else [])
        if folder is None or not _data_dir.used(folder):
            return self.nothing("there is no data yet: the deploy makes it")
        refusal = self.guarded.refusal(self.guarded.state(self.engine, [found] if found else [], folder), folder)
        if refusal:
            raise _up.UpError(refusal)
        # A dry run sees what the real one takes back first.
        cut = bool(pending) and self.module.check_mode
        data = _mysql_version.parse(pending.data) if pending and cut else _mysql_version.of_data(folder)
        kind, image = self.judge(data)
        if kind == _mysql_version.SAME:
            return self.nothing(f"it is {data}, as the image {self.params['image']} is")
        if found and found.image_id == self.wanted_id():
            return self.nothing(f"it is of the image {self.params['image']} already")
        self.demand_passwords()
        if found is None or not (found.ready or cut):
            raise _up.UpError(
                f"{self.guarded.service} does not serve ({_up.describe(found) if found else 'there is no container'}), and what "
                "it holds is copied and compared only once it does: run barehost.django.deploy with the earlier image first"
            )
        size = self.demand_space(folder, found.id if found.ready else "")
        told = f"MySQL {data or 'of an unknown version'} to {image or 'that'} of {self.params['image']}"
        if self.module.check_mode:
            _data_lock.foresee(self.root)
            text = f"would upgrade {told}: a dump, a copy of {_dump.megabytes(size)}, a trial without a network, then for the application"
            return self.result(changed=True, text=text)
        with _data_lock.held(self.root, "upgrade of MySQL"):
            return self.carry_out(found, folder, str(data), told)

    def demand_passwords(self) -> None:
        """Refuse where the server does not know the passwords yet that it is asked with: its accounts are seen to afterwards."""
        found = _credentials.unsettled(self.root, PASSWORDS, self.params["changing"], self.guarded.service)
        if found:
            raise _up.UpError(
                f"{self.guarded.service} was left as it is: its passwords are being changed ({', '.join(found)}), and an upgrade "
                "logs in with those that it has. Run barehost.django.deploy with the earlier image first, which brings that to "
                "its end (or give the earlier passwords), then run the same again"
            )

    def nothing(self, why: str) -> dict[str, Any]:
        """Return that there is nothing to do."""
        return self.result(changed=bool(self.taken_back), text=f"no upgrade of {self.guarded.service}: {why}")

    def result(self, *, changed: bool, text: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - results are JSON
        """Return what the module returns."""
        nothing = {"dump": self.dump, "copy": "", "down_seconds": 0.0}
        told = "; ".join(part for part in (self.taken_back, text) if part)
        diff = {"before": "", "after": f"{told}\n" if changed else ""}
        return {"changed": changed, "msg": told, "diff": diff, **nothing, **more}

    def judge(self, data: _mysql_version.Version | None) -> tuple[str, _mysql_version.Version | None]:
        """Decide about the wanted image; a dry run that has no image goes on without its version."""
        check, reference = self.module.check_mode, self.params["image"]
        image = _guard.image_version(self.engine, self.guarded.rules, reference, check=check, pull=True)
        verdict = _mysql_version.judge(data, image, reference, upgrade=True)
        if verdict.problem:
            raise _up.UpError(f"{self.guarded.service} was left as it is: {verdict.problem}")
        if verdict.kind == _mysql_version.UNKNOWN and not (check and data):
            whose = "the data" if data is None else f"the image {reference}"
            raise _up.UpError(
                f"{self.guarded.service} was left as it is: nobody knows of which version {whose} is: give mysql_image an image "
                "of MySQL with its version in MYSQL_VERSION"
            )
        return verdict.kind, image

    def wanted_id(self) -> str:
        """Return the id of the wanted image; empty where it is not there."""
        name = _compose.normalize_reference(self.params["image"])
        return self.engine.image_ids([name]).get(name, "")

    def demand_space(self, folder: Path, container: str) -> int:
        """Refuse before the disk is full; return the bytes of the data directory."""
        size = size_of(folder)
        needed, free = size + self.dump_size(container), _host.free_mb(str(self.root)) * MEGABYTE
        if needed > free:
            raise _up.UpError(
                f"{self.root / _dump.FOLDER} has {_dump.megabytes(free)} free, and a dump and a copy of the data may take "
                f"{_dump.megabytes(needed)}: make room, then run the same again"
            )
        return size

    def dump_size(self, container: str) -> int:
        """Return what a dump may take; nothing where there is no schema to dump."""
        if not (self.params["database"] and container):
            return 0
        code, out, err = self.engine.try_call(
            _dump.size_cmd(container, self.params["database"], _upgrade_state.QUERY_SECONDS)
        )
        if code != 0:
            raise _up.UpError(f"MySQL does not let root ask for the size of the schema: {last_line(err or out)}")
        return _dump.needed(_dump.parse_size(out)[1])

    def ask(self, container: str, sql: str) -> list[list[str]]:
        """Ask the server as root."""
        code, out, err = self.engine.try_call(_mysql_upgrade.ask_cmd(container, sql, self.params["timeout"]))
        if code != 0:
            raise _mysql_upgrade.CheckError(f"MySQL says: {last_line(err or out)}")
        return _mysql_upgrade.parse_rows(out)

    def counts(self, container: str) -> dict[str, int]:
        """Count the rows of each table of the application."""
        schema = self.params["database"]
        found: dict[str, int] = {}
        for names in _mysql_upgrade.batches(self.ask(container, _mysql_upgrade.tables_sql(schema)) if schema else []):
            found.update({row[0]: int(row[1]) for row in self.ask(container, _mysql_upgrade.count_sql(names))})
        return found

    def carry_out(self, found: _compose.Container, folder: Path, data: str, told: str) -> dict[str, Any]:
        """Upgrade; where anything fails the data of before serves again."""
        stamp = datetime.now(tz=timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        self.make_dump(found.id, stamp, data)
        state = _upgrade_state.State(
            service=self.guarded.service,
            phase=_upgrade_state.COPYING,
            volume=self.guarded.volume,
            folder=str(folder),
            copy=str(self.root / _dump.FOLDER / f"{stamp}-mysql-{data}.data"),
            container=found.id,
            trial=f"{self.engine.project}-mysql-upgrade",
            data=data,
            image=self.params["image"],
            before=found.image,
            before_id=found.image_id,
        )
        _upgrade_state.save(self.root, state)
        self.began = time.monotonic()
        try:
            rows = self.stop_cleanly(found.id)
            _upgrade_state.keep(self.engine, state)
            state = self.enter(state, _upgrade_state.UPGRADING)
            self.try_new(state, rows)
            state = self.enter(state, _upgrade_state.STARTING)
            self.start_new()
        except PROBLEMS as error:
            self.go_back(state, error)
        _upgrade_state.drop(self.root)
        down = round(time.monotonic() - self.began, 1)
        text = f"upgraded {told}, {down} s without it; the data of before is kept in {state.copy}: remove it once all is well"
        return self.result(changed=True, text=text, copy=state.copy, down_seconds=down)

    def enter(self, state: _upgrade_state.State, phase: str) -> _upgrade_state.State:
        """Note the next step before it is begun."""
        state = replace(state, phase=phase)
        _upgrade_state.save(self.root, state)
        return state

    def make_dump(self, container: str, stamp: str, data: str) -> None:
        """Dump the schema while it still serves."""
        if not self.params["database"]:
            return
        name = f"before-upgrade-of-mysql-{data}"
        for path in _dump.leftovers(self.root / _dump.FOLDER, name):
            path.unlink(missing_ok=True)
        target = _dump.Target(self.root / _dump.FOLDER / _dump.file_name(name, stamp))
        seconds = self.params["timeout"]
        _dump.write(_dump.dump_cmd(container, self.params["database"], seconds), target, seconds)
        self.dump = str(target.path)

    def stop_cleanly(self, container: str) -> dict[str, int]:
        """Have the server write no more, count its rows, and end with everything on the disk."""
        self.ask(container, _mysql_upgrade.FREEZE)
        rows = self.counts(container)
        self.engine.call(["docker", "stop", "-t", str(self.params["timeout"]), container])
        stopped = next((c for c in self.engine.containers([container])), None)
        if stopped is None or stopped.exit_code != 0:
            raise _mysql_upgrade.CheckError(
                f"MySQL did not end cleanly ({_up.describe(stopped) if stopped else 'its container is gone'})"
            )
        return rows

    def try_new(self, state: _upgrade_state.State, rows: dict[str, int]) -> None:
        """Start the new version where nobody reaches it, and compare."""
        params = self.params
        known = {key: params[key] for key in ("image", "volumes", "command", "user", "box")}
        trial = _mysql_upgrade.Trial(state.trial, self.engine.project, str(self.root), **known)
        self.engine.try_call(["docker", "rm", "--force", trial.name])
        self.engine.call(trial.run_cmd())
        self.wait(trial.name, "let root in", lambda: self.answers(trial.name), params["timeout"])
        tables = self.ask(trial.name, _mysql_upgrade.tables_sql())
        for names in _mysql_upgrade.batches(tables):
            refuse("CHECK TABLE found", _mysql_upgrade.broken(self.ask(trial.name, _mysql_upgrade.check_sql(names))))
        refuse("the rows are not those of before", _mysql_upgrade.differences(rows, self.counts(trial.name)))
        health = ["docker", "exec", trial.name, *params["healthcheck"]]
        self.wait(trial.name, "let the application in", lambda: self.engine.try_call(health)[0] == 0, HEALTH_SECONDS)
        self.engine.call(["docker", "stop", "-t", str(params["timeout"]), trial.name])
        self.engine.call(["docker", "rm", trial.name])

    def answers(self, container: str) -> bool:
        """Whether the server lets root in."""
        return self.engine.try_call(_mysql_upgrade.ask_cmd(container, "SELECT 1", 10))[0] == 0

    def wait(self, container: str, what: str, done: Callable[[], bool], seconds: float) -> None:
        """Wait for a proof of the new version, which has none to give once it has ended."""
        deadline = time.monotonic() + seconds
        while not done():
            found = next((c for c in self.engine.containers([container])), None)
            if found is None or not found.running or time.monotonic() > deadline:
                why = (
                    self.engine.report(replace(found, service=self.guarded.service), f"did not {what}")
                    if found
                    else "its container is gone"
                )
                raise _mysql_upgrade.CheckError(f"the new version was tried and refused: {why}")
            time.sleep(POLL_SECONDS)

    def start_new(self) -> None:
        """Start the new version for the application."""
        services = [self.guarded.service]
        self.engine.carry_out(_up.plan(services, self.engine.snapshot()))
        _wait.for_services(self.engine, services, self.params["timeout"], fresh=services)

    def go_back(self, state: _upgrade_state.State, error: BaseException) -> None:
        """Have the data of before serve again under its own version, and end with the reason."""
        try:
            self.engine.try_call(["docker", "rm", "--force", state.trial])
            if state.phase != _upgrade_state.COPYING:
                _upgrade_state.put_back(self.engine, state)
            _before.put_back(self.root)
            self.start_old(state)
            _upgrade_state.drop(self.root)
            _upgrade_state.forget_copy(state)
        except PROBLEMS as trouble:
            raise _up.UpError(
                f"MySQL was not upgraded: {error}; and the way back failed: {trouble}. The data of before is in {state.copy}; "
                "run the same again, which goes the rest of the way back"
            ) from error
        down = round(time.monotonic() - self.began, 1)
        raise _up.UpError(
            f"MySQL was not upgraded, and {state.data} serves again with the data of before ({down} s without it): {error}"
        ) from error

    def start_old(self, state: _upgrade_state.State) -> None:
        """Start the server of before: its container where that is still there, one made from the files of before otherwise."""
        there = self.engine.containers([state.container])
        back = _way_back.WayBack(self.engine, [state.service], _way_back.There(), self.params["timeout"])
        if there and there[0].running:
            _upgrade_state.writable(self.engine, state.container)
        elif there:
            self.engine.call(["docker", "start", state.container])
            _wait.for_services(self.engine, [state.service], self.params["timeout"], fresh=[state.service])
        else:
            # Its name may have gone to the new one.
            self.engine.call(["docker", "tag", state.before_id, _compose.normalize_reference(state.before)])
            back.bring_up([state.service])

    def take_up(self, state: _upgrade_state.State) -> str:
        """Take back what was cut off, or bring it to its end; its server serves afterwards."""
        done = _upgrade_state.recover(self.engine)
        if state.phase == _upgrade_state.STARTING:
            self.start_new()
        else:
            self.start_old(state)
            _upgrade_state.forget_copy(state)
        return done


def size_of(folder: Path) -> int:
    """Return the bytes that a tree takes; files come and go in it meanwhile."""
    size = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            size += path.lstat().st_blocks * BLOCK
    return size


def last_line(text: str) -> str:
    """Return the last line that says anything."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "nothing")[:500]


def refuse(what: str, problems: Sequence[str]) -> None:
    """Refuse a new version for what was found."""
    if problems:
        shown = "; ".join(problems[:5]) + (f" and {len(problems) - 5} more" if len(problems) > 5 else "")  # noqa: PLR2004 - a line
        raise _mysql_upgrade.CheckError(f"the new version was tried and refused: {what}: {shown}")
