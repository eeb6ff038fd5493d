# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""django_prepare: one directory for each release, whole or not there, and the plan beside it."""

from __future__ import annotations

import base64
import gzip
import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from ansible.module_utils import basic
from ansible_collections.barehost.django.plugins.module_utils import _serving
from ansible_collections.barehost.django.plugins.modules import django_prepare
from support.modules import SERVING, Engine, recorded, run, sent, stack_runs

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


def engine_of(static: Reply | Callable[[Call], Reply] | None, plan: str = "migrate_nothing") -> Engine:
    """Return an engine whose containers collect, and plan."""
    engine = Engine()
    if static is not None:
        engine.on("run", "-v", reply=lambda call: after_the_plan(call, static, plan))
    return engine.on("run", reply=recorded(plan))


def after_the_plan(call: Call, static: Reply | Callable[[Call], Reply], plan: str) -> Reply:
    """Answer as a container does that plans first, where this one is to do both."""
    code, out, err = static(call) if callable(static) else static
    planned = recorded(plan)
    if '"collecting"' not in (call.data or "") or planned[0] != 0:
        return (code, out, err) if planned[0] == 0 else planned
    return code, f'{planned[1]}\nbarehost-recorded:{{"event": "collecting"}}\n{out}', err


def asked(plan: str, release: str = "rel1", files: Callable[[Call], dict[str, str]] | None = None) -> Engine:
    """Return an engine in which a release serves, and answers a dry run."""

    def reply(call: Call) -> Reply:
        # An app that does not start, starts for neither of the two.
        if "def files_of" not in (call.data or "") or plan == "no_settings":
            return recorded(plan)
        # An app without such files, as Django says it.
        failed = {"event": "failed", "stage": "list", "error": "LookupError", "message": "m", "trace": ""}
        event = failed if files is None else {"event": "files", "files": files(call)}
        return 0, f"\nbarehost-recorded:{json.dumps(event)}\n", ""

    return stack_runs(Engine(), release).on("docker", "exec", reply=reply)


def args(tmp_path: Path, release: str = "rel1") -> dict[str, object]:
    return {"project_dir": str(tmp_path), "release_id": release}


def test_collects_into_a_fresh_directory(tmp_path: Path) -> None:
    engine = engine_of(collects({"admin/a.css": "abc", "b.js": "x"}))
    result = run(django_prepare.main, {**args(tmp_path), "static_root": "/srv/static"}, engine)
    assert result["changed"] is True
    assert (result["static"]["files"], result["static"]["bytes"]) == (2, 4)
    assert (result["static"]["added"], result["static"]["removed"], result["static"]["differing"]) == (2, 0, 0)
    assert result["static"]["directory"] == str(tmp_path / "static" / "rel1")
    assert result["diff"]["after"] == "+ admin/a.css\n+ b.js\n"
    argv = next(call.argv for call in engine.calls if "-v" in call.argv)
    assert "--user" not in argv
    assert argv[argv.index("-v") + 1].startswith(f"{tmp_path}/static/.rel1.")
    assert argv[argv.index("-v") + 1].endswith(":/srv/static")
    assert argv[-3:] == ["web", "python", "-"]
    assert [path.name for path in (tmp_path / "static").iterdir()] == ["rel1"]


def test_everybody_may_read(tmp_path: Path) -> None:
    run(django_prepare.main, args(tmp_path), engine_of(collects({"admin/a.css": "abc"})))
    root = tmp_path / "static" / "rel1"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (root, root / "admin", root / "admin" / "a.css")]
    assert modes == [0o755, 0o755, 0o644]


def test_a_release_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "static" / "rel1").mkdir(parents=True)
    (tmp_path / "static" / "rel1" / "a").write_text("abc")
    for check in (False, True):
        engine = asked("migrate_nothing") if check else engine_of(None)
        result = run(django_prepare.main, args(tmp_path), engine, check=check)
        assert (result["changed"], result["static"]["files"], result["static"]["bytes"]) == (False, 1, 3)
        assert result["msg"] == "1 static files are there; the schema is up to date"


def test_check_without_anything(tmp_path: Path) -> None:
    result = run(django_prepare.main, args(tmp_path), Engine(missing=("docker",)), check=True)
    assert result["changed"] is True
    assert result["msg"] == (
        "the static files would be collected; the plan cannot be known yet: Docker is not installed yet"
    )
    assert (result["plan_known"], "plan" in result) == (False, False)
    assert not (tmp_path / "static").exists()


