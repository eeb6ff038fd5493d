# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""release_image: three origins, one name on the host, and nothing done twice."""

from __future__ import annotations

import json
import tarfile
import time
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils import basic
from ansible_collections.barehost.django.plugins.module_utils import _litter, _lock, _lock_state
from ansible_collections.barehost.django.plugins.modules import release_image
from support.modules import FIXTURES, Call, Engine, Reply, run

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "3e27f9007b5784ff819904d57dda73174d3b442f"
URL = "https://git.example.com/team/shop.git"
HUSH = "hush-hush-password"
INSPECT = (FIXTURES / "image_inspect.json").read_text(encoding="utf-8")
MANIFEST = (FIXTURES / "image_manifest_verbose.json").read_text(encoding="utf-8")
READY = json.loads(INSPECT)[0]
REFERENCE, PINNED = READY["RepoTags"][0], READY["RepoDigests"][0]
READY_ID = "74f7e17c1638"
GONE: Reply = (1, "[]\n", "Error: No such image")


class Host(Engine):
    """An engine with images, a registry with one, and a git server with one commit."""

    def __init__(self, *images: str, **options: Any) -> None:
        """Begin with some images."""
        super().__init__(**options)
        self.images = set(images)
        self.contexts: list[dict[str, str]] = []
        self.secrets: dict[str, str] = {}
        self.on("inspect", "manifest", reply=(0, MANIFEST, ""))
        self.on("image", "inspect", reply=lambda call: (0, INSPECT, "") if call.argv[-1] in self.images else GONE)
        self.on("docker", "build", reply=self.build)
        self.on("docker", "pull", reply=lambda call: self.add(call.argv[-1]))
        self.on("docker", "tag", reply=lambda call: self.add(call.argv[-1]))
        self.on("image", "rm", reply=lambda call: self.images.discard(call.argv[-1]) or (0, "", ""))
        self.on("image", "ls", reply=(0, "", ""))
        self.on("docker", "login", reply=(0, "Login Succeeded", ""))
        self.on("docker", "info", reply=(0, "{}", ""))
        self.on("git", "ls-remote", reply=(0, f"{COMMIT}\trefs/heads/main\n", ""))
        self.on("git", "init", reply=(0, "", ""))
        self.on("fetch", reply=(0, "", ""))
        self.on(f"{COMMIT}:.gitmodules", reply=(128, "", ""))
        self.on("cat-file", reply=(0, "", ""))
        self.on("archive", reply=self.archive)

    def add(self, image: str) -> Reply:
        """Have an image."""
        self.images.add(image)
        return (0, image, "")

    def build(self, call: Call) -> Reply:
        """Look at what is built."""
        for option in [call.argv[i + 1] for i, word in enumerate(call.argv) if word == "--secret"]:
            name, path = (part.partition("=")[2] for part in option.split(","))
            with open(path, encoding="utf-8") as file:  # noqa: PTH123 - a text
                self.secrets[name] = file.read()
            assert not path.startswith(call.argv[-1])
        return self.add(call.argv[call.argv.index("--tag") + 1])

    @staticmethod
    def archive(call: Call) -> Reply:
        """Write an archive with a Dockerfile."""
        with tarfile.open(call.argv[call.argv.index("--output") + 1], "w") as archive:
            archive.addfile(tarfile.TarInfo("Dockerfile"))
        return (0, "", "")

    def did(self, *words: str) -> list[list[str]]:
        """Return the commands that hold all these words."""
        return [call.argv for call in self.calls if all(word in call.argv for word in words)]


def call(tmp_path: Path, host: Host, *, check: bool = False, **options: Any) -> dict[str, Any]:
    args = {"project_dir": str(tmp_path / "stack"), "repository": "shop/app", "services": ["web"], **options}
    result = run(release_image.main, args, host, check=check)
    assert HUSH not in json.dumps([result, [call.argv for call in host.calls]])
    return result


def git(**options: str) -> dict[str, Any]:
    return {"git": {"repository": URL, "revision": "main", **options}}


