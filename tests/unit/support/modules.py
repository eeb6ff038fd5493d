# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a module's real main() with a scripted engine in place of the commands of the host."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.barehost.django.plugins.module_utils import _oneshot, _serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
Reply = tuple[int, str, str]
# The container that serves, and its release.
CONTAINER, SERVING = "0a1b2c", "3f9a0c1b2d4e"
# What a dry run may say to no engine.
CHANGES = {"run", "up", "create", "rm", "stop"}


@dataclass
class Call:
    """One command that a module ran."""

    argv: list[str]
    data: str | None


@dataclass
class Engine:
    """Answers commands: the first script whose words all stand in the command, in any place."""

    scripts: list[tuple[tuple[str, ...], Reply | Callable[[Call], Reply]]] = field(default_factory=list)
    missing: tuple[str, ...] = ()
    calls: list[Call] = field(default_factory=list)
    # What is said of the one-shot containers that run, one answer after the other; then there is none.
    left_behind: list[str] = field(default_factory=list)

    def on(self, *words: str, reply: Reply | Callable[[Call], Reply]) -> Engine:
        """Add a script."""
        self.scripts.append((words, reply))
        return self

    @property
    def work(self) -> list[Call]:
        """The commands but for the question who is at work."""
        return [call for call in self.calls if call.argv[:2] != ["docker", "ps"]]

    def run(self, argv: Sequence[str], data: str | None = None, **_options: object) -> Reply:
        """Stand in for AnsibleModule.run_command."""
        call = Call(list(argv), data)
        self.calls.append(call)
        for words, reply in self.scripts:
            if all(word in call.argv for word in words):
                return reply(call) if callable(reply) else reply
        if call.argv[:2] == ["docker", "ps"] and any(_oneshot.LABEL in word for word in call.argv):
            return 0, self.left_behind.pop(0) if self.left_behind else "", ""
        raise AssertionError(f"nobody expected {call.argv}")


def recorded(name: str) -> Reply:
    """Return what a real run printed."""
    record = json.loads((FIXTURES / f"oneshot_{name}.json").read_text())
    assert record["mark"] == "barehost-recorded:"
    return record["code"], record["out"], record["err"]


def stack_runs(engine: Engine, release: str = SERVING, definition: str = "") -> Engine:
    """Let a container of a release serve, made from something."""
    return engine.on("ps", _serving.FORMAT, reply=(0, f"{CONTAINER} shop/app:{release} {definition}\n", ""))


def sent(call: Call) -> dict[str, Any]:
    """Return the parameters that travelled with a program."""
    last = (call.data or "").splitlines()[-1]
    parameters = json.loads(json.loads(last.removeprefix("main(json.loads(").removesuffix("))")))
    assert isinstance(parameters, dict)
    return parameters


def assert_only_asked(engine: Engine) -> None:
    """Make sure that an app was only asked: nothing but which containers run, and questions inside one of them."""
    for call in engine.calls:
        argv = call.argv[3:] if call.argv[0] == "/usr/bin/timeout" else call.argv
        assert argv[:2] in (["docker", "ps"], ["docker", "exec"]), argv


@contextlib.contextmanager
def _hosted(engine: Engine) -> Iterator[None]:
    def run_command(_module: object, argv: Sequence[str], **options: Any) -> Reply:
        return engine.run(argv, **options)

    def get_bin_path(_module: object, name: str, **_options: object) -> str | None:
        return None if name in engine.missing else f"/usr/bin/{name}"

    with (
        mock.patch.multiple(basic.AnsibleModule, run_command=run_command, get_bin_path=get_bin_path),
        mock.patch.object(_oneshot, "new_mark", return_value="barehost-recorded:"),
    ):
        yield


def run(
    main: Callable[[], None], args: dict[str, Any], engine: Engine | None = None, *, check: bool = False
) -> dict[str, Any]:
    """Run a module; return the result that it prints, as Ansible would read it."""
    out = io.StringIO()
    engine = engine or Engine()
    parameters = {**args, "_ansible_check_mode": check, "_ansible_diff": True}
    with (
        _hosted(engine),
        patch_module_args(parameters),
        contextlib.redirect_stdout(out),
        contextlib.suppress(SystemExit),
    ):
        main()
    if check:
        assert [call.argv for call in engine.calls if CHANGES & set(call.argv)] == []
    if check and "django_" in main.__module__:
        assert_only_asked(engine)
    result = json.loads(out.getvalue())
    assert isinstance(result, dict)
    return result