def test_diff_against_the_current_release(tmp_path: Path) -> None:
    for release, files in (("rel1", {"a": "1", "b": "1", "c": "1"}), ("rel2", {"a": "1", "b": "2", "d": "1"})):
        result = run(django_prepare.main, args(tmp_path, release), engine_of(collects(files)))
        if release == "rel1":
            (tmp_path / "static" / "current").symlink_to("rel1")
    assert result["diff"]["after"] == "+ d\n- c\n~ b\n"
    assert (result["static"]["added"], result["static"]["removed"], result["static"]["differing"]) == (1, 1, 1)


def test_the_diff_is_bounded(tmp_path: Path) -> None:
    files = {f"f{index:03}": "x" for index in range(100)}
    result = run(django_prepare.main, args(tmp_path), engine_of(collects(files)))
    assert result["static"]["added"] == 100
    assert result["diff"]["after"].endswith("+ f039\n+ … and 60 more\n")


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    code, out, _err = recorded("no_settings")
    result = run(django_prepare.main, args(tmp_path), engine_of(collects({"a": "1"}, code, out)))
    assert result["failed"] is True
    assert result["msg"].startswith("collecting static files failed: the app does not start with these settings: Mod")
    assert list((tmp_path / "static").iterdir()) == []


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    (tmp_path / "static" / ".rel1.abc").mkdir(parents=True)
    (tmp_path / "static" / ".rel10.abc").mkdir()
    run(django_prepare.main, args(tmp_path), engine_of(collects({"a": "1"})))
    assert sorted(path.name for path in (tmp_path / "static").iterdir()) == [".rel10.abc", "rel1"]


def test_nothing_collected_is_a_warning(tmp_path: Path) -> None:
    with mock.patch.object(basic.AnsibleModule, "warn") as warn:
        result = run(django_prepare.main, args(tmp_path), engine_of(collects({})))
    assert result["changed"] is True
    assert "put no file into its directory" in warn.call_args.args[0]


@pytest.mark.parametrize(
    ("extra", "fragment"),
    [
        ({"release_id": "../x"}, "release id '../x'"),
        ({"release_id": "current"}, "release_id 'current'"),
        ({"release_id": ""}, "release id ''"),
        ({"static_root": "static"}, "static_root 'static'"),
        ({"static_root": "/a:/b"}, "static_root '/a:/b'"),
    ],
)
def test_refused(tmp_path: Path, extra: dict[str, str], fragment: str) -> None:
    result = run(django_prepare.main, {**args(tmp_path), **extra})
    assert result["failed"] is True
    assert fragment in result["msg"]


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "rel1").write_text("")
    assert "is in the way" in run(django_prepare.main, args(tmp_path))["msg"]


def test_plans_and_applies_nothing(tmp_path: Path) -> None:
    engine = engine_of(collects({"a": "1"}), "migrate_plan")
    result = run(django_prepare.main, {**args(tmp_path), "serving": True}, engine)
    assert (result["changed"], len(result["plan"]), result["plan_known"]) == (True, 19, True)
    assert result["heads"]["auth"] == "0012_alter_user_first_name_max_length"
    assert result["msg"] == "1 static files are there; 19 migrations to apply"
    assert "applied" not in result
    parameters = sent(engine.work[0])
    assert (parameters.get("apply"), parameters["refuse_destructive"]) == (None, True)


def test_an_app_without_static_files(tmp_path: Path) -> None:
    result = run(django_prepare.main, {**args(tmp_path), "collect": False}, engine_of(None, "migrate_plan"))
    assert (result["changed"], "static" in result, len(result["plan"])) == (False, False, 19)
    assert not (tmp_path / "static").exists()


@pytest.mark.parametrize("check", [False, True])
def test_what_the_serving_release_cannot_bear_is_refused(tmp_path: Path, *, check: bool) -> None:
    engine = asked("migrate_refused") if check else engine_of(collects({"a": "1"}), "migrate_refused")
    result = run(django_prepare.main, {**args(tmp_path), "serving": True}, engine, check=check)
    assert result["failed"] is True
    assert result["msg"].startswith("nothing was applied: the release that serves cannot live with optimization.0003_")
    assert result["kinds"]["destructive"] == 1


def test_a_check_before_the_database_answers(tmp_path: Path) -> None:
    result = run(django_prepare.main, args(tmp_path), asked("no_database"), check=True)
    assert (result["changed"], result["plan_known"]) == (True, False)
    assert result["unknown_because"] in result["msg"]
    assert result["unknown_because"]
    assert result["msg"].endswith("the plan cannot be known yet: the database does not answer yet")


def test_what_cannot_be_planned_is_not_collected(tmp_path: Path) -> None:
    result = run(django_prepare.main, args(tmp_path), engine_of(collects({"a": "1"}), "no_database"))
    assert result["msg"].startswith("migrating failed: the database does not let the app in: OperationalError: (2005, ")
    assert list((tmp_path / "static").iterdir()) == []


