# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host whose certbot brings what it is told to, and whose Nginx says what it is told to say."""

from __future__ import annotations

import functools
import json
import os
import shutil
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _acme, _acme_run, _compose, _handshake

from . import certificates as made

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

NAME = "www.example.com"
SERVER = "https://ca.example/directory"
BOUND = ("nginx", "upstream", "tls", "acme")


@functools.cache
def brought(number: int, days: tuple[int, int]) -> tuple[str, str]:
    """Make a certificate and its key; the same question is answered by the same one."""
    today = (datetime.now(UTC) - made.NOW).days
    key = made.private_key("ec", number)
    one = made.make(names=(NAME,), key=key, days=(today + days[0], today + days[1]))
    return one.pem, made.key_pem(one.key)


@dataclass
class Host:
    """A host whose certbot brings what it is told to, and whose Nginx says what it is told to say."""

    root: Path
    number: int = 1
    days: tuple[int, int] = (-1, 90)
    certbot: int = 0
    nginx: dict[str, int] = field(default_factory=dict)
    running: bool = True
    wait_seconds: int = 0
    calls: list[str] = field(default_factory=list)
    # Folders of the stack where Nginx has a deleted one in their place, and the certificate that it has loaded.
    lost: set[str] = field(default_factory=set)
    loaded: bytes = b""
    ready: bool = True

    @property
    def settings(self) -> _acme.Settings:
        """What the program is told."""
        serving = {"service": "nginx", "test": ["test"], "reload": ["reload"], "port": 443}
        values = {"stack": "app", "dir": str(self.root), "server": SERVER, "names": [NAME], "serving": serving}
        return _acme.parse({**values, "audit_log": str(self.root / "audit.jsonl"), "wait_seconds": self.wait_seconds})

    def pair(self) -> tuple[str, str]:
        """Return what certbot brings."""
        return brought(self.number, self.days)

    def run(self, argv: list[str], _environment: Mapping[str, str], _seconds: int) -> tuple[int, str]:
        """Stand for certbot and docker."""
        if argv[0] == "certbot":
            assert _acme.WEBROOT not in self.lost, "nobody would find the proof"
            self.calls.append("anew" if "--force-renewal" in argv else "certbot")
            if not self.certbot:
                self.settings.live.mkdir(parents=True, exist_ok=True)
                for name, text in zip(("fullchain.pem", "privkey.pem"), self.pair(), strict=True):
                    (self.settings.live / name).write_text(text)
                self.settings.renewal.parent.mkdir(exist_ok=True)
                self.settings.renewal.write_text(f"[renewalparams]\naccount = x\nserver = {SERVER}\n")
            return self.certbot, "the authority said no"
        if argv[:2] == ["docker", "ps"]:
            return 0, "abc\n" if self.running else ""
        if argv == _compose.inspect_cmd(["abc"]):
            return 0, json.dumps([self.described()])
        if argv[1] in ("container", "logs"):
            return 0, "7\n" if argv[1] == "container" else "it does not start"
        step = "restart" if argv[1] == "restart" else argv[3]
        self.calls.append(step)
        code = self.nginx.get(step, 0)
        if step in ("restart", "reload") and not code:
            self.lost -= set(BOUND) if step == "restart" else set()
            file = self.root / "tls/acme/fullchain.pem"
            there = "tls" not in self.lost and file.exists()
            self.loaded = ssl.PEM_cert_to_DER_cert(file.read_text()) if there else b""
        return code, "it says no"

    def described(self) -> dict[str, Any]:
        """Say what the engine says of Nginx, which is this very process to the kernel: a folder lies where it is, or is another one."""
        for name in BOUND:
            (self.root / "deleted" / name).mkdir(parents=True, exist_ok=True)
        places = {name: self.root / ("deleted" if name in self.lost else "") / name for name in BOUND}
        return {
            "Id": "abc",
            "Name": "/app-nginx-1",
            "Image": "sha256:1",
            "State": {"Status": "running" if self.ready else "restarting", "Pid": os.getpid()},
            "Config": {"Labels": {_compose.LABEL_SERVICE: "nginx"}},
            "NetworkSettings": {"Networks": {"app": {"IPAddress": "192.0.2.9"}}},
            "Mounts": [
                {"Type": "bind", "Source": str(self.root / name), "Destination": str(place.resolve())}
                for name, place in places.items()
            ],
        }

    def delete(self, *names: str) -> None:
        """Delete folders below a running Nginx."""
        for name in names:
            shutil.rmtree(self.root / name)
        self.lost |= set(names)
        self.calls = []

    def obtain(self, **how: Any) -> _acme_run.Report:
        """Have it."""
        (self.root / "renewal").mkdir(exist_ok=True)
        (self.root / _acme.SETTINGS).write_text(json.dumps(vars(self.settings)))
        return _acme_run.obtain(self.settings, "test", runner=self.run, **how)

    @property
    def served(self) -> str:
        """The certificate and the key in the folder that Nginx reads."""
        return "".join((self.root / "tls" / "acme" / name).read_text() for name in ("fullchain.pem", "privkey.pem"))


def host_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return one whose Nginx serves by an authority's certificate, as far as it has loaded one."""
    found = Host(folder)
    (folder / "upstream").mkdir()
    (folder / "nginx").mkdir()
    (folder / "nginx" / "site.conf").write_text("include /etc/nginx/tls/acme/listen.con*;\n")
    monkeypatch.setattr(_handshake, "shown", lambda *_: found.loaded)
    return found


def by_another_authority(host: Host) -> None:
    """Have what is there be by another one."""
    for file in (host.root / "tls" / "acme" / "state.json", host.settings.renewal):
        file.write_text(file.read_text().replace(SERVER, "https://staging.example/directory"))
    host.calls = []
