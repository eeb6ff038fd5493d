# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Releases that come from a git server or a registry, both with a login: what they are named after, and what is left."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import INVENTORY, STACK_DIR, VERSIONS, Host, serving, version
from servers import Door, Registry, command_lines, git_server, output, private_registry

from tests import playbooks

if TYPE_CHECKING:
    from collections.abc import Iterator

CERTIFICATE = "/usr/local/share/ca-certificates/barehost-sources.crt"
CLONE = "/home/deploy/shop.git"
# Where a program of root or of the user who logs in might leave something.
PLACES = f"/root /home /tmp /var/tmp /var/log /run/log /etc {STACK_DIR}"


@dataclass(frozen=True)
class Shop:
    """A repository with the project in a folder of it, its servers, and who may read from them."""

    work: Path
    token: str
    deploy_key: str
    url: str
    registry: Registry
    door: Door
    host_key: str

    def git(self, *words: str) -> str:
        """Run git in the work tree, whatever the user of the test has configured."""
        who = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
        ssh = f"GIT_SSH_COMMAND=ssh {' '.join(self.door.options)}"
        env = ("env", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", ssh)
        return output(*env, "git", "-C", str(self.work), *who, *words)

    def commit(self, name: str) -> str:
        """Commit a new version to the branch, on both servers, and return the commit."""
        shutil.copytree(version(name, "additive", "data"), self.work / "backend", dirs_exist_ok=True)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", name)
        for remote in (str(self.work.parent / "shop.git"), f"ssh://{self.door.target}{CLONE}"):
            self.git("push", "--quiet", remote, "main")
        return self.git("rev-parse", "HEAD")

    def over_https(self, **others: str) -> dict[str, str]:
        """Return the variables of an inventory that deploys the branch with a token."""
        known = {"repository": self.url, "revision": "main", "subdirectory": "backend", "token": self.token, **others}
        return {f"django_git_{name}": value for name, value in known.items()}

    def over_ssh(self) -> dict[str, str]:
        """Return the variables of an inventory that deploys the branch with a deploy key, from another server."""
        key = {"token": "", "ssh_key": self.deploy_key, "known_hosts": f"127.0.0.1 {self.host_key}"}
        return self.over_https(repository=f"ssh://deploy@127.0.0.1{CLONE}", **key)

    def login(self, **others: str) -> dict[str, str]:
        """Return the variables that log in to the registry."""
        known = {"username": self.registry.username, "password": self.registry.password}
        return {f"django_registry_{name}": value for name, value in {**known, **others}.items()}


@pytest.fixture(scope="module")
def shop(base: Path) -> Iterator[Shop]:
    """Run both servers, and let the host reach them, which serves before and afterwards."""
    assert base.exists()
    machine = Host()
    folder = VERSIONS / "sources"
    shutil.rmtree(folder, ignore_errors=True)
    work = folder / "work"
    work.mkdir(parents=True)
    folder.chmod(0o700)
    token, password = secrets.token_hex(16), secrets.token_hex(16)
    output("git", "init", "--quiet", "--bare", str(folder / "shop.git"))
    output("git", "-c", "init.defaultBranch=main", "init", "--quiet", str(work))
    output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "shop", "-f", str(folder / "key"))
    door = Door.of(INVENTORY, machine.name)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        port, certificate = stack.enter_context(git_server(folder, f"x-access-token:{token}"))
        registry = stack.enter_context(private_registry(f"barehost-{machine.name}-private", folder, "reader", password))
        stack.enter_context(door.tunnel(folder, port, registry.port))
        stack.callback(forget, machine)
        deploy_key = (folder / "key").read_text()
        url = f"https://127.0.0.1:{port}/shop.git"
        host_key = machine.run("cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub")
        found = Shop(work, token, deploy_key, url, registry, door, host_key)
        assert run_from(found.over_https(), playbook="bootstrap").code == 0
        machine.run(f"cat > {CERTIFICATE} <<'EOF'\n{certificate}EOF\nupdate-ca-certificates")
        allowed = f'restrict,command="git-upload-pack {CLONE}" {(folder / "key.pub").read_text().strip()}'
        machine.run(f"echo '{allowed}' >> /home/deploy/.ssh/authorized_keys")
        machine.run(f"runuser -u deploy -- git init --quiet --bare {CLONE}")
        yield found


