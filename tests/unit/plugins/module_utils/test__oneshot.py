# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How programs travel, and how their answer is found."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _oneshot,
    _program_collectstatic,
    _program_migrate,
    _program_superuser,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.modules import recorded

if TYPE_CHECKING:
    from types import ModuleType

PROJECT = _oneshot.Project("/opt/shop", ("/opt/shop/a.yaml", "/opt/shop/b.yaml"), "web", "", "python3")
PROGRAMS = pytest.mark.parametrize("program", [_program_collectstatic, _program_migrate, _program_superuser])


@PROGRAMS
def test_a_program_is_one_text_that_old_pythons_read(program: ModuleType) -> None:
    text = _oneshot.program_text(program, {"mark": "m"})
    ast.parse(text, feature_version=(3, 8))
    assert text.count("from __future__") == 1
    assert "ansible_collections" not in text


def test_each_part_of_a_program_is_there_once_and_before_it_is_used() -> None:
    text = _oneshot.program_text(_program_migrate, {"mark": "m"})
    places = [text.index(line) for line in ("class Reporter", "class Classifier", "def make_plan", "main(json.loads(")]
    assert places == sorted(places)
    assert (text.count("class Reporter"), text.count("class Classifier")) == (1, 1)


@settings(max_examples=20)
@given(st.dictionaries(st.text(), st.text() | st.booleans() | st.none(), max_size=4))
def test_parameters_arrive(parameters: dict[str, object]) -> None:
    # The last statement of the text is the call.
    call = ast.parse(_oneshot.program_text(_program_migrate, parameters)).body[-1]
    seen: list[object] = []
    code = compile(ast.Module([call], []), "call", "exec")
    exec(code, {"main": seen.append, "json": json})  # noqa: S102 - that is the test
    assert seen == [parameters]


def test_argv_of_a_container_of_its_own() -> None:
    argv = _oneshot.oneshot_cmd(PROJECT, "barehost-x-1", volumes=["/a:/b"])
    assert argv == [
        "docker", "compose", "--project-directory", "/opt/shop", "-f", "/opt/shop/a.yaml", "-f", "/opt/shop/b.yaml",
        "run", "--name", "barehost-x-1", "--label", "barehost.django.oneshot=/opt/shop",
        "--rm", "--no-deps", "-T", "-v", "/a:/b", "web", "python3", "-",
    ]  # fmt: skip


def test_argv_of_the_container_that_serves() -> None:
    project = _oneshot.Project("/opt/shop", (), "web", "", "python")
    assert _oneshot.exec_cmd(project) == [
        "docker", "compose", "--project-directory", "/opt/shop", "exec", "-T", "web", "python", "-",
    ]  # fmt: skip


def test_names_and_marks_differ() -> None:
    assert _oneshot.container_name("migrate").startswith("barehost-migrate-")
    assert _oneshot.container_name("migrate") != _oneshot.container_name("migrate")
    assert _oneshot.new_mark() != _oneshot.new_mark()


def test_events_among_noise() -> None:
    out = 'a\nb m:{"event": "one"}\nm:{"event": "tw\nm:[1]\nm:{}\n\nm:{"event": "two", "x": 1}\nc'
    answer = _oneshot.parse_answer("m:", 0, out, "err")
    assert answer.events == [{"event": "one"}, {"event": "two", "x": 1}]
    assert answer.noise.splitlines()[:2] == ["a", "b "]
    assert answer.noise.endswith("c\nerr")
    assert answer.last_line == "err"
    assert answer.first("two") == {"event": "two", "x": 1}
    assert answer.first("three") is None
    assert answer.all("one") == [{"event": "one"}]


