# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Send the build context to the host, or build here and push, but only where the image is missing there."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display
from ansible_collections.barehost.django.plugins.module_utils import _build, _image, _lock, _sender, _source
from ansible_collections.barehost.django.plugins.module_utils._action import ModuleAction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# What only this plugin may say.
INTERNAL = frozenset({"context", "pushed", "revision"})
# The default of the module's option.
TIMEOUT_SECONDS = 3600
POLL_SECONDS = 0.2
# What a command that is ended gets to tidy up.
END_SECONDS = 10


def git_revision(source: str, form: str = "%h") -> str:
    """Return the revision that last touched the source, "+" behind it where the source differs from it; empty without git.

    For people who read the record: the release itself is named after its content.
    """
    try:
        revision, state = (
            subprocess.run(
                ["git", "-C", source, *words, "--", "."], capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in (("log", "-1", f"--format={form}"), ("status", "--porcelain"))
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{revision}+" if revision and state else revision


def run_here(
    argv: list[str], env: Mapping[str, str], data: str | None, limit: _build.Deadline | None = None
) -> tuple[int, str, str]:
    """Run a command on the controller, at most as long as there is time."""
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    try:
        # In a group of its own: Docker's client starts others, which would outlive it.
        process = subprocess.Popen(argv, env={**os.environ, **env}, text=True, start_new_session=True, **pipes)
    except OSError as error:
        return 127, "", f"{argv[0]}: {error.strerror}; the controller needs it to build and push"
    try:
        out, err = process.communicate(data or "", timeout=limit.rest() if limit else None)
    except subprocess.TimeoutExpired as error:
        _, err = end(process)
        raise (limit or _build.Deadline(0)).late(argv, err) from error
    except BaseException:
        end(process)
        raise
    return process.returncode, out, err


def end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """End a command and all that it has started; return what it said."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=END_SECONDS)
    return "", ""


@contextlib.contextmanager
def alone(name: str, seconds: float) -> Iterator[str]:
    """Let one process at a time through, of all hosts of a run and of all runs of this user; lend it a folder.

    What one that was killed has left of its folder is removed by the next one for the same name.
    """
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    prefix = f"barehost-{os.getuid()}-{digest}"
    root = Path(tempfile.gettempdir())
    handle = os.open(root / f"{prefix}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        wait_for(handle, name, seconds)
        for path in root.glob(f"{prefix}-*"):
            # The folder is everybody's: only what is ours goes.
            if path.lstat().st_uid == os.getuid():
                shutil.rmtree(path, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f"{prefix}-") as folder:
            yield folder
    finally:
        os.close(handle)


def wait_for(handle: int, name: str, seconds: float) -> None:
    """Take a lock, and say for whom that waits, if it does; refuse after some time."""
    end_of_patience = time.monotonic() + seconds
    said = False
    while not _lock.try_flock(handle):
        holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "?"
        if time.monotonic() >= end_of_patience:
            raise _build.ImageError(
                f"process {holder} on the controller has been at work on {name} for more than {seconds:.0f} s; the release "
                "that serves is untouched: see what it waits for, end it, or raise release_image_timeout_seconds."
            )
        if not said:
            Display().display(f"waiting: process {holder} on the controller is at work on {name}")
            said = True
        time.sleep(POLL_SECONDS)
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)


def publish(args: Mapping[str, Any], run: Any = None) -> None:  # noqa: ANN401 - a stand-in in tests
    """Build the source on the controller and push it under the release id, unless the registry has it."""
    reference = f"{args['push_to']}:{args['release_id']}"
    problem = _image.repository_problem(str(args["push_to"]))
    if problem:
        raise _build.ImageError(f"the repository {args['push_to']!r} to push to is not usable: {problem}.")
    login = str(args.get("registry_username") or ""), str(args.get("registry_password") or "")
    seconds = int(args.get("timeout") or TIMEOUT_SECONDS)
    with alone(reference, seconds) as tmpdir:
        # Who had to wait for another one has its own time all the same: most likely there is nothing left to do.
        run = run or functools.partial(run_here, limit=_build.Deadline(seconds))
        with _build.logged_in(run, reference, *login, tmpdir) as env:
            if _build.published(run, reference, env):
                return
            if _build.inspect(run, reference) is None:
                _build_here(args, reference, tmpdir, run)
            _build.push(run, reference, env)
            # The registry has it now, and the build cache makes the next one fast: nobody would ever prune it here.
            _build.forget(run, reference)


def _build_here(args: Mapping[str, Any], reference: str, tmpdir: str, run: Any) -> None:  # noqa: ANN401 - as above
    source, dockerfile = str(args["source"]), str(args.get("dockerfile") or "Dockerfile")
    plan = _image.Build(
        dockerfile,
        {name: str(value) for name, value in (args.get("build_args") or {}).items()},
        args.get("labels") or {},
        {name: str(value) for name, value in (args.get("build_secrets") or {}).items()},
    )
    for problem in filter(None, map(_image.secret_problem, plan.secrets)):
        raise _build.ImageError(problem)
    folder = Path(tmpdir) / "context"
    folder.mkdir()
    # The packed context and not the folder itself: what was hashed is what is built.
    with tempfile.TemporaryFile(dir=tmpdir) as file:
        _source.pack(source, dockerfile, file)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            _source.unpack(archive, str(folder))
    labelled = plan.labelled(str(args["release_id"]), git_revision(source, "%H"))
    _build.build(run, reference, labelled, str(folder), tmpdir)


class ActionModule(ModuleAction):
    """Asks the host first; packs, sends, builds and pushes only if it has to."""

    # Ansible would make a folder on the host for every call, and remove it: one is made where something is sent.
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module once where the image is there, and twice where it has to be built."""
        super().run(tmp, task_vars)
        args = {key: value for key, value in self._task.args.items() if key not in INTERNAL}
        result = self._find(args, lambda given: self.call("release_image", given, task_vars))
        if args.get("source") and not result.get("failed"):
            return {**result, "git_revision": git_revision(str(args["source"]))}
        return result

    def _find(self, args: dict[str, Any], call: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        """Call the host, and once more where it needs something of the controller first."""
        result = {"needs": "context"} if self._surely_missing(args) else call(args)
        if not result.get("needs"):
            return result
        try:
            return call({**args, **self._provide(result["needs"], args)})
        finally:
            _sender.tidy(self)

    def _surely_missing(self, args: dict[str, Any]) -> bool:
        """Whether it is known without asking that the source has to be sent."""
        there = args.pop("there", None)
        sent = args.get("source") and not args.get("push_to") and not self._task.check_mode
        return bool(sent) and there is not None and args.get("release_id") not in there

    def _provide(self, needs: str, args: dict[str, Any]) -> dict[str, Any]:
        """Do the controller's part, and return what the module has to know of it."""
        try:
            if needs == "push":
                publish(args)
                return {"pushed": True}
            source = str(args["source"])
            context = _sender.send_source(
                self, source, str(args.get("dockerfile") or "Dockerfile"), str(args["project_dir"])
            )
            return {"context": context, "revision": git_revision(source, "%H")}
        except (_source.SourceError, _build.ImageError) as error:
            raise AnsibleActionFail(str(error)) from error
