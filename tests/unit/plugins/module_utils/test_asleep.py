# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a stopped engine would say, by files that Docker 26.1 has written."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _asleep, _bring_up, _compose, _image, _up
from ansible_collections.barehost.django.plugins.modules import compose_up
from support.modules import Engine, run

RECORDED = json.loads((Path(__file__).resolve().parents[2] / "fixtures" / "docker_root.json").read_text())
NGINX, REDIS = "app-nginx-1", "app-redis-1"
NGINX_IMAGE = "sha256:ad6e6d561f22eab35082ff1e7b96e6216cfc086cfbcac126fdd9e5e3f6d4c791"
STOPPED = (1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n")
STOPPED_SINCE_29 = (1, "", "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path\n")


def files(name: str, **state: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the two files of a container, with another state."""
    both = copy.deepcopy(RECORDED["containers"][name])
    config = both["config.v2.json"]
    for key in ("HasBeenManuallyStopped", "HasBeenStartedBefore"):
        config[key] = state.pop(key, config[key])
    config["State"].update(state)
    return config, both["hostconfig.json"]


def lay_out(tmp_path: Path, *, alive: tuple[str, ...] = (NGINX, REDIS), images: bool = True) -> tuple[Path, Path]:
    """Write the recorded files; return the engine's folder and what stands for /proc."""
    root, proc = tmp_path / "docker", tmp_path / "proc"
    for name in RECORDED["containers"]:
        config, host = files(name)
        folder = root / "containers" / config["ID"]
        folder.mkdir(parents=True)
        (folder / "config.v2.json").write_text(json.dumps(config))
        (folder / "hostconfig.json").write_text(json.dumps(host))
        process = proc / str(config["State"]["Pid"])
        process.mkdir(parents=True)
        owner = config["ID"] if name in alive else "somebody else"
        (process / "cgroup").write_text(f"0::/docker/{owner}\n")
    content = root / "image" / "overlay2" / "imagedb" / "content" / "sha256"
    if images:
        content.mkdir(parents=True)
        (root / "image" / "overlay2" / "repositories.json").write_text(json.dumps(RECORDED["repositories.json"]))
        for name, config in RECORDED["images"].items():
            (content / name).write_text(json.dumps(config))
    return root, proc


@pytest.mark.parametrize(
    ("state", "alive", "status"),
    [
        ({"Paused": False}, True, "running"),
        ({"Paused": True}, True, "paused"),
        # It ended with the engine or the host, and comes up with it again.
        ({}, False, "running"),
        ({"Paused": True}, False, "running"),
        ({"Running": False, "FinishedAt": "2026-11-26T13:12:00Z"}, False, "running"),
        ({"Running": False, "HasBeenManuallyStopped": True}, False, "exited"),
        ({"Running": False, "StartedAt": "0001-01-01T00:00:00Z", "HasBeenStartedBefore": False}, False, "created"),
        ({"Running": False, "Dead": True}, False, "dead"),
    ],
)
def test_a_container_is_described_as_it_is_once_the_engine_runs(
    state: dict[str, Any], *, alive: bool, status: str
) -> None:
    config, host = files(REDIS, **state)
    (found,) = _compose.parse_containers(json.dumps([_asleep.described(config, host, alive=alive)]))
    assert (found.state, found.service, found.definition) == (status, "redis", "0f1ceeb7b90ea23f")
    # What it said of its health is over, and one without a process has no address.
    assert found.health == "starting"
    assert (found.address, found.pid) == (("172.19.0.3", 1286) if alive else ("", 0))


@pytest.mark.parametrize(
    ("policy", "exit_code", "stopped", "comes"),
    [
        ({"Name": "always"}, 0, True, True),
        ({"Name": "unless-stopped"}, 0, False, True),
        ({"Name": "unless-stopped"}, 0, True, False),
        ({"Name": "on-failure"}, 1, True, True),
        ({"Name": "on-failure"}, 0, False, False),
        ({"Name": "on-failure", "MaximumRetryCount": 3}, 1, False, True),
        ({"Name": "no"}, 1, False, False),
        ({}, 1, False, False),
    ],
)
def test_the_policy_says_what_comes_up_with_the_engine(
    policy: dict[str, Any], exit_code: int, *, stopped: bool, comes: bool
) -> None:
    config, _ = files(REDIS, Running=False, ExitCode=exit_code, HasBeenManuallyStopped=stopped)
    assert _asleep.comes_up(config, policy) is comes


def test_one_that_failed_too_often_does_not_come_up() -> None:
    config, _ = files(REDIS, Running=False, ExitCode=1)
    assert not _asleep.comes_up({**config, "RestartCount": 3}, {"Name": "on-failure", "MaximumRetryCount": 3})


@pytest.mark.parametrize(
    ("text", "root"),
    [("", "/var/lib/docker"), ('{"data-root": "/srv/docker"}', "/srv/docker"), ("{", "/var/lib/docker")],
)
def test_the_folder_follows_from_the_daemons_configuration(text: str, root: str) -> None:
    assert _asleep.data_root(text) == root


def test_everything_is_read_and_nothing_is_doubtful(tmp_path: Path) -> None:
    store = _asleep.read(*lay_out(tmp_path, alive=(NGINX,)))
    assert {item["Name"]: item["State"]["Status"] for item in store.containers} == {
        # Somebody had paused it when the files were recorded.
        f"/{NGINX}": "paused",
        f"/{REDIS}": "running",
    }
    assert store.references["nginx:1.30-alpine"] == NGINX_IMAGE
    assert not store.doubts


def test_an_image_that_lost_its_content_is_not_there(tmp_path: Path) -> None:
    root, proc = lay_out(tmp_path)
    image = RECORDED["repositories.json"]["Repositories"]["mysql"]["mysql:9.7"]
    (root / "image/overlay2/imagedb/content/sha256" / image.rpartition(":")[2]).unlink()
    store = _asleep.read(root, proc)
    assert "mysql:9.7" not in store.references
    assert "redis:8-alpine" in store.references


def test_where_containerd_keeps_the_images_the_containers_say_which_there_are(tmp_path: Path) -> None:
    store = _asleep.read(*lay_out(tmp_path, images=False))
    assert store.references["nginx:1.30-alpine"] == NGINX_IMAGE
    assert "mysql:9.7" not in store.references
    assert "its images could not be read (FileNotFoundError: no list of images below" in store.doubts[0]


def test_a_list_of_images_from_before_containerd_is_not_believed(tmp_path: Path) -> None:
    root, proc = lay_out(tmp_path)
    for path in (root / "image/overlay2/imagedb/content/sha256").iterdir():
        path.unlink()
    store = _asleep.read(root, proc)
    assert sorted(store.references) == ["nginx:1.30-alpine", "redis:8-alpine"]
    assert len(store.doubts) == 1


@pytest.mark.parametrize(
    ("text", "error"),
    [("{}", "KeyError"), ("[]", "AttributeError"), ('{"State": {"Pid": [1]}}', "TypeError"), ("{", "JSONDecodeError")],
)
def test_files_of_another_form_are_doubtful(tmp_path: Path, text: str, error: str) -> None:
    root, proc = lay_out(tmp_path)
    next((root / "containers").iterdir()).joinpath("config.v2.json").write_text(text)
    store = _asleep.read(root, proc)
    assert (store.containers, store.references) == ((), {})
    assert f"its containers could not be read ({error}: " in store.doubts[0]


@pytest.mark.parametrize("text", ["[]", '{"Repositories": [1]}', "{"])
def test_a_list_of_images_of_another_form_is_doubtful(tmp_path: Path, text: str) -> None:
    root, proc = lay_out(tmp_path)
    (root / "image" / "overlay2" / "repositories.json").write_text(text)
    store = _asleep.read(root, proc)
    assert sorted(store.references) == ["nginx:1.30-alpine", "redis:8-alpine"]
    assert "its images could not be read" in store.doubts[0]


def test_a_folder_without_containers_is_doubtful(tmp_path: Path) -> None:
    store = _asleep.read(tmp_path, tmp_path)
    assert f"(FileNotFoundError: there is no {tmp_path / 'containers'})" in store.doubts[0]


def test_the_commands_that_decide_are_answered_and_no_others(tmp_path: Path) -> None:
    store = _asleep.read(*lay_out(tmp_path))
    app = RECORDED["repositories.json"]["Repositories"]["app/app"]
    assert _asleep.answer(store, _compose.list_cmd("other")) == (0, "", "")
    listed = _asleep.answer(store, _compose.list_cmd("app"))
    assert listed is not None
    assert len(listed[1].split()) == 2
    release, image = next((name.rpartition(":")[2], image) for name, image in app.items())
    assert _asleep.answer(store, ["/usr/bin/timeout", "9", *_image.labelled_cmd(release)]) == (0, f"{image}\n", "")
    for argv in (["docker", "exec", "web-1", "true"], ["docker", "ps", "--filter", "status=running"], ["git", "fetch"]):
        assert _asleep.answer(store, argv) is None


@pytest.mark.parametrize("reference", ["nginx:1.30-alpine", "docker.io/library/nginx:1.30-alpine", NGINX_IMAGE])
def test_an_image_is_found_by_each_of_its_names(tmp_path: Path, reference: str) -> None:
    store = _asleep.read(*lay_out(tmp_path))
    code, out, _ = _asleep.answer(store, _compose.image_cmd([reference])) or (9, "", "")
    assert (code, _compose.first_image_id(out)) == (0, NGINX_IMAGE)
    found = _image.parse_image(out)
    assert found is not None
    assert found.tags == ("nginx:1.30-alpine",)
    code, out, _ = _asleep.answer(store, _compose.image_cmd([reference, "nginx:9"])) or (9, "", "")
    assert (code, len(json.loads(out))) == (1, 1)


class FakeModule(SimpleNamespace):
    """A module whose engine gives one answer to everything."""

    def __init__(self, reply: tuple[int, str, str], *, check: bool = True, first: bool = True) -> None:
        """Keep it."""
        self.warnings: list[str] = []
        self.calls: list[list[str]] = []

        def run(argv: list[str], **_options: Any) -> tuple[int, str, str]:
            self.calls.append(argv)
            return reply

        params = {"engine_first": first}
        super().__init__(check_mode=check, params=params, run_command=run, warn=self.warnings.append)


@pytest.mark.parametrize("reply", [STOPPED, STOPPED_SINCE_29])
@pytest.mark.parametrize(("digest", "more"), [("d1", []), ("d2", [("nginx", "reload")])])
def test_a_dry_run_decides_by_the_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reply: tuple[int, str, str],
    digest: str,
    more: list[tuple[str, str]],
) -> None:
    root, _ = lay_out(tmp_path, alive=())
    daemon = tmp_path / "daemon.json"
    daemon.write_text(json.dumps({"data-root": str(root)}))
    monkeypatch.setattr(_asleep, "DAEMON_JSON", daemon)
    config, host = files(REDIS, Running=False, HasBeenManuallyStopped=True)
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    (root / "containers" / config["ID"] / "config.v2.json").write_text(json.dumps(config))
    module = FakeModule(reply)
    _asleep.listen(module)  # type: ignore[arg-type]
    definitions = {"nginx": "8f7692cf420fb429", "redis": "0f1ceeb7b90ea23f", "mysql": "new"}
    engine = _up.Engine(module.run_command, str(tmp_path), [], "app", definitions)
    images = {"nginx": "nginx:1.30-alpine", "redis": "redis:8-alpine", "mysql": "mysql:9.7"}
    (tmp_path / "stamp.conf").write_text('return 200 "d1";')
    item = {"service": "nginx", "port": 8081, "stamp": "stamp.conf"}
    wish = {"services": list(definitions), "reload": [{**item, "digest": digest}], "remove_orphans": True}
    steps = _bring_up.decide(wish, engine.snapshot(images), tmp_path).all_steps()
    assert [(step.service, step.action) for step in steps] == [("redis", "start"), ("mysql", "create"), *more]
    assert module.warnings == [
        f"Docker does not run: what it will find once it does was read from its files below {root}"
    ]


@pytest.mark.parametrize(("check", "first"), [(True, True), (True, False), (False, True), (False, False)])
def test_the_module_foresees_only_where_the_real_run_starts_the_engine_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, check: bool, first: bool
) -> None:
    root, _ = lay_out(tmp_path)
    daemon = tmp_path / "daemon.json"
    daemon.write_text(json.dumps({"data-root": str(root)}))
    monkeypatch.setattr(_asleep, "DAEMON_JSON", daemon)
    (tmp_path / "compose.yaml").write_text("")
    wish = {"services": ["redis"], "definitions": {"redis": "new"}, "images": {"redis": "redis:8-alpine"}}
    asked = {"project_dir": str(tmp_path), "project": "app", "engine_first": first, **wish}
    result = run(compose_up.main, asked, Engine().on("docker", reply=STOPPED), check=check)
    if check and first:
        assert [(step["service"], step["action"]) for step in result["steps"]] == [
            ("redis", "recreate"),
        ]
    else:
        assert "Cannot connect to the Docker daemon" in result["msg"]