@pytest.mark.parametrize(
    ("options", "message"),
    [({}, "one of the following is required"), ({"reference": REFERENCE, **git()}, "mutually exclusive")],
)
def test_exactly_one_origin(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    assert message in call(tmp_path, Host(), **options)["msg"]


def test_a_commit_is_built_once(tmp_path: Path) -> None:
    host = Host()
    result = call(tmp_path, host, **git(), git_token=HUSH, build_secrets={"ca": HUSH}, labels={"x": "y"})
    assert (result["changed"], result["action"], result["git_revision"]) == (True, "build", COMMIT[:12])
    assert result["image"] == f"shop/app:{result['release_id']}"
    assert host.secrets == {"ca": HUSH}
    (build,) = host.did("docker", "build")
    assert f"org.opencontainers.image.revision={COMMIT}" in build
    assert f"barehost.django.release={result['release_id']}" in build
    candidate = tmp_path / "stack" / "releases" / f"{result['release_id']}.yaml"
    assert json.loads(candidate.read_text())["services"]["web"]["image"] == result["image"]
    again = call(tmp_path, host, **git(), git_token=HUSH, build_secrets={"ca": "another"}, labels={"x": "y"})
    assert (again["changed"], again["action"], again["release_id"]) == (False, "", result["release_id"])
    assert (len(host.did("docker", "build")), len(host.did("fetch"))) == (1, 1)


def test_no_secret_is_in_what_ansible_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda _self, text, **_options: lines.append(str(text)))
    # Ansible hides what it finds, and does not find a text that Python writes otherwise.
    secrets = {name: f"{name}'s\nfirst \\ {HUSH}\nsecond" for name in ("git_token", "git_ssh_key", "registry_password")}
    assert call(tmp_path, Host(), **git(), **secrets, build_secrets={"ca": f"a\n{HUSH}"})["built"]
    assert URL.rpartition("/")[2] in str(lines)
    assert HUSH not in str(lines)


def test_a_dry_run_asks_what_a_branch_means_and_no_more(tmp_path: Path) -> None:
    host = Host()
    result = call(tmp_path, host, check=True, **git())
    assert (result["changed"], result["action"], len(result["release_id"])) == (True, "build", 12)
    assert host.did("ls-remote")
    assert [c.argv for c in host.calls if not {"ls-remote", "inspect", "ls"} & set(c.argv)] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("options", "program"), [(git(), "git"), ({"reference": REFERENCE}, "docker")])
def test_a_host_before_bootstrap(tmp_path: Path, options: dict[str, Any], program: str) -> None:
    result = call(tmp_path, Host(missing=("git", "docker")), check=True, **options)
    assert (result["changed"], result["release_id"]) == (True, "not-known-yet")
    assert "bootstrap does it" in result["msg"]
    failed = call(tmp_path, Host(missing=("git", "docker")), **options)
    assert failed["msg"] == f"the host has no {program}; run the playbook bootstrap, which installs it."
    assert list(tmp_path.iterdir()) == []


def test_a_url_with_a_password_is_refused_before_anything_runs(tmp_path: Path) -> None:
    host = Host()
    result = call(tmp_path, host, **git(repository=f"https://me:{HUSH}@git.example.com/x.git"), git_token=HUSH)
    assert result["failed"] is True
    assert host.calls == []


def test_a_ready_image_names_the_release_and_gets_its_name(tmp_path: Path) -> None:
    host = Host()
    result = call(tmp_path, host, reference=REFERENCE, registry_username="robot", registry_password=HUSH)
    assert (result["changed"], result["action"], result["release_id"]) == (True, "pull", READY_ID)
    assert (result["image"], result["git_revision"]) == (f"shop/app:{READY_ID}", COMMIT[:12])
    # Only the name that releases have is left: an old image must go when its release is pruned.
    assert host.images == {f"shop/app:{READY_ID}"}
    assert [c.data for c in host.calls if "login" in c.argv] == [HUSH]
    again = call(tmp_path, host, reference=REFERENCE)
    assert (again["changed"], again["action"]) == (False, "")


def test_the_name_of_an_image_that_was_there_before_is_left_alone(tmp_path: Path) -> None:
    host = Host(REFERENCE)
    call(tmp_path, host, reference=REFERENCE)
    assert REFERENCE in host.images


def test_what_is_pinned_by_its_digest_is_pulled_once(tmp_path: Path) -> None:
    host = Host()
    assert call(tmp_path, host, reference=PINNED)["action"] == "pull"
    assert call(tmp_path, host, reference=PINNED)["changed"] is False
    assert len(host.did("docker", "pull")) == 1
    # And pulled again where somebody removed it.
    host.images.clear()
    assert call(tmp_path, host, reference=PINNED)["action"] == "pull"