def test_noise_is_bounded_and_text() -> None:
    answer = _oneshot.parse_answer("m:", 1, "x" * 100_000, "bad \udcff")
    assert len(answer.noise) == _oneshot.NOISE_LENGTH
    assert answer.noise.endswith("bad ?")
    assert _oneshot.parse_answer("m:", 1, "", "").last_line == "nothing"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (_oneshot.Answer(124, [], "canceled", timed_out=True), "it took longer than 9 seconds and was stopped"),
        (_oneshot.Answer(137, [], "x"), "it was killed (exit 137), most likely for want of memory: x"),
        (_oneshot.Answer(1, [{"event": "plan"}], "x"), "it ended without a word (exit 1): x"),
        (_oneshot.Answer(1, [], "x\n y \n"), "it could not be started (exit 1): y"),
        (
            _oneshot.Answer(1, [{"event": "failed", "stage": "apply", "error": "E", "message": ""}]),
            "it failed: E",
        ),
    ],
)
def test_explanations(answer: _oneshot.Answer, sentence: str) -> None:
    assert _oneshot.explain(answer, "it", 9) == sentence


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "no_database",
            "it failed: the database does not let the app in: OperationalError: (2005, \"Unknown server host 'mysql' (-2)\")",
        ),
        (
            "no_settings",
            "it failed: the app does not start with these settings: ModuleNotFoundError: No module named 'nowhere'",
        ),
        ("not_running", 'it could not be started (exit 1): service "web" is not running'),
        (
            "no_file",
            "it could not be started (exit 14): open /opt/shop/releases/missing.yaml: no such file or directory",
        ),
    ],
)
def test_explanations_of_real_failures(name: str, sentence: str) -> None:
    answer = _oneshot.parse_answer("barehost-recorded:", *recorded(name))
    assert _oneshot.explain(answer, "it", 9) == sentence


def test_detail_holds_traceback_and_noise() -> None:
    answer = _oneshot.parse_answer("barehost-recorded:", *recorded("migrate_broken"))
    text = _oneshot.detail(answer)
    assert "django.db.utils.OperationalError: (1060" in text
    assert "Applying optimization.0003_broken..." in text
    assert text.endswith("to stderr")


def test_an_event_survives_a_closed_or_replaced_stdout() -> None:
    code = "\n".join(
        [
            _oneshot.source_of(_oneshot._program_base),
            "import io; print('noise', end=''); sys.stdout = io.StringIO()",
            "Reporter('m:').emit('done', text='ñ\\n\\ud800')",
            "leave(3)",
        ]
    )
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True, check=False)
    answer = _oneshot.parse_answer("m:", done.returncode, done.stdout, done.stderr)
    assert (answer.code, answer.events) == (3, [{"event": "done", "text": "ñ\n\ud800"}])


LEFT = "barehost-migrate-0a1b2c3d (Up 5 minutes)\nbarehost-plan-1 (Up 5 minutes)\n"


class Fails(Exception):  # noqa: N818 - it stands in for the end of a module
    """The module has failed."""