def forget(machine: Host) -> None:
    """Take from the host what the servers needed, and the cache of what came from them."""
    machine.run(f"rm -rf {CERTIFICATE} {CLONE} {STACK_DIR}/source && update-ca-certificates --fresh")
    machine.run("sed -i '/ shop$/d' /home/deploy/.ssh/authorized_keys")


def run_from(given: dict[str, Any], *options: str, playbook: str = "deploy") -> playbooks.PlaybookRun:
    """Run a playbook with an origin in place of the inventory's; secrets are in a file, as they are in an inventory."""
    file = VERSIONS / "origin.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"django_source_path": "", **given}))
    try:
        arguments = ["--limit", Host().name, f"--extra-vars=@{file}", *options]
        return playbooks.run(playbook, *arguments, inventory=INVENTORY, host=Host().name)
    finally:
        file.unlink()


def had(run: playbooks.PlaybookRun) -> tuple[str, str]:
    """Return the release of a run that succeeded, and how it had its image: build, pull or there."""
    assert run.code == 0, run.message
    result = run.part("image")
    return result["release_id"], result["msg"].rpartition(": ")[2]


def style(machine: Host) -> str:
    """Return the style sheet inside the container that serves: it names the version."""
    name = machine.containers()["web"][0].split()[0]
    return machine.run(f"docker exec {name} cat static/site/site.css")


def left_behind(machine: Host, secret: str) -> str:
    """Return the files and journal lines of the host that hold a secret."""
    return machine.run(
        f"grep -rlF {secret} {PLACES} || true; journalctl --no-pager --output=cat | grep -F {secret} || true"
    )


def refused(run: playbooks.PlaybookRun, *said: str) -> bool:
    """Whether a run failed, with everything that matters in the first line of its message."""
    first = run.message.splitlines()[0]
    assert run.code != 0
    for words in (*said, "the release that serves is untouched"):
        assert words in first, run.message
    return True


def test_a_branch_is_built_on_the_host_and_named_after_its_commit(shop: Shop, machine: Host) -> None:
    commit = shop.commit("git-one")
    with command_lines(shop.token) as seen:
        run = run_from(shop.over_https())
    assert had(run) == (serving(), "build")
    assert machine.record()["git_revision"] == commit[:12]
    assert "git-one" in style(machine)
    assert machine.is_clean(), machine.containers()
    assert seen == set()
    assert shop.token not in run.output
    assert left_behind(machine, shop.token) == ""


def test_the_same_commit_changes_nothing_whatever_it_is_called(shop: Shop) -> None:
    before = serving()
    shop.git("tag", "--annotate", "--message", "one", "v1", "main")
    shop.git("push", "--quiet", str(shop.work.parent / "shop.git"), "v1")
    run = run_from(shop.over_https(revision="v1"))
    assert had(run) == (before, "there")
    assert run.changed == []


def test_a_branch_that_moved_is_another_release(shop: Shop, machine: Host) -> None:
    before = serving()
    commit = shop.commit("git-two")
    run = run_from(shop.over_ssh())
    assert had(run) == (serving(), "build")
    assert serving() != before
    assert machine.record()["git_revision"] == commit[:12]
    assert "git-two" in style(machine)
    assert left_behind(machine, shop.deploy_key.splitlines()[2]) == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"revision": "no-such-branch"}, "no branch or tag 'no-such-branch'"),
        ({"revision": "f" * 40}, f"{'f' * 40}"),
        ({"token": "wrong"}, "check django_git_ssh_key or django_git_token"),
    ],
)
def test_what_git_does_not_give_is_refused(shop: Shop, machine: Host, given: dict[str, str], said: str) -> None:
    before = serving(), machine.containers()
    run = run_from(shop.over_https(**given))
    assert refused(run, said)
    assert shop.token not in run.output
    assert (serving(), machine.containers()) == before


@dataclass(frozen=True)
class Pushed:
    """An image that somebody else has built and pushed, and that the host does not have."""

    id: str
    digest: str
    revision: str


