# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a service accepts its new files, asked of its own program before anything that serves is replaced.

A real run asks in a container of the same image that is gone afterwards. A dry run may make none: it asks in the container
that runs, with a copy of the files in that container's memory.
"""

from __future__ import annotations

import re
import secrets
import shlex
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.barehost.django.plugins.module_utils import _box, _compose, _logs, _oneshot

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

# What runs a command, with a text on its standard input.
Runner = Callable[[list[str], "str | None"], "tuple[int, str, str]"]

OPTIONS: dict[str, Any] = {
    "service": {"type": "str", "required": True},
    "command": {"type": "list", "elements": "str", "required": True},
    "image": {"type": "str", "default": ""},
    "mounts": {"type": "dict", "default": {}},
    "user": {"type": "str", "default": ""},
    "entrypoint": {"type": "bool", "default": False},
    "accepted": {"type": "list", "elements": "str", "default": []},
    "box": {"type": "list", "elements": "str", "default": []},
}
# Key of `validate` in a service dictionary -> its type; the rest is known of the service.
KEYS: dict[str, type] = {"command": list, "mounts": dict, "user": str, "entrypoint": bool, "accepted": list}

# Every container has it, and it is memory.
MEMORY = "/dev/shm"  # noqa: S108 - in a container, where only this program is
SECONDS = 60
# What the engine exits with where it could not run the program at all, or has no Compose.
NOT_RUN = 125
# The same of a shell, and of `timeout` where the program did not end: that of BusyBox passes on how it ended it.
NOT_ASKED = frozenset({NOT_RUN, 126, 127, _oneshot.TIMED_OUT, _oneshot.KILLED, _oneshot.TERMINATED})


@dataclass(frozen=True)
class Question:
    """How a service is asked: a command in its image, or on the host where no image is said."""

    service: str
    command: tuple[str, ...]
    image: str = ""
    # Folder below the stack's directory -> where the program finds it.
    mounts: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    # Whether the image's entrypoint belongs to the program, because it loads what the files speak of.
    entrypoint: bool = False
    # What a program without a check of its own says when it has accepted everything.
    accepted: tuple[str, ...] = ()
    # Options of `docker run`: what the service may not do the one that is asked may not either.
    box: tuple[str, ...] = ()

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Question:
        """Read what OPTIONS describes."""
        lists = {key: tuple(params[key]) for key in ("command", "accepted", "box")}
        return cls(**{**params, **lists})

    @property
    def whose(self) -> str:
        """Name what is asked about: one service, or all of them together."""
        return "the stack" if self.service == "*" else self.service

    @property
    def program(self) -> str:
        """Name what is asked, as a person would."""
        return self.command[0].rpartition("/")[2]


def problem(entry: Mapping[str, Any]) -> str:
    """Say what is wrong with the key `validate` of a service dictionary; empty where nothing is."""
    for key, value in entry.items():
        if key not in KEYS:
            return f"validate has an unknown key {key!r}; known: {', '.join(sorted(KEYS))}"
        if not isinstance(value, KEYS[key]):
            return f"validate.{key} is {type(value).__name__}, expected {KEYS[key].__name__}"
    return ""


def questions_of(services: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List how the services are asked, as OPTIONS describes it; one whose command is empty is not."""
    found = []
    for name in sorted(services):
        service = services[name]
        entry = service.get("validate", {})
        if entry.get("command"):
            known = {"service": name, "image": service["image"], "mounts": own_mounts(service)}
            box = _box.run_args(service, scratch=True)
            found.append({**known, **({"box": box} if box else {}), **entry})
    return found


def own_mounts(service: Mapping[str, Any]) -> dict[str, str]:
    """Map the folders with a service's own files to where its container has them."""
    managed = [PurePosixPath(path) for path in service.get("config", {}).get("managed", [])]
    binds = {item["source"]: item["target"] for item in service.get("volumes", []) if item["type"] == "bind"}
    return {
        source: target
        for source, target in binds.items()
        if any(path in (PurePosixPath(source), *PurePosixPath(source).parents) for path in managed)
    }


def _user(question: Question) -> list[str]:
    return ["--user", question.user] if question.user else []