def test_django_starts_once_for_both(tmp_path: Path) -> None:
    engine = engine_of(collects({"a": "1"}))
    run(django_prepare.main, args(tmp_path), engine)
    assert len(engine.work) == 1


def test_a_disk_that_is_full_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "static").write_text("")
    result = run(django_prepare.main, args(tmp_path), engine_of(None))
    assert result["failed"] is True
    assert result["msg"].startswith(f"collecting static files into {tmp_path}/static: ")


@pytest.mark.parametrize("name", ["barehost-migrate-1", "barehost-static-1"])
def test_nothing_begins_beside_what_a_killed_run_has_left_behind(tmp_path: Path, name: str) -> None:
    engine = engine_of(None)
    engine.left_behind = [f"{name} (Up 5 minutes)\n"]
    result = run(django_prepare.main, {**args(tmp_path), "timeout": 0}, engine)
    assert result["msg"].startswith(
        f"{name} (Up 5 minutes) of an earlier run is still at work, and did not end within 0 "
    )
    assert engine.work == []


def test_a_plan_is_in_nobodys_way(tmp_path: Path) -> None:
    engine = engine_of(None)
    engine.left_behind = ["barehost-plan-1 (Up 5 minutes)\n"]
    result = run(django_prepare.main, {**args(tmp_path), "timeout": 0, "collect": False}, engine)
    assert "failed" not in result
    name = engine.work[0].argv[engine.work[0].argv.index("--name") + 1]
    assert name.startswith("barehost-plan-")


@pytest.mark.parametrize("check", [False, True])
def test_what_django_says_is_kept(tmp_path: Path, *, check: bool) -> None:
    engine = asked("migrate_unknown") if check else engine_of(None, "migrate_unknown")
    result = run(django_prepare.main, {**args(tmp_path), "collect": False}, engine, check=check)
    assert "answer" not in result
    file = tmp_path / "releases" / "rel1.json"
    assert file.exists() is not check
    if not check:
        assert json.loads(file.read_text())["schema"][0]["unknown"] == ["optimization.0002_note"]


def test_an_id_that_is_no_file_name_is_refused(tmp_path: Path) -> None:
    assert run(django_prepare.main, args(tmp_path, "A" * 80))["msg"].startswith("release id 'AAA")


def test_a_dry_run_says_what_another_release_would_change(tmp_path: Path) -> None:
    context = tmp_path / "context.tar"
    context.write_bytes(b"the source")
    new, old = {"a.css": "1", "b.css": "2", "d.css": "4"}, {"a.css": "1", "b.css": "x", "c.css": "3"}
    engine = asked("migrate_plan", SERVING, lambda call: new if "source" in sent(call) else old)
    result = run(django_prepare.main, {**args(tmp_path), "context": str(context)}, engine, check=True)
    assert (result["changed"], result["plan_known"], len(result["plan"])) == (True, True, 19)
    assert result["kinds"] == {"additive": 23, "destructive": 0, "data": 1, "irreversible": 0}
    static = result["static"]
    assert (static["added"], static["removed"], static["differing"]) == (1, 1, 1)
    assert result["diff"] == {
        "before_header": f"{tmp_path}/static/current",
        "after_header": f"{tmp_path}/static/rel1",
        "before": "",
        "after": "+ d.css\n- c.css\n~ b.css\n",
    }
    assert result["msg"] == "the static files would be collected; 19 migrations to apply"
    with_source = [gzip.decompress(base64.b64decode(sent(call).get("source", ""))) for call in engine.work]
    assert sorted(with_source) == [b"", b"the source", b"the source"]
    assert [path.name for path in tmp_path.iterdir()] == ["context.tar"]


def test_a_dry_run_of_the_release_that_serves_sends_no_source(tmp_path: Path) -> None:
    engine = asked("migrate_nothing", files=lambda _call: {"a.css": "1"})
    result = run(django_prepare.main, {**args(tmp_path), "context": "/nowhere"}, engine, check=True)
    assert (result["changed"], result["diff"]["after"], result["plan"]) == (True, "", [])
    assert not [call for call in engine.work if "source" in sent(call)]


