# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far an upgrade of a server has come, on the disk before each step, and what the next run does with one that was cut off.

Until the new version has proven itself where nobody reaches it, the way leads back: the kept copy of the data is put in place.
From then on it leads on: the application may have written, and what it wrote must not be lost.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ansible_collections.barehost.django.plugins.module_utils import _dump, _files, _lock, _up

FILE = f"{_lock.FOLDER}/upgrade.json"
FILE_MODE = 0o600
# The data is as it was; the new version may have touched it; the copy is being put back; the new version has proven itself.
COPYING, UPGRADING, RESTORING, STARTING = "copying", "upgrading", "restoring", "starting"
QUERY_SECONDS = 60
WRITABLE = "SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF"


@dataclass(frozen=True)
class State:
    """An upgrade that is under way."""

    service: str
    phase: str
    # As the engine names it, and where it lies.
    volume: str
    folder: str
    # The kept copy of the data directory.
    copy: str
    # Id of the container of before, which is stopped and stays until the new version serves.
    container: str
    # Name of the container in which the new version is tried.
    trial: str
    # Version of the data, and the image that it is to have.
    data: str
    image: str
    # Image of before: its reference, and its id.
    before: str
    before_id: str

    def describe(self) -> str:
        """Say which one it is."""
        return f"the upgrade of {self.service} from {self.data} to {self.image}"


def load(root: Path) -> State | None:
    """Read it; None where none is under way. UpError where it cannot be read, since nobody knows then what the data is."""
    path = root / FILE
    try:
        return State(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise _up.UpError(
            f"{path} cannot be read ({error}), so nobody knows how far an upgrade has come: see which copy lies in "
            f"{root / _dump.FOLDER} and whether the server works, then remove that file"
        ) from error


def left(root: Path) -> str:
    """Say in one line which upgrade has not come to its end; empty where none has been begun."""
    try:
        state = load(root)
    except _up.UpError as error:
        return str(error)
    if state is None:
        return ""
    way = "brings it to its end" if state.phase == STARTING else "takes it back"
    return (
        f"{state.describe()} was cut off ({state.phase}): start nothing by hand, and run barehost.django.upgrade_mysql or deploy, "
        f"which {way}"
    )


def save(root: Path, state: State) -> None:
    """Put it on the disk."""
    path = root / FILE
    path.parent.mkdir(mode=0o700, exist_ok=True)
    _files.replace(path, json.dumps(asdict(state), indent=2) + "\n", FILE_MODE)
    _files.sync(path.parent)


def drop(root: Path) -> None:
    """Forget it: it has come to an end."""
    (root / FILE).unlink(missing_ok=True)
    _files.sync((root / FILE).parent)


def partial(copy: str) -> Path:
    """Return the name that a copy has until it is whole."""
    path = Path(copy)
    return path.with_name(f".{path.name}.partial")


def copy_cmd(source: str, target: str) -> list[str]:
    """Return the argv that copies a tree with owners, times and holes; on a file system that can, it shares the blocks."""
    return ["cp", "--archive", "--reflink=auto", "--sparse=auto", f"{source}/.", target]


def users_cmd(volume: str) -> list[str]:
    """Return the argv that lists the running containers that have a volume."""
    return ["docker", "ps", "--quiet", "--no-trunc", "--filter", f"volume={volume}"]


def writable(engine: _up.Engine, container: str) -> None:
    """Let a server that was asked to write no more do so again."""
    argv = _dump.as_root_cmd(container, ["mysql", f"--execute={WRITABLE}"], QUERY_SECONDS)
    engine.try_call(argv)


def keep(engine: _up.Engine, state: State) -> None:
    """Copy the data directory of a server that is down; the copy has its name when it is whole and on the disk."""
    unfinished = partial(state.copy)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(mode=0o700, exist_ok=True)
    unfinished.mkdir(mode=0o700)
    refuse_users(engine, state)
    engine.call(copy_cmd(state.folder, str(unfinished / "data")))
    engine.call(["sync", "--file-system", str(unfinished)])
    unfinished.rename(state.copy)
    _files.sync(unfinished.parent)


def refuse_users(engine: _up.Engine, state: State) -> None:
    """Refuse to touch data that a container works with."""
    found = engine.call(users_cmd(state.volume)).split()
    if found:
        raise _up.UpError(
            f"container {found[0][:12]} works with the volume {state.volume}: stop it, then run the same again"
        )


def put_back(engine: _up.Engine, state: State) -> None:
    """Put the kept copy in place of what a new version may have touched; cut off, it begins anew."""
    source, target = Path(state.copy) / "data", Path(state.folder)
    if not source.is_dir():
        raise _up.UpError(
            f"{state.describe()} was cut off, and the copy of its data {state.copy} is gone: put it back, or remove "
            f"{engine.root / FILE} if the data in the volume {state.volume} is as it should be"
        )
    save(engine.root, replace(state, phase=RESTORING))
    others = [c.id for c in engine.containers() if c.service == state.service and c.id != state.container]
    if others:
        engine.call(["docker", "rm", "--force", *others])
    refuse_users(engine, state)
    for path in target.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    engine.call(copy_cmd(str(source), str(target)))
    engine.call(["sync", "--file-system", str(target)])


def forget_copy(state: State) -> None:
    """Remove a copy that is no more than what is in place and works again."""
    for path in (Path(state.copy), partial(state.copy)):
        shutil.rmtree(path, ignore_errors=True)


def recover(engine: _up.Engine) -> str:
    """Take an upgrade back that was cut off, or bring it to its end; return what was done, empty where none was under way.

    The container of before is left as it is: whoever comes next decides whether it is started or made anew.
    """
    root = engine.root
    state = load(root)
    if state is None:
        return ""
    engine.try_call(["docker", "rm", "--force", state.trial])
    if state.phase == STARTING:
        done = f"{state.describe()} was cut off at its end, and goes on"
    else:
        if state.phase == COPYING:
            writable(engine, state.container)
        else:
            put_back(engine, state)
        shutil.rmtree(partial(state.copy), ignore_errors=True)
        done = f"{state.describe()} was cut off, and was taken back"
    drop(root)
    return done