def run_cmd(question: Question, root: str, name: str, stack: str) -> list[str]:
    """Return the argv of a container that is asked about the files below root and removed afterwards; it has no network.

    Its name and the label tell whose it is, where a killed run has left it.
    """
    command = [word.replace("{scratch}", MEMORY) for word in question.command]
    volumes = [f"--volume={root}/{folder}:{target}:ro" for folder, target in sorted(question.mounts.items())]
    known = ["--name", name, "--label", f"{_oneshot.LABEL}={stack}"]
    argv = ["docker", "run", *known, "--rm", "--network=none", *question.box, *_user(question), *volumes]
    if question.entrypoint:
        return [*argv, question.image, *command]
    return [*argv, f"--entrypoint={command[0]}", question.image, *command[1:]]


def host_cmd(question: Question, staging: str) -> list[str]:
    """Return the argv of a command on the host."""
    return [word.replace("{staging}", staging) for word in question.command]


def exec_cmd(question: Question, container: str) -> list[str]:
    """Return the argv of a shell in the container that runs; what it does, files and all, comes on its standard input."""
    return ["docker", "exec", "--interactive", *_user(question), container, "sh", "-s"]


def moved(text: str, targets: Iterable[str], scratch: str) -> str:
    """Let a text speak of the copy of some folders."""
    for target in sorted(targets, key=len, reverse=True):
        text = re.sub(rf"(?<![\w./-]){re.escape(target)}(?![\w.-])", f"{scratch}{target}", text)
    return text


def copies(question: Question, files: Mapping[str, str], scratch: str) -> dict[str, str]:
    """Map the path that each of a service's files has in the copy to its content there."""
    found = {}
    for path, content in sorted(files.items()):
        for folder, target in question.mounts.items():
            if path.startswith(f"{folder}/"):
                found[f"{scratch}{target}{path[len(folder) :]}"] = moved(content, question.mounts.values(), scratch)
    return found


def script(question: Question, files: Mapping[str, str], scratch: str, entrypoint: Sequence[str]) -> str:
    """Return what the shell does: copy the files into memory, ask, remove them.

    `printf` is part of every shell, so nothing of a file stands on a command line.
    """
    lines = [
        "umask 077",
        f"mkdir {scratch} || exit 125",
        f"trap 'rm -rf {scratch}' EXIT",
        "trap 'exit 125' HUP INT TERM",
        f"cd {scratch} || exit 125",
    ]
    for path, content in copies(question, files, scratch).items():
        lines.append(f"mkdir -p {shlex.quote(str(PurePosixPath(path).parent))} || exit 125")
        lines.append(f"printf %s {shlex.quote(content)} > {shlex.quote(path)} || exit 125")
    words = [moved(word.replace("{scratch}", scratch), question.mounts.values(), scratch) for word in question.command]
    command = [*(entrypoint if question.entrypoint else ()), *words]
    lines += [
        f"set -- {shlex.join(command)}",
        f'if command -v timeout > /dev/null; then set -- timeout {SECONDS} "$@"; fi',
        "code=0",
        '"$@" < /dev/null || code=$?',
        "exit $code",
    ]
    return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True)
class Answer:
    """What came of a question."""

    question: Question
    code: int
    said: str

    @property
    def asked(self) -> bool:
        """Whether the program ran at all."""
        return self.code not in NOT_ASKED or self.accepted

    @property
    def accepted(self) -> bool:
        """Whether it has accepted its files."""
        return self.code == 0 or any(re.search(pattern, self.said) for pattern in self.question.accepted)

    def refusal(self, outcome: str) -> str:
        """Say in a line why the files are not taken, and what became of them; empty where they are."""
        if self.accepted:
            return ""
        what = self.question.whose
        advice = (
            "see what its services are made from"
            if self.question.service == "*"
            else f"correct the variables of {what}"
        )
        said = _logs.complaint(self.said)
        if self.asked:
            return (
                f"the new configuration of {what} was refused: {self.question.program} says: {said}; {outcome}: {advice}, "
                "then run the same again"
            )
        return (
            f"the new configuration of {what} could not be checked with {self.question.program} (exit code {self.code}): "
            f"{said}; {outcome}: put that right, then run the same again"
        )