class Module:
    """A module whose time goes by as it sleeps."""

    def __init__(self, *left_behind: str, check_mode: bool = False, code: int = 0) -> None:
        """Take what is at work, one answer after the other; the last one stays."""
        self.left, self.check_mode, self.code = list(left_behind), check_mode, code
        self.now = 0.0
        self.asked: list[list[str]] = []
        self.warnings: list[str] = []

    def run_command(self, argv: list[str], **_options: object) -> tuple[int, str, str]:
        """Answer."""
        self.asked.append(argv)
        return self.code, self.left.pop(0) if len(self.left) > 1 else self.left[0], "Cannot connect"

    def fail_json(self, msg: str) -> None:
        """End."""
        raise Fails(msg)

    def warn(self, text: str) -> None:
        """Remember."""
        self.warnings.append(text)

    def wait(self, *purposes: str, seconds: int = 9) -> None:
        """Wait as a module does."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_oneshot.time, "monotonic", lambda: self.now)
            patch.setattr(_oneshot.time, "sleep", self.sleep)
            _oneshot.wait_for_others(self, PROJECT, purposes or ("migrate",), seconds)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def test_nobody_at_work_is_asked_for_once() -> None:
    module = Module("")
    module.wait()
    assert module.asked == [
        ["docker", "ps", "--no-trunc", "--filter", "label=barehost.django.oneshot=/opt/shop",
         "--format", "{{.Names}} ({{.Status}})"],
    ]  # fmt: skip
    assert module.warnings == []


def test_what_is_left_behind_is_waited_for() -> None:
    module = Module(LEFT, LEFT, "")
    module.wait()
    assert module.warnings == ["waited 4 seconds for barehost-migrate-0a1b2c3d (Up 5 minutes) of an earlier run"]


def test_what_goes_on_for_too_long_is_refused_by_name() -> None:
    module = Module(LEFT)
    with pytest.raises(Fails) as caught:
        module.wait()
    assert str(caught.value) == (
        "barehost-migrate-0a1b2c3d (Up 5 minutes) of an earlier run is still at work, and did not end within 9 seconds: "
        "wait for it, or end it with `docker rm --force barehost-migrate-0a1b2c3d` if it hangs"
    )
    assert 9 <= module.now < 12


def test_what_is_in_nobodys_way_is_not_waited_for() -> None:
    module = Module(LEFT)
    module.wait("static")
    assert module.now == 0


def test_a_dry_run_does_not_wait_and_says_so() -> None:
    module = Module(LEFT, check_mode=True)
    module.wait()
    assert (module.now, len(module.warnings)) == (0, 1)
    assert "barehost-migrate-0a1b2c3d (Up 5 minutes) of an earlier run is still at work" in module.warnings[0]


def test_an_engine_that_does_not_answer_is_no_proof_that_nobody_is_at_work() -> None:
    with pytest.raises(Fails, match="docker does not say which containers run: Cannot connect"):
        Module("", code=1).wait()
    Module("", code=1, check_mode=True).wait()


def test_a_program_needs_no_cache_that_another_thread_may_have_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linecache.getlines", lambda *_args: [])
    text = _oneshot.program_text(_program_migrate, {})
    assert "def main(parameters" in text
    assert "class Reporter" in text


def test_a_program_is_read_out_of_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "sent.zip", "w") as archive:
        archive.writestr("sent_program.py", "answer = 42\n")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import sent_program; "
        "from ansible_collections.barehost.django.plugins.module_utils import _oneshot; "
        "print(_oneshot.source_of(sent_program), end='')"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[4] / "collections")}
    argv = [sys.executable, "-c", script, str(tmp_path / "sent.zip")]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("answer = 42\n", "")


def test_an_answer_of_two_parts_is_taken_apart() -> None:
    events = [{"event": name} for name in ("plan", "done", "collecting", "failed")]
    plan, files = _oneshot.Answer(1, events, "noise", timed_out=True).split("collecting")
    # The first part came to its end, whatever became of the second.
    assert (plan.code, plan.timed_out, plan.events) == (0, False, events[:2])
    assert (files.code, files.timed_out, files.events) == (1, True, events[2:])
    whole, nothing = _oneshot.Answer(1, events[:1]).split("collecting")
    assert (whole.code, whole.events, nothing.events) == (1, events[:1], [])


def test_what_does_not_end_when_it_is_told_to_is_late_and_its_container_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the real `timeout`, which is killed by its own signal."""
    monkeypatch.setattr(_oneshot, "KILL_AFTER", 0.1)
    removed: list[list[str]] = []

    def run_command(argv: list[str], **_options: object) -> tuple[int, str, str]:
        if argv[0] == "docker":
            removed.append(argv)
            return 0, "", ""
        done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    module = mock.Mock(run_command=run_command, get_bin_path=lambda name, **_options: name)
    argv = ["sh", "-c", "trap '' TERM; sleep 9"]
    answer = _oneshot.run_program(module, argv, _program_superuser, {}, seconds=1, container="barehost-x-1")
    assert (answer.code, answer.timed_out) == (_oneshot.KILLED, True)
    assert removed == [["docker", "rm", "--force", "barehost-x-1"]]
