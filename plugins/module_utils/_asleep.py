# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an engine that is stopped would say, read from its own files.

A dry run must not start the engine, and has to say what a real run finds once it has. The files are the engine's own
business, and so this is asked for nothing but what decides about a container: what it was made from, and how it is.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible.module_utils.basic import AnsibleModule

Reply = tuple[int, str, str]

# For the modules whose dry run may come before the engine is started by the same run.
ARGUMENTS: dict[str, Any] = {"engine_first": {"type": "bool", "default": False}}
DAEMON_JSON = Path("/etc/docker/daemon.json")
DOCKER_ROOT = "/var/lib/docker"
# The words of the client up to 28, and those since.
STOPPED = re.compile(r"cannot connect to the docker daemon|failed to connect to the docker api", re.IGNORECASE)
NEVER = "0001-"
# Files of another form than that of the engines whose files are known here.
UNREADABLE = (OSError, KeyError, ValueError, TypeError, AttributeError)
# Docker Hub's names are kept without these.
IMPLIED = re.compile(r"^(?:index\.)?docker\.io/(?:library/)?|^library/")


@dataclass(frozen=True)
class Store:
    """Containers as `docker container inspect` describes them, and the images."""

    containers: Sequence[Mapping[str, Any]] = ()
    references: Mapping[str, str] = field(default_factory=dict)  # -> id
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # id -> labels, of the images that are there
    doubts: Sequence[str] = ()


def data_root(daemon: str) -> str:
    """Return where the engine keeps its data, by the text of its daemon.json."""
    with suppress(ValueError):
        config = json.loads(daemon or "{}")
        if isinstance(config, dict):
            return str(config.get("data-root") or DOCKER_ROOT)
    return DOCKER_ROOT


def remapped(daemon: str) -> bool:
    """Whether the engine runs its containers as other users, and so keeps its data in a folder that is named after those."""
    with suppress(ValueError):
        config = json.loads(daemon or "{}")
        return isinstance(config, dict) and bool(config.get("userns-remap"))
    return False


def state_word(state: Mapping[str, Any]) -> str:
    """Return the engine's one word for a state that its file spells out."""
    if state.get("Running"):
        return "paused" if state.get("Paused") else "restarting" if state.get("Restarting") else "running"
    if state.get("Dead"):
        return "dead"
    return "created" if str(state.get("StartedAt", NEVER)).startswith(NEVER) else "exited"


def comes_up(config: Mapping[str, Any], policy: Mapping[str, Any]) -> bool:
    """Whether the engine starts a container as soon as it is started itself."""
    name = policy.get("Name") or "no"
    if not config.get("HasBeenStartedBefore") or (config.get("State") or {}).get("Dead"):
        return False
    if name == "on-failure":
        most = int(policy.get("MaximumRetryCount") or 0)
        left = not most or int(config.get("RestartCount") or 0) < most
        return left and int((config.get("State") or {}).get("ExitCode") or 0) != 0
    return name == "always" or (name == "unless-stopped" and not config.get("HasBeenManuallyStopped"))


def described(config: Mapping[str, Any], host: Mapping[str, Any], *, alive: bool) -> dict[str, Any]:
    """Return a container as it is once the engine runs, from its two files and whether its process is there.

    What only comes up with the engine has no address yet: it cannot be asked for anything.
    """
    state = dict(config.get("State") or {})
    word = state_word(state)
    if not alive and word in ("running", "paused", "restarting"):
        # Its process ended with the engine or the host, and the file is older than that.
        word, state["ExitCode"] = "exited", state.get("ExitCode") or 137
    if not alive and comes_up({**config, "State": state}, host.get("RestartPolicy") or {}):
        word = "running"
    if state.get("Health"):
        # The engine forgets what it thought of a container's health, and asks anew.
        state["Health"] = {"Status": "starting", "Log": []}
    networks = ((config.get("NetworkSettings") or {}).get("Networks") or {}) if alive else {}
    return {
        "Id": config["ID"],
        "Name": config["Name"],
        "Image": config["Image"],
        "RestartCount": config.get("RestartCount") or 0,
        "State": {**state, "Status": word, "Pid": state.get("Pid") if alive else 0},
        "Config": config["Config"],
        "NetworkSettings": {"Networks": {name: network or {} for name, network in networks.items()}},
    }


def parse_references(text: str) -> dict[str, str]:
    """Map each reference in the engine's repositories.json, a digest's too, to the id of its image."""
    repositories = json.loads(text).get("Repositories") or {}
    return {name: str(image) for names in repositories.values() for name, image in names.items()}