@pytest.mark.parametrize(
    ("engine", "packed", "reason"),
    [
        (Engine().on("ps", reply=(0, "", "")), True, "no container of the service web runs"),
        (
            stack_runs(Engine()),
            False,
            "release rel1 does not serve, and its source is not on the controller or larger ",
        ),
        (
            asked("no_settings", SERVING),
            True,
            "release rel1 does not serve, and its source does not start with the pack",
        ),
    ],
)
def test_a_dry_run_that_cannot_ask_says_why(tmp_path: Path, engine: Engine, reason: str, *, packed: bool) -> None:
    context = tmp_path / "context.tar"
    context.write_bytes(b"the source")
    extra = {"context": str(context)} if packed else {}
    result = run(django_prepare.main, {**args(tmp_path), **extra}, engine, check=True)
    assert (result["changed"], result["plan_known"], "plan" in result) == (True, False, False)
    assert result["msg"].startswith(f"the static files would be collected; the plan cannot be known yet: {reason}")
    assert result["diff"]["after"] == f"{tmp_path}/static/rel1/ (which files cannot be known yet)\n"


def test_a_dry_run_names_what_is_still_at_work_and_does_not_wait(tmp_path: Path) -> None:
    engine = asked("migrate_nothing")
    engine.left_behind = ["barehost-static-1 (Up 5 minutes)\n"]
    with mock.patch.object(basic.AnsibleModule, "warn") as warn:
        run(django_prepare.main, args(tmp_path), engine, check=True)
    assert "barehost-static-1 (Up 5 minutes) of an earlier run is still at work: a real" in warn.call_args.args[0]


@pytest.mark.parametrize(("definition", "alone"), [("d1", False), ("d2", True), ("", True)])
def test_what_runs_just_as_it_should_is_asked_instead_of_a_container_of_its_own(
    tmp_path: Path, definition: str, *, alone: bool
) -> None:
    (tmp_path / "static" / "rel1").mkdir(parents=True)
    engine = stack_runs(engine_of(None), "rel1", "d1").on("exec", reply=recorded("migrate_nothing"))
    result = run(django_prepare.main, {**args(tmp_path), "definition": definition}, engine)
    assert (result["plan"], result["changed"]) == ([], False)
    assert any("run" in call.argv for call in engine.calls) is alone


def test_a_container_that_goes_in_between_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "static" / "rel1").mkdir(parents=True)
    engine = stack_runs(engine_of(None), "rel1", "d1").on("exec", reply=(1, "", "No such container"))
    result = run(django_prepare.main, {**args(tmp_path), "definition": "d1"}, engine)
    assert result["plan"] == []


@pytest.mark.parametrize(("serves", "known"), [("rel1", True), ("rel0", False)])
def test_a_release_that_serves_and_does_not_run_is_known_by_its_record(
    tmp_path: Path, serves: str, *, known: bool
) -> None:
    (tmp_path / "static" / "rel1").mkdir(parents=True)
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / f"{serves}.json").write_text(json.dumps({"id": serves, "heads": {"shop": "0002"}}))
    (tmp_path / "releases" / "current").symlink_to(f"{serves}.json")
    engine = Engine().on("ps", _serving.FORMAT, reply=(0, "", ""))
    result = run(django_prepare.main, args(tmp_path), engine, check=True)
    assert (result["plan_known"], result.get("plan")) == (known, [] if known else None)


@pytest.mark.parametrize(
    ("wanted", "settled"),
    [
        ({"username": "boss", "email": "b@example.com"}, True),
        ({"username": "boss", "email": "other@example.com"}, False),
        ({"username": "boss"}, False),
        ({"username": "other", "email": "b@example.com"}, False),
        ({"username": "boss", "email": "b@example.com", "fields": {"phone": "1"}}, False),
    ],
)
def test_a_superuser_that_the_last_run_found_as_it_should_be_is_not_announced(
    tmp_path: Path, wanted: dict[str, object], *, settled: bool
) -> None:
    """Where nobody can be asked; in a real run its name and its address are written down."""
    (tmp_path / "static" / "rel1").mkdir(parents=True)
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "rel1.json").write_text(json.dumps({"id": "rel1"}))
    (tmp_path / "releases" / "current").symlink_to("rel1.json")
    code, out, err = recorded("migrate_nothing")
    event = json.dumps({"event": "superuser", "settled": True})
    engine = Engine().on("run", reply=(code, f"{out}\nbarehost-recorded:{event}\n", err))
    asked = {**args(tmp_path), "superuser_password": "not-for-production"}
    asked["superuser"] = {"username": "boss", "email": "b@example.com"}
    assert run(django_prepare.main, asked, engine)["superuser_settled"] is True
    engine = Engine().on("ps", _serving.FORMAT, reply=(0, "", ""))
    result = run(django_prepare.main, {**asked, "superuser": wanted}, engine, check=True)
    assert result["superuser_settled"] is settled
    said = "superuser boss is as the last run found it, its password was not compared"
    assert (said in result["msg"], "unasked" in result) == (settled, False)
