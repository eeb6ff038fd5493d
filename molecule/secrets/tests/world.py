# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host, the canaries, and runs of the playbooks with everything that they print and leave on the controller."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ansible_runner
import yaml
from support import certificates as made

from tests import hosts, playbooks
from tests.canary import given, sampler
from tests.canary.finder import Canaries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = ROOT / "molecule" / "secrets" / "inventory"
FOLDER = ROOT / ".state" / "secrets"
NAME = "secrets"
STACK_DIR = "/opt/app"
KEEPER = "/home/keeper"
SUDOERS = "/etc/sudoers.d/deploy"
LONGEST_SECONDS = 3 * 3600
DOMAIN = "secrets.test"


@dataclass(frozen=True)
class Run:
    """How a playbook ended."""

    name: str
    code: int
    output: str
    fails: bool

    @property
    def as_it_should(self) -> bool:
        """Whether it ended as it should."""
        return (self.code != 0) == self.fails


@dataclass
class World:
    """All of it."""

    host: hosts.Host
    canaries: Canaries
    variables: dict[str, Any]
    rotated: dict[str, Any]
    began: float
    runs: list[Run] = field(default_factory=list)
    sampled: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    looks: dict[str, dict[tuple[str, str], str]] = field(default_factory=dict)

    @classmethod
    @contextlib.contextmanager
    def open(cls) -> Iterator[World]:
        """Make it, and take back in the end what the host had to have for it."""
        shutil.rmtree(FOLDER, ignore_errors=True)
        for name in ("home", "tmp", "log", "kept"):
            (FOLDER / name).mkdir(mode=0o700, parents=True)
        FOLDER.chmod(0o700)
        host, canaries = hosts.Host(NAME), Canaries()
        world = cls(host, canaries, variables_of(host, canaries), rotated(canaries), time.time())
        world.keep("vault", world.variables)
        become = world.variables["ansible_become_password"]
        host.run("chpasswd", given=f"deploy:{become}\n")
        host.run(f"printf 'deploy ALL=(ALL) ALL\\n' > {SUDOERS}")
        try:
            yield world
        finally:
            host.run(f"printf 'deploy ALL=(ALL) NOPASSWD: ALL\\n' > {SUDOERS}")

    def keep(self, name: str, variables: Mapping[str, Any]) -> Path:
        """Keep variables in a file as people do, encrypted with the password of a vault."""
        password = FOLDER / "kept" / "password"
        if not password.exists():
            password.write_text(self.canaries.make("vault") + "\n")
            password.chmod(0o600)
        file = FOLDER / "kept" / f"{name}.yml"
        argv = [str(Path(sys.executable).with_name("ansible-vault")), "encrypt", "--output", str(file)]
        text = yaml.safe_dump(dict(variables), allow_unicode=True)
        env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        subprocess.run(
            [*argv, "--vault-password-file", str(password)],
            input=text,
            text=True,
            check=True,
            capture_output=True,
            env=env,
        )
        return file

    def environment(self, form: str) -> dict[str, str]:
        """Return the environment of a run, whose home and temporary files are here; a log is always kept."""
        return {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_LOG_PATH": str(FOLDER / "log" / "ansible.log"),
            "ANSIBLE_LOCAL_TEMP": str(FOLDER / "home" / ".ansible" / "tmp"),
            "ANSIBLE_STDOUT_CALLBACK": form,
            "HOME": str(FOLDER / "home"),
            "TMPDIR": str(FOLDER / "tmp"),
        }

    def arguments(self, name: str, variables: Mapping[str, Any]) -> list[str]:
        """Return the options that give the secrets, and other variables for this run alone."""
        words = ["--vault-password-file", str(FOLDER / "kept" / "password"), "-e", f"@{FOLDER / 'kept' / 'vault.yml'}"]
        if variables:
            words += ["-e", f"@{self.keep(name.replace(' ', '-').replace('/', '-'), variables)}"]
        return words

    def run(
        self, name: str, playbook: str, *options: str, fails: bool = False, pipelining: bool = True, **variables: Any
    ) -> Run:
        """Run a playbook with all secrets, and keep what it prints: as JSON, or as a terminal shows it."""
        form = "ansible.posix.json" if len(self.runs) % 2 else "ansible.builtin.default"
        argv, env = playbooks.command(playbook, *self.arguments(name, variables), *options, inventory=INVENTORY)
        # Whoever has no ansible.cfg of ours has modules sent as files, with what they are given in them.
        env = {**env, **self.environment(form), "ANSIBLE_PIPELINING": str(pipelining)}
        done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, check=False, timeout=1800)
        output = (done.stdout + done.stderr).decode(errors="replace")
        return self._note(Run(name, done.returncode, output, fails))

    def run_by_program(self, name: str, playbook: str, *options: str, **variables: Any) -> Run:
        """Run one as another program does, whose artifacts stay."""
        folder = FOLDER / "log" / name.replace(" ", "-")
        folder.mkdir()
        binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        runner = ansible_runner.run(
            private_data_dir=str(folder),
            project_dir=str(ROOT),
            inventory=str(INVENTORY),
            playbook=f"barehost.django.{playbook}",
            cmdline=" ".join([*self.arguments(name, variables), *options]),
            envvars={**self.environment("ansible.builtin.default"), "PATH": binaries},
            quiet=True,
        )
        return self._note(Run(name, runner.rc, runner.stdout.read(), fails=False))

    def _note(self, run: Run) -> Run:
        self.runs.append(run)
        (FOLDER / "log" / f"{len(self.runs):02d}-{run.name.replace(' ', '-').replace('/', '-')}.out").write_text(
            run.output
        )
        return run

    def plant(self) -> None:
        """Show one as a command line and in an environment, on both machines, so that a look that sees nothing is noticed."""
        value = self.canaries.make(PLANTED)
        subprocess.run(["sh", "-c", "sleep 0.3; true", value], env={**os.environ, "PLANTED": value}, check=True)
        self.host.run("IFS= read -r PLANTED; export PLANTED; sh -c 'sleep 0.3; true' \"$PLANTED\"", given=value + "\n")

    def plant_in_engine(self) -> None:
        """Have the engine told one."""
        value = f"{self.canaries.mark}{self.canaries.numbers[PLANTED]}"
        self.host.run("read -r value; docker exec $(docker ps --quiet | head -1) true $value", given=value + "\n")

    def look(self, name: str) -> None:
        """Note what the engine and the kernel tell of each container."""
        found = {}
        for line in self.host.run(CONTAINERS).splitlines():
            container, service = line.split()
            pid = self.host.run(f"docker inspect --format '{{{{.State.Pid}}}}' {container}")
            found[service, "engine"] = self.host.run(f"docker inspect {container}")
            found[service, "kernel"] = self.host.run(f"tr '\\0' '\\n' < /proc/{pid}/environ")
        self.looks[name] = found

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look at all processes of both machines, and at all that the engine of the host is told to do, meanwhile."""
        stop = "/run/canary.stop"
        self.host.run(f"rm -f {stop}; cat > /run/sampler.py", given=Path(sampler.__file__).read_text())
        given_patterns = b"\n".join(pattern for pattern in self.canaries.patterns() if b"\0" not in pattern)
        here, inside = FOLDER / "stop", ["docker", "exec", "-i", f"barehost-{self.host.name}"]
        commands = {
            "controller": [sys.executable, sampler.__file__, str(here), str(LONGEST_SECONDS)],
            "host": [*inside, "python3", "/run/sampler.py", stop, str(LONGEST_SECONDS)],
        }
        follow = EVENTS.replace("STOP", stop)
        with (FOLDER / "events").open("wb") as events, contextlib.ExitStack() as stack:
            programs = {
                place: stack.enter_context(
                    # Into a file: a pipe that nobody reads would hold up the look at the first flood.
                    subprocess.Popen(
                        argv, stdin=subprocess.PIPE, stdout=stack.enter_context((FOLDER / place).open("wb"))
                    )
                )
                for place, argv in commands.items()
            }
            stack.enter_context(
                subprocess.Popen([*inside, "sh", "-c", follow], stdout=events, stdin=subprocess.DEVNULL)
            )
            for program in programs.values():
                assert program.stdin
                program.stdin.write(given_patterns)
                program.stdin.close()
            try:
                yield
            finally:
                here.touch()
                self.host.run(f"touch {stop}")
                for place, program in programs.items():
                    program.wait(timeout=60)
                    lines = (FOLDER / place).read_text().splitlines()
                    self.sampled[place] = [json.loads(line) for line in lines]


PLANTED = "planted"
CONTAINERS = """docker ps --format '{{.ID}} {{.Label "com.docker.compose.service"}}'"""
# The engine itself remembers its last events alone, and is restarted meanwhile.
EVENTS = """
until docker info > /dev/null 2>&1 || [ -e STOP ]; do sleep 1; done
since=$(date +%s)
while ! [ -e STOP ]; do
    docker events --since $since --format '{{json .}}' 2> /dev/null &
    events=$!
    while kill -0 $events 2> /dev/null && ! [ -e STOP ]; do sleep 1; done
    since=$(date +%s)
    kill $events 2> /dev/null
    sleep 1
