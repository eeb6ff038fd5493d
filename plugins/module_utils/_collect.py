# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Collecting the static files of a release into a directory of its own on the host."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _oneshot,
    _program_collectstatic,
    _program_prepare,
    _program_static_list,
    _release,
    _serving,
    _static,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from ansible.module_utils.basic import AnsibleModule

# What a container is called that collects.
COLLECTING = "static"


@dataclass(frozen=True)
class Request:
    """What is to be collected, and where to."""

    release_id: str
    dest: Path
    static_root: str
    seconds: int

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Request:
        """Read a module's parameters."""
        dest = Path(params["project_dir"], _release.STATIC, _release.check_id(params["release_id"]))
        return cls(params["release_id"], dest, params["static_root"], params["collect_timeout"])

    @property
    def current(self) -> Path:
        """Where the files are that the edge serves first."""
        return self.dest.parent / _release.CURRENT

    def problem(self) -> str | None:
        """Say which parameter cannot be used."""
        if self.release_id in _release.STATIC_LINKS:
            return f"release_id {self.release_id!r} is the name of a link among the static files: choose another one"
        if not self.static_root.startswith("/") or ":" in self.static_root:
            return f"static_root {self.static_root!r} is no absolute path in a container: start it with /"
        if self.dest.exists() and not self.dest.is_dir():
            return f"{self.dest} is in the way: it is no directory; move it away"
        return None


def there(request: Request) -> dict[str, Any]:
    """Return what there is of a release that was collected before."""
    found = _static.census(request.dest)
    return {"changed": False, "directory": str(request.dest), "files": found.files, "bytes": found.bytes}


def predicted(request: Request, question: _serving.Question | None) -> dict[str, Any]:
    """Return what a dry run can say of a release that was not collected yet: the files by the names of their source."""
    listings = [_listing(question, request.seconds, now=now) for now in (False, True)] if question else [None]
    result: dict[str, Any] = {"changed": True, "directory": str(request.dest), "files": 0, "bytes": 0}
    if None in listings:
        return {**result, "diff": {"before": "", "after": f"{request.dest}/ (which files cannot be known yet)\n"}}
    new, old = ({name: str(digest) for name, digest in (listing or {}).items()} for listing in listings)
    return {**result, **_told(request, _static.difference(old, new))}


def _listing(question: _serving.Question, seconds: int, *, now: bool) -> dict[str, Any] | None:
    """Return the files that a release would collect, with the hash of each; None where that cannot be known yet."""
    try:
        found = question.ask(_program_static_list, seconds, now=now).first("files")
    except _serving.UnknownYetError:
        return None
    return found["files"] if found else None


def _told(request: Request, difference: _static.Comparison) -> dict[str, Any]:
    """Return a comparison with the current release as the module tells it."""
    return {
        "added": len(difference.added),
        "removed": len(difference.removed),
        "differing": len(difference.changed),
        "diff": {
            "before_header": str(request.current),
            "after_header": str(request.dest),
            "before": "",
            "after": difference.text(),
        },
    }


def collect(module: AnsibleModule, request: Request) -> dict[str, Any]:
    """Collect into a directory beside the target, and rename it; return what came of it."""
    return _settled(module, request, (_program_collectstatic, {}), lambda answer: answer)


def plan_and_collect(
    module: AnsibleModule, request: Request, wanted: Mapping[str, Any], planned: Callable[[_oneshot.Answer], Any]
) -> dict[str, Any]:
    """As collect, after Django has planned in the same process; `planned` gets that answer, and raises where it is no good."""

    def rest(answer: _oneshot.Answer) -> _oneshot.Answer:
        before, after = answer.split("collecting")
        planned(before)
        return after

    return _settled(module, request, (_program_prepare, wanted), rest)


def _settled(
    module: AnsibleModule,
    request: Request,
    program: tuple[ModuleType, Mapping[str, Any]],
    look: Callable[[_oneshot.Answer], _oneshot.Answer],
) -> dict[str, Any]:
    """Run a program that collects, with parameters beside those of any; `look` takes its part out of the answer."""
    project = _oneshot.Project.from_params(module.params)
    name = _oneshot.container_name(COLLECTING)
    staging = _static.make_staging(request.dest)
    try:
        answer = _oneshot.run_program(
            module,
            # As the image's own user, whom the directory lets in: what an app's settings write elsewhere stays that user's.
            _oneshot.oneshot_cmd(project, name, volumes=[f"{staging}:{request.static_root}"]),
            program[0],
            {"settings_module": project.settings_module, "static_root": request.static_root, **program[1]},
            seconds=request.seconds,
            container=name,
        )
        answer = look(answer)
        if answer.first("done") is None:
            message = _oneshot.explain(answer, "collecting static files", request.seconds)
            raise _oneshot.ProgramError(message, answer, directory=str(request.dest))
        _static.settle(staging, request.dest)
    finally:
        # After the rename there is nothing left of it.
        shutil.rmtree(staging, ignore_errors=True)
    return {**there(request), "changed": True, **_told(request, _static.compare(request.current, request.dest))}