def assumed(containers: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Map references to images as they were when the containers were made: names rarely move in between."""
    return {item["Config"]["Image"]: item["Image"] for item in containers if item["Config"].get("Image")}


def familiar(reference: str) -> str:
    """Return a reference as the engine keeps it."""
    return IMPLIED.sub("", reference)


def runs(container: str, pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether the process of a container is there: a number alone may be somebody else's after a reboot."""
    try:
        return bool(pid) and container in (proc / str(pid) / "cgroup").read_text(encoding="utf-8")
    except OSError:
        return False


def read_containers(root: Path, proc: Path = Path("/proc")) -> list[dict[str, Any]]:
    """Read every container; raise one of UNREADABLE where the files are others than expected."""
    found = []
    folder = root / "containers"
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no {folder}")
    for path in sorted(folder.glob("*/config.v2.json")):
        config = json.loads(path.read_text(encoding="utf-8"))
        host = json.loads((path.parent / "hostconfig.json").read_text(encoding="utf-8"))
        pid = int((config.get("State") or {}).get("Pid") or 0)
        found.append(described(config, host, alive=runs(config["ID"], pid, proc)))
    return found


def read_images(root: Path) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Read the references and the images that are there; raise one of UNREADABLE where nobody can."""
    # One folder for each driver that was ever in use; the one with the newest list is the one that is.
    lists = sorted((root / "image").glob("*/repositories.json"), key=lambda path: path.stat().st_mtime)
    if not lists:
        raise FileNotFoundError(f"no list of images below {root}")
    references = parse_references(lists[-1].read_text(encoding="utf-8"))
    labels = {}
    for path in sorted((lists[-1].parent / "imagedb" / "content" / "sha256").iterdir()):
        config = json.loads(path.read_text(encoding="utf-8")).get("config") or {}
        labels[f"sha256:{path.name}"] = config.get("Labels") or {}
    return {name: image for name, image in references.items() if image in labels}, labels


def read(root: Path, proc: Path = Path("/proc")) -> Store:
    """Read it all; what cannot be read is doubtful, and what is most probable takes its place."""
    try:
        containers = read_containers(root, proc)
    except UNREADABLE as error:
        doubt = f"its containers could not be read ({type(error).__name__}: {error}), and are taken to be none"
        return Store(doubts=[doubt])
    try:
        # With containerd's store there may be an old list beside it, which says nothing of these containers.
        references, labels = read_images(root)
        if not all(item["Image"] in labels for item in containers):
            raise FileNotFoundError(f"the list below {root} does not name the images of its containers")
    except UNREADABLE as error:
        references = assumed(containers)
        doubt = f"its images could not be read ({type(error).__name__}: {error}), and are taken to be those that its containers were made from"
        return Store(containers, references, {image: {} for image in references.values()}, [doubt])
    return Store(containers, references, labels)


def filters_of(argv: Sequence[str]) -> list[tuple[str, str]] | None:
    """Return the labels that a list is narrowed down to; None where it is by something else."""
    given = [argv[number + 1] for number, word in enumerate(argv[:-1]) if word == "--filter"]
    if not all(text.startswith("label=") for text in given):
        return None
    pairs = [text[len("label=") :].partition("=") for text in given]
    return [(name, value) for name, _, value in pairs]


def has(labels: Mapping[str, str] | None, wanted: Iterable[tuple[str, str]]) -> bool:
    """Whether labels are among those of a container or an image."""
    return all((labels or {}).get(name) == value for name, value in wanted)


def image_of(store: Store, reference: str) -> str:
    """Return the id of the image that a reference or an id names, or an empty text."""
    return reference if reference in store.labels else store.references.get(familiar(reference), "")


def inspect_images(store: Store, references: Sequence[str]) -> Reply:
    """Answer `docker image inspect`, whose end says whether all were there."""
    ids = [image_of(store, reference) for reference in references]
    items = [
        {
            "Id": image,
            "RepoTags": [name for name, own in store.references.items() if own == image and "@" not in name],
            "RepoDigests": [name for name, own in store.references.items() if own == image and "@" in name],
            "Config": {"Labels": store.labels.get(image) or {}},
        }
        for image in ids
        if image
    ]
    return (0 if all(ids) else 1), json.dumps(items), ""


def answer(store: Store, argv: Sequence[str]) -> Reply | None:
    """Answer one command of the client in the engine's place; None where only the engine knows."""
    words = list(argv[argv.index("docker") :]) if "docker" in argv else []
    labels = filters_of(words)
    if labels is None or "--format" in words:
        return None
    if words[:2] == ["docker", "ps"] and "--all" in words:
        ids = [item["Id"] for item in store.containers if has(item["Config"].get("Labels"), labels)]
    elif words[:3] == ["docker", "image", "ls"]:
        ids = [image for image, own in store.labels.items() if has(own, labels)]
    elif words[:3] == ["docker", "container", "inspect"]:
        return 0, json.dumps([item for item in store.containers if item["Id"] in words[3:]]), ""
    elif words[:3] == ["docker", "image", "inspect"]:
        return inspect_images(store, words[3:])
    else:
        return None
    return 0, "".join(f"{name}\n" for name in ids), ""


class Sleeper:
    """Runs commands, and answers those in the engine's place that fail because it is stopped."""

    def __init__(self, module: AnsibleModule, run: Callable[..., Reply]) -> None:
        """Take the function that runs a command."""
        self.module = module
        self.real = run
        self.store: Store | None = None

    def run(self, argv: Sequence[str], **options: Any) -> Reply:  # noqa: ANN401 - those of run_command
        """Run a command."""
        found = self.real(argv, **options)
        if found[0] == 0 or not STOPPED.search(found[2]):
            return found
        if self.store is None:
            self.store = self.look()
        said = answer(self.store, argv)
        return found if said is None else said

    def look(self) -> Store:
        """Read the files, and say so."""
        daemon = DAEMON_JSON.read_text(encoding="utf-8") if DAEMON_JSON.exists() else ""
        root = Path(data_root(daemon))
        store = read(root)
        others = ["userns-remap is set, with which they lie in another folder"] if remapped(daemon) else []
        doubts = "".join(f"; {doubt}" for doubt in [*others, *store.doubts])
        self.module.warn(
            f"Docker does not run: what it will find once it does was read from its files below {root}{doubts}"
        )
        return store


def listen(module: AnsibleModule) -> None:
    """Have a dry run answered where the engine is stopped and the real run starts it first; any other is refused, as that one is."""
    if module.check_mode and module.params["engine_first"]:
        module.run_command = Sleeper(module, module.run_command).run