def ask_image(run: Runner, question: Question, root: str, stack: str) -> Answer:
    """Ask in a new container of the service's image; one that is not there is pulled, which takes the time that it takes."""
    if run(_compose.image_cmd([question.image]), None)[0] != 0:
        code, out, err = run(["docker", "pull", "--quiet", question.image], None)
        if code != 0:
            return Answer(question, NOT_RUN, out + err)
    name = _oneshot.container_name("check")
    code, out, err = run(_oneshot.limited(run_cmd(question, root, name, stack), SECONDS, "timeout"), None)
    code = _oneshot.as_a_shell_says(code)
    if code in (_oneshot.TIMED_OUT, _oneshot.KILLED):
        # What does not end when it is told to goes on without its client.
        run(["docker", "rm", "--force", name], None)
    return Answer(question, code, out + err)


def ask_host(run: Runner, question: Question, staging: str, root: str) -> Answer:
    """Ask a command on the host."""
    code, out, err = run(host_cmd(question, staging), None)
    return Answer(question, code, (out + err).replace(staging, root))


def ask_running(run: Runner, question: Question, container: _compose.Container, files: Mapping[str, str]) -> Answer:
    """Ask in the container that runs."""
    scratch = f"{MEMORY}/barehost-{secrets.token_hex(8)}"
    code, out, err = run(exec_cmd(question, container.id), script(question, files, scratch, container.entrypoint))
    return Answer(question, code, (out + err).replace(scratch, ""))


def same_image(
    question: Question, containers: Sequence[_compose.Container], image_ids: Mapping[str, str]
) -> _compose.Container | None:
    """Return a running container of the service that is of the image that its files are for."""
    wanted = image_ids.get(_compose.normalize_reference(question.image), "")
    return next((c for c in containers if c.service == question.service and c.running and c.image_id == wanted), None)


def other_image(question: Question, containers: Sequence[_compose.Container]) -> bool:
    """Whether a service is to be replaced by one of another image, which may not accept what this one does."""
    wanted = _compose.normalize_reference(question.image)
    return any(c.service == question.service and _compose.normalize_reference(c.image) != wanted for c in containers)


class Asker:
    """Asks the services of one project, each where that can be done."""

    def __init__(self, run: Runner, project: str, root: str) -> None:
        """Take what runs a command, whose containers are looked for, and where the files are to go."""
        self.run = run
        self.project = project
        self.root = root
        # Services that no container could be asked for.
        self.unchecked: list[str] = []

    def answers(
        self,
        questions: Sequence[Question],
        changed: Collection[str],
        staging: str | None,
        dry: Mapping[str, str] | None,
    ) -> Iterator[Answer]:
        """Ask one after the other; dry is what a dry run has of the files: their paths and contents.

        Without a place where the files lie nothing on the host can be asked.
        """
        for question in questions:
            if not question.image and question.service in {"*", *changed}:
                answer = ask_host(self.run, question, staging, self.root) if staging else None
                yield from self._known(question, answer, dry=dry is not None)
        containers = self._containers() if any(question.image for question in questions) else None
        inside = [c for c in questions if c.image and (c.service in changed or other_image(c, containers or ()))]
        if dry is not None:
            yield from self._running(inside, containers or [], dry)
        elif containers != []:
            # Without any container there is nothing to protect, and no image to pull ahead of the others.
            yield from (ask_image(self.run, question, staging or self.root, self.root) for question in inside)

    def _known(self, question: Question, answer: Answer | None, *, dry: bool) -> Iterator[Answer]:
        """Pass on an answer; a dry run that has none goes on without."""
        if answer is not None and (answer.asked or not dry):
            yield answer
        else:
            self.unchecked.append(question.whose)

    def _running(
        self, questions: Sequence[Question], containers: Sequence[_compose.Container], files: Mapping[str, str]
    ) -> Iterator[Answer]:
        asked = [question.image for question in questions] if containers else []
        references = sorted({_compose.normalize_reference(image) for image in asked})
        image_ids = _compose.image_ids(lambda argv: self.run(argv, None), references)
        for question in questions:
            container = same_image(question, containers, image_ids)
            answer = ask_running(self.run, question, container, files) if container else None
            yield from self._known(question, answer, dry=True)

    def _containers(self) -> list[_compose.Container] | None:
        """Return the containers of the project; None where nobody knows."""
        code, out, _ = self.run(_compose.list_cmd(self.project), None) if self.project else (1, "", "")
        if code != 0:
            return None
        _, out, _ = self.run(_compose.inspect_cmd(out.split()), None) if out.strip() else (0, "[]", "")
        return _compose.parse_containers(out)
