# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asking the app inside the container that serves.

In a dry run, since a container of its own would already be a change; and wherever it is just what would be started.

A release that is not built yet is asked through its source, which is put into memory there and is gone with the answer.
"""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _compose, _oneshot

if TYPE_CHECKING:
    from types import ModuleType

    from ansible.module_utils.basic import AnsibleModule

# The plan and the list of static files have a copy each, in the 64 MiB of memory that a container has for it (/dev/shm).
LARGEST_SOURCE = 16 * 1024 * 1024
FORMAT = f'{{{{.ID}}}} {{{{.Image}}}} {{{{.Label "{_compose.LABEL_DEFINITION}"}}}}'
# What Python raises for a package that is not installed.
NOT_THERE = ("ImportError", "ModuleNotFoundError")

ARGUMENTS: dict[str, Any] = {
    "source": {"type": "path"},
    "dockerfile": {"type": "str", "default": "Dockerfile"},
    "context": {"type": "path"},
}


@dataclass(frozen=True)
class Serving:
    """A container of the app that can be asked."""

    container: str
    release_id: str
    definition: str


class UnknownYetError(Exception):
    """What a dry run cannot know; says why."""


def list_cmd(project: _oneshot.Project) -> list[str]:
    """Return the argv that lists the running containers of the app's service, each with its image."""
    labels = {_compose.LABEL_DIRECTORY: project.directory, _compose.LABEL_SERVICE: project.service}
    filters = [word for name, value in labels.items() for word in ("--filter", f"label={name}={value}")]
    # One that fails and is restarted over and over is listed as well, but nothing can be asked in it.
    filters += ["--filter", f"label={_compose.LABEL_ONEOFF}=False", "--filter", "status=running"]
    return ["docker", "ps", "--no-trunc", *filters, "--format", FORMAT]


def exec_cmd(container: str, python: str) -> list[str]:
    """Return the argv that runs a program in a container."""
    return ["docker", "exec", "--interactive", container, python, "-"]


def serving(module: AnsibleModule, project: _oneshot.Project) -> Serving:
    """Return the container that serves."""
    if module.get_bin_path("docker") is None:
        raise UnknownYetError("Docker is not installed yet")
    code, out, _err = module.run_command(list_cmd(project), check_rc=False)
    lines = out.split("\n") if code == 0 else []
    running = [parse(line) for line in lines if line.strip()]
    if not running:
        raise UnknownYetError(f"no container of the service {project.service} runs")
    return running[0]


def parse(line: str) -> Serving:
    """Read one line of the list."""
    container, image, definition = f"{line}  ".split(" ")[:3]
    return Serving(container, image.rpartition(":")[2], definition)


def as_it_runs(module: AnsibleModule, release_id: str, definition: str) -> Question | None:
    """Return the question to a release that serves just as it should; None where it does not, or not yet."""
    if not definition:
        return None
    try:
        question = Question(module, release_id)
    except UnknownYetError:
        return None
    return question if question.serving.definition == definition and not question.source else None


def packed(context: str | None, release_id: str) -> str:
    """Return the source of a release in a form that travels in a program."""
    if context is None:
        raise UnknownYetError(
            f"release {release_id} does not serve, and its source is not on the controller or larger than "
            f"{LARGEST_SOURCE >> 20} MiB"
        )
    return base64.b64encode(gzip.compress(Path(context).read_bytes(), compresslevel=1)).decode("ascii")


class Question:
    """What a release is asked through the container that serves."""

    def __init__(self, module: AnsibleModule, release_id: str) -> None:
        """Look for the container, and take the release's source along where another one serves."""
        self.module = module
        self.project = _oneshot.Project.from_params(module.params)
        self.serving = serving(module, self.project)
        self.release_id = release_id or self.serving.release_id
        self.source = ""
        if self.release_id != self.serving.release_id:
            self.source = packed(module.params.get("context"), self.release_id)

    def ask(self, program: ModuleType, seconds: int, *, now: bool = False, **parameters: Any) -> _oneshot.Answer:  # noqa: ANN401 - JSON
        """Run a program; with `now` on the release that serves, whichever one this is about."""
        asked = {
            "settings_module": self.project.settings_module,
            **({} if now or not self.source else {"source": self.source}),
            **parameters,
        }
        argv = exec_cmd(self.serving.container, self.project.python)
        answer = _oneshot.run_program(self.module, argv, program, asked, seconds=seconds)
        failed = answer.first("failed") or {}
        # Migrations are imported later than the settings, and may be the first to need a package that is not there.
        lacks = failed.get("stage") in ("source", "setup") or failed.get("error") in NOT_THERE
        if self.source and not now and lacks:
            raise UnknownYetError(
                f"release {self.release_id} does not serve, and its source does not start with the packages of the release "
                f"that serves: {failed['error']}: {failed['message']}"
            )
        return answer