def push(shop: Shop, machine: Host, tag: str) -> Pushed:
    """Build on the release that serves, as a program of somebody else would: what differs is a file and a label."""
    reference, revision = f"{shop.registry.repository}:{tag}", secrets.token_hex(20)
    lines = f"FROM app/app:{serving()}\nLABEL org.opencontainers.image.revision={revision}\nRUN echo {tag} > /tmp/tag"
    machine.run(f"printf '{lines}\n' | docker build --quiet --tag {reference} -")
    docker = f"docker --config /root/{tag}"
    machine.run(
        f"cat <<'EOF' | {docker} login --username reader --password-stdin 127.0.0.1:{shop.registry.port}\n"
        f"{shop.registry.password}\nEOF\n{docker} push --quiet {reference}; rm -r /root/{tag}"
    )
    form = "'{{.Id}} {{index .RepoDigests 0}}'"
    name, _, digest = machine.run(f"docker image inspect --format {form} {reference}").partition(" ")
    machine.run(f"docker image rm {reference}")
    return Pushed(name.removeprefix("sha256:"), digest.partition("@")[2], revision)


def test_an_image_is_pulled_with_a_login_of_which_nothing_stays(shop: Shop, machine: Host) -> None:
    image = push(shop, machine, "1.4.0")
    with command_lines(shop.registry.password) as seen:
        run = run_from({"django_image": f"{shop.registry.repository}:1.4.0", **shop.login()})
    assert had(run) == (serving(), "pull")
    assert serving() == image.id[:12]
    assert machine.record()["git_revision"] == image.revision[:12]
    assert machine.is_clean(), machine.containers()
    assert seen == set()
    assert shop.registry.password not in run.output
    assert left_behind(machine, shop.registry.password) == left_behind(machine, shop.registry.encoded) == ""
    # Under its own name an old release would never leave the disk.
    assert shop.registry.repository not in machine.run("docker image ls --format '{{.Repository}}'").split()


def test_a_digest_is_pulled_once_and_its_registry_not_asked_again(shop: Shop, machine: Host) -> None:
    image = push(shop, machine, "1.5.0")
    given = {"django_image": f"{shop.registry.repository}@{image.digest}", **shop.login()}
    assert had(run_from(given)) == (image.id[:12], "pull")
    again = run_from({**given, **shop.login(password="wrong")})
    assert had(again) == (serving(), "there")
    assert serving() == image.id[:12]
    assert again.changed == []


def test_a_wrong_password_is_refused(shop: Shop, machine: Host) -> None:
    before = serving(), machine.containers()
    wrong = secrets.token_hex(16)
    run = run_from({"django_image": f"{shop.registry.repository}:1.4.0", **shop.login(password=wrong)})
    assert refused(run, f"logging in to 127.0.0.1:{shop.registry.port}", "check django_registry_username 'reader'")
    assert wrong not in run.output
    assert (serving(), machine.containers()) == before


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put the first client of the controller before the others that can build with BuildKit: not each has buildx."""
    # An archive that nobody reads: the engine keeps nothing of it.
    words = ["build", "--output", "type=tar,dest=/dev/null", "-"]
    env = {**os.environ, "DOCKER_BUILDKIT": "1"}
    for client in (Path(folder, "docker") for folder in os.get_exec_path()):
        if not client.is_file():
            continue
        done = subprocess.run([client, *words], env=env, input=b"FROM scratch\n", capture_output=True, check=False)
        if done.returncode == 0:
            (tmp_path / "docker").symlink_to(client)
            monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
            return str(client)
    pytest.skip("no Docker client of this machine has BuildKit: install buildx")


def test_an_image_is_built_on_the_controller_and_only_pulled_by_the_host(
    shop: Shop, machine: Host, builder: str
) -> None:
    assert builder
    source = version("controller", "additive", "data")
    where = {"release_build_on": "controller", "release_push_to": shop.registry.repository}
    with command_lines(shop.registry.password) as seen:
        run = run_from({"django_source_path": str(source), **where, **shop.login()})
    assert had(run) == (serving(), "pull")
    assert "controller" in style(machine)
    assert serving() in shop.registry.ask("team/shop/tags/list")["tags"]
    assert seen == set()
    assert shop.registry.password not in run.output
    assert left_behind(machine, shop.registry.password) == left_behind(machine, shop.registry.encoded) == ""
    config = Path.home() / ".docker" / "config.json"
    assert not config.exists() or shop.registry.encoded not in config.read_text()
    # The registry has it: neither engine keeps it under that name.
    listing = ("docker", "image", "ls", "--format={{.Repository}}")
    assert shop.registry.repository not in f"{output(*listing)} {machine.run(' '.join(listing))}"