def test_a_dry_run_compares_digests_and_pulls_nothing(tmp_path: Path) -> None:
    host = Host()
    assert call(tmp_path, host, check=True, reference=REFERENCE)["release_id"] == "not-known-yet"
    host.images.add(f"shop/app:{READY_ID}")
    known = call(tmp_path, host, check=True, reference=REFERENCE)
    assert (known["release_id"], known["action"]) == (READY_ID, "")
    assert host.did("docker", "pull") == []


def test_a_failed_pull_says_what_to_do_and_changes_nothing(tmp_path: Path) -> None:
    host = Host()
    host.scripts.insert(0, (("docker", "pull"), (1, "", "manifest unknown")))
    result = call(tmp_path, host, reference=REFERENCE)
    assert result["msg"].splitlines()[0] == (
        f"pulling {REFERENCE} failed (exit 1); the release that serves is untouched: registry.example.com has no image of "
        "that name and tag or digest; correct the name, or push it first."
    )
    assert (host.images, list(tmp_path.iterdir())) == (set(), [])


FOLDER = {"source": "/srv/shop", "release_id": "0123456789ab"}


def test_a_folder_is_sent_only_where_its_image_is_missing(tmp_path: Path) -> None:
    host = Host()
    assert call(tmp_path, host, **FOLDER)["needs"] == "context"
    assert host.did("docker", "build") == []
    context = tmp_path / "context.tar"
    with tarfile.open(context, "w") as archive:
        archive.addfile(tarfile.TarInfo("Dockerfile"))
    result = call(tmp_path, host, **FOLDER, context=str(context), revision=f"{COMMIT}+")
    assert (result["action"], result["image"]) == ("build", "shop/app:0123456789ab")
    assert f"org.opencontainers.image.revision={COMMIT}+" in host.did("docker", "build")[0]
    assert call(tmp_path, host, **FOLDER)["changed"] is False


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path) -> None:
    context = tmp_path / "context.tar"
    with tarfile.open(context, "w") as archive:
        archive.addfile(tarfile.TarInfo("Dockerfile"))
    host = Host()
    host.scripts.insert(0, (("docker", "build"), (1, "", "boom")))
    result = call(tmp_path, host, **FOLDER, context=str(context))
    assert result["msg"].startswith(
        "building shop/app:0123456789ab failed (exit 1); the release that serves is untouched"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["context.tar"]


def test_a_folder_without_its_dockerfile(tmp_path: Path) -> None:
    context = tmp_path / "context.tar"
    tarfile.open(context, "w").close()
    host = Host()
    assert "the source has no Dockerfile" in call(tmp_path, host, **FOLDER, context=str(context))["msg"]
    assert host.did("docker", "build") == []


def test_what_the_controller_pushed_is_pulled_under_the_releases_name(tmp_path: Path) -> None:
    host = Host()
    options = {**FOLDER, "push_to": "registry.example.com/team/shop"}
    assert "push it to" in call(tmp_path, host, check=True, **options)["msg"]
    assert call(tmp_path, host, **options)["needs"] == "push"
    result = call(tmp_path, host, **options, pushed=True)
    assert result["action"] == "pull"
    assert host.did("docker", "pull")[0][-1] == "registry.example.com/team/shop:0123456789ab"
    assert host.images == {"shop/app:0123456789ab"}


def test_the_id_of_a_secret_names_no_other_file(tmp_path: Path) -> None:
    assert "build secret" in call(tmp_path, Host(), **git(), build_secrets={"../x": HUSH})["msg"]


def test_room_is_made_before_a_build_and_at_no_other_time(tmp_path: Path) -> None:
    host = Host()
    git = {"repository": URL, "revision": COMMIT}
    arguments = {"project_dir": str(tmp_path), "repository": "shop/app", "services": ["web"], "git": git}
    assert run(release_image.main, arguments, host)["built"]
    names = [" ".join(call.argv) for call in host.calls]
    first = [next(i for i, name in enumerate(names) if words in name) for words in ("docker image ls", "docker build")]
    assert first == sorted(first)
    again = Host(*host.images)
    assert not run(release_image.main, arguments, again)["built"]
    assert ["image", "ls"] not in [call.argv[1:3] for call in again.calls]


def locked(stack: Path) -> str:
    """Take the lock of a stack; return its token."""
    _lock.acquire(str(stack), _lock_state.Wish(_lock_state.new("t", {}, 1800)))
    return "t"


def test_under_the_lock_all_that_a_kill_would_leave_lies_where_the_next_run_finds_it(tmp_path: Path) -> None:
    stack, host, seen = tmp_path / "stack", Host(), []
    token = locked(stack)
    (stack / ".work-1-abcdefgh" / "docker-x").mkdir(parents=True)
    (stack / "static" / ".0123456789ab.abcdefgh").mkdir(parents=True)

    def login(_call: Call) -> Reply:
        seen.extend(path.name for path in stack.glob(".work-*/docker-*"))
        return (0, "", "")

    host.scripts.insert(0, (("docker", "login"), login))
    result = call(tmp_path, host, lock=token, reference=REFERENCE, registry_username="robot", registry_password=HUSH)
    assert (result["changed"], len(seen)) == (True, 1)
    assert seen != ["docker-x"]
    assert list(stack.glob(".*")) + list(stack.glob("static/.*")) == []


def test_under_the_lock_a_checkout_and_its_secrets_lie_there_too(tmp_path: Path) -> None:
    stack, host = tmp_path / "stack", Host()
    call(tmp_path, host, lock=locked(stack), git_token=HUSH, **git(), build_secrets={"ca": HUSH})
    (build,) = host.did("docker", "build")
    assert [word for word in build if "/secrets-" in word or "/context-" in word]
    assert all(str(stack / ".work-") in word for word in build if "/secrets-" in word or "/context-" in word)
    assert list(stack.glob(".*")) == []


def test_a_trouble_with_litter_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(_litter, "find", lambda *_args: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text: said.append(text))
    result = call(tmp_path, Host(), lock=locked(tmp_path / "stack"), reference=REFERENCE)
    assert result["changed"] is True
    assert "removing what killed runs left" in [text.partition(":")[0] for text in said]


@pytest.mark.parametrize(
    ("options", "words", "what"),
    [
        (git(), ("docker", "build"), "docker build"),
        (git(), ("fetch",), "git fetch"),
        (git(), ("ls-remote",), "git ls-remote"),
        ({"reference": REFERENCE}, ("docker", "pull"), "docker pull"),
    ],
)
def test_what_does_not_end_is_stopped_and_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], words: tuple[str, ...], what: str
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def hang(call: Call) -> Reply:
        limit = int(call.argv[2])
        assert call.argv[:2] == ["/usr/bin/timeout", "--kill-after=10"]
        assert limit <= 30
        now[0] += limit
        return (124, "", "step 3 of 9")

    host = Host()
    host.scripts.insert(0, (words, hang))
    result = call(tmp_path, host, timeout=30, **options)
    assert result["failed"] is True
    line, *output = result["msg"].splitlines()
    assert line == (
        f"`{what}` was stopped, the image was not there within 30 s; the release that serves is untouched: "
        "see what it waits for, or raise release_image_timeout_seconds."
    )
    assert output == ["The end of the output:", "step 3 of 9"]
    # And not tried in another way, for which there is no time either.
    assert len(host.did(*words)) == 1


def test_a_program_that_itself_ends_with_124_is_not_late(tmp_path: Path) -> None:
    host = Host()
    host.scripts.insert(0, (("docker", "pull"), (124, "", "boom")))
    assert "failed (exit 124)" in call(tmp_path, host, reference=REFERENCE)["msg"]


@pytest.mark.parametrize("check", [False, True])
def test_an_image_that_has_only_lost_its_name_is_given_it_again(tmp_path: Path, *, check: bool) -> None:
    host = Host("sha256:5e1f")
    host.scripts.insert(0, (("image", "ls", "label=barehost.django.release=abc"), (0, "sha256:5e1f\n", "")))
    result = call(tmp_path, host, check=check, source="/src", release_id="abc")
    assert (result["changed"], result["built"], result["action"]) == (True, True, "tag")
    assert result["image_id"] == json.loads(INSPECT)[0]["Id"]
    assert host.did("docker", "build") == []
    assert [argv[-3:] for argv in host.did("docker", "tag")] == (
        [] if check else [["tag", result["image_id"], "shop/app:abc"]]
    )
