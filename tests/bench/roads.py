# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The two roads to a release: our playbooks, and the commands of the deployment text."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tests import playbooks

from .hosts import INVENTORY

if TYPE_CHECKING:
    from .hosts import Host

FILES = Path(__file__).parent / "raw"
FOLDER = "/opt/raw"
# As they stand in the deployment text; only that `up` waits, so that migrate finds a database.
COMMANDS = " && ".join(
    (
        f"cd {FOLDER}",
        "docker compose build --quiet web",
        "docker compose up --detach --wait --quiet-pull",
        "docker compose exec -T web python manage.py migrate --noinput",
        "docker compose exec -T web python manage.py collectstatic --noinput",
    )
)


class Road:
    """A way to bring a version to a host; each step returns whether it came to a good end."""

    name: ClassVar[str]

    def __init__(self, host: Host) -> None:
        """Take the host."""
        self.host = host
        # What was said last, for the one who wants to know why it failed.
        self.output = ""

    def begin(self) -> None:
        """Put in place what somebody has there before the clock runs."""

    def first(self, source: Path) -> bool:
        """Deploy for the first time."""
        return self.deploy(source)

    def deploy(self, source: Path) -> bool:
        """Deploy a version."""
        raise NotImplementedError


class Ours(Road):
    """The playbooks."""

    name = "ours"

    def play(self, playbook: str, *options: str) -> bool:
        """Run a playbook on this host."""
        run = playbooks.run(playbook, "--limit", self.host.name, *options, inventory=INVENTORY, host=self.host.name)
        self.output = run.message
        return run.code == 0

    def begin(self) -> None:
        """Have the engine."""
        if not self.play("bootstrap"):
            raise RuntimeError(self.output)

    def first(self, source: Path) -> bool:
        """Deploy with everything that comes before."""
        return self.play("site", "-e", f"django_source_path={source}")

    again = first

    def deploy(self, source: Path) -> bool:
        """Release a version."""
        return self.play("deploy", "-e", f"django_source_path={source}", "-e", "release_health_timeout_seconds=20")

    def rollback(self, _source: Path) -> bool:
        """Go back to the release before."""
        return self.play("rollback")


class Raw(Road):
    """One Compose file and the commands of the deployment text, over one SSH connection."""

    name = "raw"

    def run(self, command: str, data: bytes | None = None) -> bool:
        """Run a command as root."""
        done = subprocess.run(
            [*self.host.ssh(), f"sudo sh -c '{command}'"], input=data, capture_output=True, check=False
        )
        self.output = (done.stdout + done.stderr).decode(errors="replace")[-2000:]
        return done.returncode == 0

    def begin(self) -> None:
        """Put the files there that somebody has written once."""
        words = (f"DB_PASSWORD={secrets.token_urlsafe(16)}", f"SECRET_KEY={secrets.token_urlsafe(48)}")
        fixed = ("ALLOWED_HOSTS=localhost", "DB_HOST=mysql", "DB_USER=app", "DB_NAME=app")
        settings = "".join(f"{line}\n" for line in (*words, *fixed))
        steps = [(f"mkdir -p {FOLDER}/src; cat > {FOLDER}/.env", settings.encode())]
        steps += [(f"cat > {FOLDER}/{path.name}", path.read_bytes()) for path in sorted(FILES.iterdir())]
        for command, data in steps:
            if not self.run(command, data):
                raise RuntimeError(self.output)

    def copy(self, source: Path) -> bool:
        """Send the source; a whole one each time, as it is small, and the host has no rsync."""
        packed = subprocess.run(["tar", "-C", str(source), "-cf", "-", "."], capture_output=True, check=True)
        return self.run(f"rm -rf {FOLDER}/src && mkdir {FOLDER}/src && tar -C {FOLDER}/src -xf -", packed.stdout)

    def deploy(self, source: Path) -> bool:
        """Copy, build, up, migrate, collectstatic."""
        return self.copy(source) and self.run(COMMANDS)

    again = deploy