done
"""


def ssh_key() -> str:
    """Return a private key for SSH."""
    file = FOLDER / "kept" / f"key-{time.time_ns()}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "canary", "-f", str(file)], check=True)
    text = file.read_text()
    file.unlink()
    return text


def public_half(key: str) -> str:
    """Return the public half of a private key."""
    return subprocess.run(
        ["ssh-keygen", "-y", "-f", "/dev/stdin"], input=key, capture_output=True, text=True, check=True
    ).stdout.strip()


def pair(number: int) -> tuple[str, str]:
    """Return a certificate for the site, with its chain, and its key."""
    today = (datetime.now(UTC) - made.NOW).days
    issuer = made.make("secrets CA", names=(), usage=None, authority=True, days=(today - 2, today + 900))
    key = made.private_key("ec", f"secrets {number} {time.time_ns()}")
    own = made.make(DOMAIN, issuer=issuer, key=key, names=(DOMAIN,), days=(today - 1, today + 90))
    return own.pem + issuer.pem, made.key_pem(own.key)


def checks(password: str, token: str) -> list[dict[str, Any]]:
    """Return what verify asks: one question needs a password, and has a header that is a secret."""
    jobs = {"name": "jobs", "path": "/api/jobs/", "headers": {"X-Token": token}}
    login = {"username": "admin", "password": password}
    health = {"name": "health", "path": "/health/", "until": True, "json_subset": {"status": "ok"}}
    return [health, {**jobs, "basic_auth": login}]


def rotated(canaries: Canaries) -> dict[str, Any]:
    """Return another value for each secret that can be replaced while the stack serves."""
    certificate, key = pair(2)
    names = [name for name in given.TEXTS if not name.startswith("backup_offsite_")]
    found: dict[str, Any] = {name: canaries.make(f"{name}, the new one", given.TEXTS[name]) for name in names}
    found["verify_checks"] = checks(
        found["django_superuser_password"], canaries.make("verify_checks, the new one", "-")
    )
    found["tls_private_key"] = canaries.add_key("tls_private_key, the new one", key)
    return {
        **found,
        "tls_certificate": certificate,
        "django_env": {"API_TOKEN": canaries.make("django_env, the new one")},
    }


def variables_of(host: hosts.Host, canaries: Canaries) -> dict[str, Any]:
    """Return an inventory's variables, with a canary for each secret; let the host send its backups to itself."""
    certificate, key = pair(1)
    found = {**given.texts(canaries), **given.keys(canaries, ssh_key, key)}
    host.run("id keeper > /dev/null 2>&1 || useradd --create-home --shell /bin/sh keeper")
    host.run(
        f"install -d -o keeper -g keeper -m 0700 {KEEPER}/.ssh && rm -rf {KEEPER}/repository && cat > {KEEPER}/.ssh/authorized_keys"
        f" && chown keeper: {KEEPER}/.ssh/authorized_keys",
        given=f'restrict,command="internal-sftp" {public_half(found["backup_offsite_ssh_key"])}\n',
    )
    kind, public, *_ = host.run("cat /etc/ssh/ssh_host_ed25519_key.pub").split()
    return {
        **found,
        "tls_mode": "provided",
        "tls_certificate": certificate,
        "backup_offsite_known_hosts": f"127.0.0.1 {kind} {public}",
        "ansible_become_password": canaries.make("ansible_become_password"),
        "preflight_allowed_variables": ["own_stack_secrets"],
        "verify_checks": checks(found["django_superuser_password"], canaries.make("verify_checks", "-")),
    }
