# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Programs that run once inside a container of the app: how they are sent, and how their answer is found in the noise.

A program travels on the standard input of `python -`, with its parameters in it. So nothing of it stands on a command
line or in an environment, and the image needs nothing but the app.
"""

from __future__ import annotations

import importlib
import json
import re
import secrets
import signal
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _program_base
from ansible_collections.barehost.django.plugins.module_utils._compose import compose_cmd, run_cmd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from ansible.module_utils.basic import AnsibleModule

# What a part of a program imports of the others; in one text it is there already.
PART = re.compile(r"^from (ansible_collections\.\S+\._program_\w+) import ", re.MULTILINE)
IMPORTS = re.compile(r"^from (?:__future__|ansible_collections\.\S+) import .*\n", re.MULTILINE)
# What `timeout` exits with. It exits as KILLED where it had to kill, and so does a container that ran out of memory.
TIMED_OUT = 124
KILLED = 137
TERMINATED = 143
KILL_AFTER = 10
# Which stack a one-shot container works for. What it does is the second word of its name.
LABEL = "barehost.django.oneshot"
POLL_SECONDS = 2.0
NOISE_LENGTH = 4000
STAGES = {
    "connect": "the database does not let the app in: ",
    "setup": "the app does not start with these settings: ",
}

ARGUMENTS: dict[str, Any] = {
    "project_dir": {"type": "path", "required": True},
    "compose_files": {"type": "list", "elements": "path", "default": []},
    "service": {"type": "str", "default": "web"},
    "settings_module": {"type": "str"},
    "python": {"type": "str", "default": "python"},
}


@dataclass(frozen=True)
class Project:
    """Where the app is, as every module is told."""

    directory: str
    files: tuple[str, ...]
    service: str
    settings_module: str
    python: str

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Project:
        """Read the parameters that ARGUMENTS describes."""
        return cls(
            directory=params["project_dir"],
            files=tuple(params["compose_files"]),
            service=params["service"],
            settings_module=params["settings_module"] or "",
            python=params["python"],
        )


@dataclass(frozen=True)
class Answer:
    """What came back from a program."""

    code: int
    events: list[dict[str, Any]] = field(default_factory=list)
    noise: str = ""
    timed_out: bool = False

    def first(self, name: str) -> dict[str, Any] | None:
        """Return the first event of a kind."""
        return next((event for event in self.events if event["event"] == name), None)

    def all(self, name: str) -> list[dict[str, Any]]:
        """Return every event of a kind."""
        return [event for event in self.events if event["event"] == name]

    def split(self, name: str) -> tuple[Answer, Answer]:
        """Return what was said before and after the first event of a kind; all of it is before one that never came."""
        at = next((index for index, event in enumerate(self.events) if event["event"] == name), None)
        if at is None:
            return self, replace(self, events=[])
        return replace(self, code=0, events=self.events[:at], timed_out=False), replace(self, events=self.events[at:])

    @property
    def last_line(self) -> str:
        """What was said last, which is where Compose and Python put the reason."""
        lines = [line.strip() for line in self.noise.splitlines() if line.strip()]
        return lines[-1][:500] if lines else "nothing"


class ProgramError(Exception):
    """A program that did not do what it should; says why, with what the module returns beside that."""

    def __init__(self, message: str, answer: Answer, **result: Any) -> None:  # noqa: ANN401 - results are JSON
        """Take the message, the answer that explains it, and what is known nevertheless."""
        super().__init__(message)
        error = (answer.first("failed") or {}).get("error")
        self.result = {"detail": detail(answer), **({"error": error} if error else {}), **result}


def program_text(program: ModuleType, parameters: Mapping[str, Any]) -> str:
    """Return the whole program: the parts that it imports, its own, and the call with its parameters."""
    parts = [IMPORTS.sub("", source_of(part)) for part in _parts(program)]
    # Twice JSON: the outer one is a string literal that Python reads as well, the inner one holds no Python at all.
    call = f"main(json.loads({json.dumps(json.dumps(parameters))}))\n"
    return "\n".join(["from __future__ import annotations\n", *parts, call])


def source_of(module: ModuleType) -> str:
    """Return the source of a module, out of the archive that Ansible sends too.

    `inspect` asks a cache that two threads at once can find empty.
    """
    get_source = getattr(module.__spec__ and module.__spec__.loader, "get_source", None)
    text = get_source(module.__name__) if get_source else None
    if not text:
        raise ImportError(f"the source of {module.__name__} is not there")
    return str(text)


def _parts(program: ModuleType) -> list[ModuleType]:
    """Return the parts of a program in the order of their text: each one after those that it imports, and once."""
    found = {_program_base.__name__: _program_base}
    for name in PART.findall(source_of(program)):
        for part in _parts(importlib.import_module(name)):
            found.setdefault(part.__name__, part)
    found.setdefault(program.__name__, program)
    return list(found.values())


def new_mark() -> str:
    """Return what tells the events of one run from any other output; nobody can print it by chance."""
    return f"barehost-{secrets.token_hex(12)}:"


def parse_answer(mark: str, code: int, out: str, err: str, *, timed_out: bool = False) -> Answer:
    """Separate the events from whatever else was printed."""
    events: list[dict[str, Any]] = []
    noise: list[str] = []
    for line in out.splitlines():
        before, found, text = line.partition(mark)
        event = _load(text) if found else None
        if event is None:
            noise.append(line)
            continue
        events.append(event)
        noise += [before] if before.strip() else []
    rest = "\n".join([*noise, err]).strip()
    # The modules answer in JSON, which has no place for bytes that are no text.
    rest = rest.encode("utf-8", "replace").decode()
    return Answer(code, events, rest[-NOISE_LENGTH:], timed_out)


def _load(text: str) -> dict[str, Any] | None:
    """Read one event; None for a line that was cut."""
    try:
        event = json.loads(text)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def oneshot_cmd(project: Project, name: str, *, volumes: Sequence[str] = ()) -> list[str]:
    """Return the argv that runs a program in a container of its own, under a name by which it can be removed."""
    command = [project.python, "-"]
    argv = run_cmd(project.directory, project.files, project.service, command, volumes=volumes)
    at = argv.index("--rm")
    return [*argv[:at], "--name", name, "--label", f"{LABEL}={project.directory}", *argv[at:]]


def exec_cmd(project: Project) -> list[str]:
    """Return the argv that runs a program in the container that serves."""
    return compose_cmd(project.directory, project.files, "exec", "-T", project.service, project.python, "-")


def container_name(purpose: str) -> str:
    """Return a name for a one-shot container."""
    return f"barehost-{purpose}-{secrets.token_hex(4)}"


def listing_cmd(project: Project) -> list[str]:
    """Return the argv that lists the one-shot containers of a stack that run, each with its age."""
    argv = ["docker", "ps", "--no-trunc", "--filter", f"label={LABEL}={project.directory}"]
    return [*argv, "--format", "{{.Names}} ({{.Status}})"]


def at_work(module: AnsibleModule, project: Project, purposes: Sequence[str]) -> list[str]:
    """Return the containers that an earlier run has left behind, and that still do one of these things."""
    code, out, err = module.run_command(listing_cmd(project), check_rc=False)
    if code != 0 and not module.check_mode:
        module.fail_json(msg=f"docker does not say which containers run: {err.strip()[-500:]}")
    begins = tuple(f"barehost-{purpose}-" for purpose in purposes)
    return sorted(line for line in out.splitlines() if line.startswith(begins))


def wait_for_others(module: AnsibleModule, project: Project, purposes: Sequence[str], seconds: int) -> None:
    """Wait for what an earlier run has left behind, so that nothing is done twice at the same time; fail where it goes on.

    The lock ends with the module that holds it, and a module that is killed does not take its container along.
    """
    start = time.monotonic()
    waited_for = found = at_work(module, project, purposes)
    while found and not module.check_mode and time.monotonic() - start < seconds:
        time.sleep(min(POLL_SECONDS, seconds))
        found = at_work(module, project, purposes)
    if found and module.check_mode:
        module.warn(f"{found[0]} of an earlier run is still at work: a real run waits for it, and may find less to do")
    elif found:
        name = found[0].partition(" ")[0]
        module.fail_json(
            msg=f"{found[0]} of an earlier run is still at work, and did not end within {seconds} seconds: wait for it, or "
            f"end it with `docker rm --force {name}` if it hangs"
        )
    elif waited_for:
        module.warn(f"waited {time.monotonic() - start:.0f} seconds for {waited_for[0]} of an earlier run")


def limited(argv: Sequence[str], seconds: int, binary: str) -> list[str]:
    """Return the argv that gives up after some time."""
    return [binary, f"--kill-after={KILL_AFTER}", str(seconds), *argv]


def as_a_shell_says(code: int) -> int:
    """Return what a limited command ended with: `timeout` that has to kill kills itself, too, and is then a signal to us."""
    return KILLED if code == -signal.SIGKILL else code


def run_program(  # noqa: PLR0913 - one keyword for each way in which the runs differ
    module: AnsibleModule,
    argv: Sequence[str],
    program: ModuleType,
    parameters: Mapping[str, Any],
    *,
    seconds: int,
    container: str | None = None,
) -> Answer:
    """Run a program and return its answer; its container is removed where it did not end in time."""
    mark = new_mark()
    text = program_text(program, {**parameters, "mark": mark})
    timeout = module.get_bin_path("timeout", required=True)
    start = time.monotonic()
    code, out, err = module.run_command(limited(argv, seconds, timeout), data=text, check_rc=False)
    code = as_a_shell_says(code)
    late = code == TIMED_OUT or (code == KILLED and time.monotonic() - start >= seconds)
    answer = parse_answer(mark, code, out, err, timed_out=late)
    if answer.timed_out and container:
        module.run_command(["docker", "rm", "--force", container], check_rc=False)
    return answer


def need_docker(module: AnsibleModule) -> None:
    """End with a clear message where there is no engine to ask."""
    if module.get_bin_path("docker") is None:
        module.fail_json(msg="docker is not installed on this host: run the bootstrap playbook first")


def explain(answer: Answer, what: str, seconds: int) -> str:
    """Say in one line why a program did not answer as it should."""
    failed = answer.first("failed")
    if failed is None:
        return f"{what} {_end_of(answer, seconds)}"
    said = f"{failed['error']}: {failed['message']}" if failed["message"] else failed["error"]
    return f"{what} failed: {STAGES.get(failed['stage'], '')}{said}"


def _end_of(answer: Answer, seconds: int) -> str:
    """Say how a program ended that did not say so itself."""
    if answer.timed_out:
        return f"took longer than {seconds} seconds and was stopped"
    if answer.code == KILLED:
        return f"was killed (exit {KILLED}), most likely for want of memory: {answer.last_line}"
    if answer.events:
        return f"ended without a word (exit {answer.code}): {answer.last_line}"
    return f"could not be started (exit {answer.code}): {answer.last_line}"


def detail(answer: Answer) -> str:
    """Return what helps to find the reason: the traceback, and what else was printed."""
    failed = answer.first("failed") or {}
    return re.sub(r"\n{3,}", "\n\n", "\n".join(filter(None, [failed.get("trace", ""), answer.noise]))).strip()