def test_an_engine_that_answers_is_believed_and_so_is_one_in_a_real_run() -> None:
    module = FakeModule((1, "[]", "Error: No such image: nginx:9"))
    _asleep.listen(module)  # type: ignore[arg-type]
    assert module.run_command(["docker", "image", "inspect", "nginx:9"])[1:] == ("[]", "Error: No such image: nginx:9")
    module = FakeModule(STOPPED, check=False)
    _asleep.listen(module)  # type: ignore[arg-type]
    assert module.run_command(["docker", "ps", "--all"]) == STOPPED
    assert module.warnings == []


def test_a_dry_run_of_what_starts_no_engine_hears_what_the_real_run_hears() -> None:
    module = FakeModule(STOPPED, first=False)
    _asleep.listen(module)  # type: ignore[arg-type]
    assert module.run_command(["docker", "ps", "--all"]) == STOPPED
    assert module.warnings == []


@pytest.mark.parametrize(
    ("text", "remapped"),
    [("", False), ("{", False), ("[]", False), ('{"userns-remap": ""}', False), ('{"userns-remap": "default"}', True)],
)
def test_an_engine_with_other_users_keeps_its_files_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, *, remapped: bool
) -> None:
    assert _asleep.remapped(text) is remapped
    daemon = tmp_path / "daemon.json"
    daemon.write_text(text)
    monkeypatch.setattr(_asleep, "DAEMON_JSON", daemon)
    monkeypatch.setattr(_asleep, "DOCKER_ROOT", str(lay_out(tmp_path)[0]))
    module = FakeModule(STOPPED)
    _asleep.listen(module)  # type: ignore[arg-type]
    module.run_command(["docker", "ps", "--all"])
    assert ("userns-remap is set" in module.warnings[0]) is remapped
