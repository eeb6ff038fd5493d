# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What becomes of a certificate that certbot has brought, whichever step of the way says no."""

from __future__ import annotations

import functools
import json
import os
import shutil
import ssl
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _acme,
    _acme_cli,
    _acme_edge,
    _acme_run,
    _compose,
    _handshake,
    _lock,
    _tls,
)
from support import certificates as made

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host(tmp_path)
    (tmp_path / "upstream").mkdir()
    (tmp_path / "nginx").mkdir()
    (tmp_path / "nginx" / "site.conf").write_text("include /etc/nginx/tls/acme/listen.con*;\n")
    monkeypatch.setattr(_handshake, "shown", lambda *_: found.loaded)
    return found


def test_it_is_put_in_place_with_its_key_and_loaded(host: Host) -> None:
    report = host.obtain()
    assert report.changed
    assert host.calls == ["certbot", "test", "reload"]
    assert host.served == "".join(host.pair())
    link = host.root / "tls" / "acme"
    assert link.is_symlink()
    assert "/" not in str(link.readlink())
    assert (link / "privkey.pem").stat().st_mode & 0o777 == 0o600
    assert link.resolve().stat().st_mode & 0o777 == 0o700
    assert (host.root / "acme").stat().st_mode & 0o777 == 0o755
    seen = _tls.look(host.root)["acme"]
    assert (seen["whole"], seen["names"], seen["server"]) == (True, [NAME], SERVER)
    assert _tls.reason(seen, [NAME], _tls.now(), SERVER) == ""
    assert json.loads((host.root / "audit.jsonl").read_text())["result"] == "ok"
    # What `site.conf` includes for those who name no server, which a site that is asked for by an address has to tell apart.
    assert "listen 443 ssl default_server;\nssl_certificate /etc/nginx/tls/acme/" in (link / _tls.DEFAULT).read_text()
    assert "listen [::]:443 ssl default_server;" in (link / _tls.DEFAULT6).read_text()


def test_one_that_is_good_is_left_alone(host: Host) -> None:
    host.obtain()
    host.calls = []
    assert not host.obtain().changed
    assert host.calls == ["certbot"]
    assert len((host.root / "audit.jsonl").read_text().splitlines()) == 1


def test_another_one_takes_its_place_in_one_step(host: Host) -> None:
    host.obtain()
    host.number = 2
    assert host.obtain().changed
    assert host.served == "".join(host.pair())
    assert len(list((host.root / "tls").glob("acme.*"))) == 1


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ({"certbot": 1}, "gave no certificate: the authority said no"),
        ({"days": (-30, -1)}, "has expired at"),
        ({"nginx": {"test": 1}}, "Nginx does not take the new certificate"),
        ({"nginx": {"reload": 1}}, "Nginx does not take the new certificate"),
    ],
)
def test_what_served_still_serves_whatever_says_no(host: Host, trouble: dict[str, Any], said: str) -> None:
    host.obtain()
    before = host.served
    host.number = 2
    for name, value in trouble.items():
        setattr(host, name, value)
    with pytest.raises(_acme.AcmeError, match=said):
        host.obtain()
    assert host.served == before
    assert len(list((host.root / "tls").glob("acme.*"))) == 1
    assert said in _tls.look(host.root)["acme"]["problem"]
    assert json.loads((host.root / "audit.jsonl").read_text().splitlines()[-1])["result"] == "failed"
    # And the next one makes it good.
    host.certbot, host.days, host.nginx, host.number = 0, (-1, 90), {}, 3
    assert host.obtain().changed
    assert "problem" not in _tls.look(host.root)["acme"]


def test_one_that_nginx_does_not_show_is_taken_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.obtain()
    before = host.served
    monkeypatch.setattr(_handshake, "shown", lambda *_: b"another one")
    monkeypatch.setattr(_acme_edge, "LOADED_SECONDS", 0.0)
    host.number = 2
    with pytest.raises(_acme.AcmeError, match="does not show the new certificate"):
        host.obtain()
    assert host.served == before


def test_the_first_one_leaves_nothing_where_it_fails(host: Host) -> None:
    host.nginx = {"test": 1}
    with pytest.raises(_acme.AcmeError):
        host.obtain()
    assert list((host.root / "tls").iterdir()) == []


def test_nginx_is_not_asked_where_it_serves_by_another_mode_or_does_not_run(host: Host) -> None:
    host.running = False
    assert host.obtain().changed
    (host.root / "nginx" / "site.conf").write_text("include /etc/nginx/tls/self_signed/listen.con*;\n")
    host.running, host.number = True, 2
    assert host.obtain().changed
    assert host.calls == ["certbot", "certbot"]


def by_another_authority(host: Host) -> None:
    """Have what is there be by another one."""
    for file in (host.root / "tls" / "acme" / "state.json", host.settings.renewal):
        file.write_text(file.read_text().replace(SERVER, "https://staging.example/directory"))
    host.calls = []


def test_another_authority_is_asked_in_any_case(host: Host) -> None:
    host.obtain()
    by_another_authority(host)
    assert host.obtain().changed
    assert host.calls[0] == "anew"
    assert _tls.look(host.root)["acme"]["server"] == SERVER


def test_another_authority_is_asked_by_force_only_until_it_has_given_one(host: Host) -> None:
    host.obtain()
    by_another_authority(host)
    # It gives one, and Nginx does not take it: authorities limit how often the same may be asked for.
    host.number, host.nginx = 2, {"test": 1}
    with pytest.raises(_acme.AcmeError):
        host.obtain()
    host.nginx = {}
    assert host.obtain().changed
    assert [call for call in host.calls if call in ("anew", "certbot")] == ["anew", "certbot"]
    # Where it has given none it is asked by force again.
    by_another_authority(host)
    host.certbot = 1
    for _ in range(2):
        with pytest.raises(_acme.AcmeError):
            host.obtain()
    assert host.calls == ["anew", "anew"]


def test_one_in_place_that_nginx_has_not_loaded_is_loaded(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.obtain()
    old = host.root / "tls" / "acme.0123456789abcdef"
    old.mkdir()
    served = [b"the old one", *2 * [ssl.PEM_cert_to_DER_cert(host.pair()[0])]]
    monkeypatch.setattr(_handshake, "shown", lambda *_: served.pop(0))
    host.calls = []
    report = host.obtain()
    assert (report.changed, host.calls) == (True, ["certbot", "test", "reload"])
    assert "had not loaded" in report.message
    # The run that was ended had not come to that.
    assert not old.exists()
    assert not host.obtain().changed


def test_the_command_says_what_is_wrong(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert _acme_cli.main(host.root, ["renew"]) == 1
    assert "deploy with tls_mode acme first" in capsys.readouterr().err
    (host.root / "renewal").mkdir()
    (host.root / _acme.SETTINGS).write_text(json.dumps(vars(host.settings)))
    assert _acme_cli.main(host.root, ["check"]) == 1
    assert "there is no certificate, so the site cannot be reached" in capsys.readouterr().out
    host.obtain()
    assert _acme_cli.main(host.root, ["check"]) == 0
    (host.root / _tls.FAILURE).write_text(json.dumps({"at": "2026-11-27T12:00:00Z", "message": "it is away"}))
    assert _acme_cli.main(host.root, ["check"]) == 1
    assert "it is away" in capsys.readouterr().out


class Deploys:
    """Whether a deploy is at work, each time that somebody looks."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch, seen: str) -> None:
        """Have a deploy at work where there is a 1, and at last none."""
        self.host, self.seen = host, list(seen)
        self.waited = 0
        monkeypatch.setattr(_lock, "look", self.look)
        monkeypatch.setattr(time, "sleep", self.sleep)

    def look(self, _dir: str) -> dict[str, Any]:
        """Stand for the look at the lock, which somebody may have left half done."""
        return {"at_work": bool(self.seen) and self.seen.pop(0) == "1", "owner": "somebody"}

    def sleep(self, _seconds: float) -> None:
        """See that whoever waits has nothing in hand that a deploy would wait for."""
        self.waited += 1
        descriptor = os.open(self.host.settings.folder, os.O_RDONLY) if self.host.settings.folder.is_dir() else -1
        if descriptor >= 0:
            assert _lock.try_flock(descriptor)
            os.close(descriptor)


def test_a_renewal_lets_a_deploy_come_to_its_end(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.wait_seconds = 900
    # Before it has the flock, with it in hand, and once the authority has answered.
    deploys = Deploys(host, monkeypatch, "11010011")
    assert host.obtain(anew=True).changed
    assert deploys.waited == 3
    assert deploys.seen == []
    # What was brought was not asked for again.
    assert host.calls == ["anew", "certbot", "test", "reload"]


def test_a_renewal_gives_way_where_a_deploy_does_not_come_to_its_end(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    Deploys(host, monkeypatch, "11111")
    with pytest.raises(_acme.AcmeError, match="a step of a deploy has been at work for 0 s"):
        host.obtain()
    assert host.calls == []


def test_a_deploy_that_does_not_come_to_its_end_is_no_failure_of_a_certificate_that_is_good(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.obtain()
    host.calls = []
    Deploys(host, monkeypatch, 9 * "1")
    report = host.obtain()
    assert (report.changed, host.calls) == (False, [])
    assert report.message.startswith("a step of a deploy has been at work for 0 s")
    assert report.message.endswith(f"the one in place is good until {report.not_after}")
    assert not (host.root / _tls.FAILURE).exists()
    # But somebody who has asked for another one is told.
    with pytest.raises(_acme.AcmeError, match="a step of a deploy has been at work for 0 s"):
        host.obtain(anew=True)


def test_a_deploy_that_does_not_come_to_its_end_is_said_once_the_certificate_is_late(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.days = (-80, 10)
    host.obtain()
    Deploys(host, monkeypatch, 9 * "1")
    with pytest.raises(_acme.AcmeError, match="a step of a deploy has been at work for 0 s"):
        host.obtain()
    assert "a step of a deploy has been at work" in _tls.failure(host.root)


@pytest.mark.parametrize("ended", ["renewal", "."])
def test_a_mode_that_a_deploy_has_ended_meanwhile_is_no_failed_renewal(host: Host, ended: str) -> None:
    before = host.settings
    host.obtain()
    shutil.rmtree(host.root / ended)
    report = _acme_run.obtain(before, "timer", runner=host.run)
    assert (report.changed, report.message) == (False, "the stack has another tls_mode by now: nothing is renewed")
    assert not (host.root / _tls.FAILURE).exists()
    assert host.root.exists() is (ended == "renewal")


def test_what_a_deploy_has_changed_meanwhile_is_asked_for(host: Host) -> None:
    before = host.settings
    host.obtain()
    (host.root / _acme.SETTINGS).write_text(json.dumps({**vars(before), "names": ["shop.example.com"]}))
    with pytest.raises(_acme.AcmeError, match=r"shop\.example\.com"):
        _acme_run.obtain(before, "timer", runner=host.run)


@pytest.mark.parametrize("by_deploy", [False, True])
def test_a_run_beside_another_one_is_not_waited_for_without_end(host: Host, *, by_deploy: bool) -> None:
    host.settings.folder.mkdir()
    descriptor = os.open(host.settings.folder, os.O_RDONLY)
    assert _lock.try_flock(descriptor)
    with pytest.raises(_acme.AcmeError, match=r"another run has been at work in .* for 0 s: see what it does"):
        host.obtain(by_deploy=by_deploy)
    os.close(descriptor)
    assert host.obtain(by_deploy=by_deploy).changed


def test_a_deploy_does_not_wait_for_itself(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lock, "look", lambda _dir: pytest.fail("it looks"))
    assert host.obtain(by_deploy=True).changed


def test_a_renewal_restarts_an_nginx_that_would_reload_a_deleted_folder(host: Host) -> None:
    host.obtain()
    host.delete("tls")
    report = host.obtain()
    assert (report.changed, host.calls) == (True, ["certbot", "test", "restart"])
    assert host.loaded == ssl.PEM_cert_to_DER_cert(host.pair()[0])
    # Also where somebody has put the same one back, which it shows as long as nobody has it loaded.
    host.lost, host.calls = {"tls"}, []
    report = host.obtain()
    assert (report.changed, host.calls) == (True, ["certbot", "test", "restart"])
    assert f"had a {host.root}/tls mounted that was no longer the host's, and was restarted" in report.message
    assert not host.obtain().changed


def test_a_renewal_has_nginx_see_the_proofs_before_the_authority_is_asked(host: Host) -> None:
    host.obtain()
    host.delete("acme")
    report = host.obtain()
    assert (report.changed, host.calls) == (True, ["test", "restart", "certbot"])
    assert f"had a {host.root}/acme mounted that was no longer the host's, and was restarted" in report.message
    assert (host.root / "acme").stat().st_mode & 0o777 == 0o755


def test_an_nginx_that_is_restarted_for_the_proofs_has_what_certbot_has(host: Host) -> None:
    host.obtain()
    host.delete("acme", "tls")
    # The authority says no, and https is there nevertheless.
    host.certbot = 1
    with pytest.raises(_acme.AcmeError, match="gave no certificate"):
        host.obtain()
    assert host.calls == ["test", "restart", "certbot"]
    assert host.loaded == ssl.PEM_cert_to_DER_cert(host.pair()[0])
    # What another one gave is not taken for what this one gives.
    by_another_authority(host)
    host.delete("acme", "tls")
    with pytest.raises(_acme.AcmeError, match="gave no certificate"):
        host.obtain()
    assert _tls.look(host.root)["acme"]["whole"] is False


@pytest.mark.parametrize("folder", ["tls", "acme"])
def test_nginx_is_not_restarted_where_it_would_serve_less(host: Host, folder: str) -> None:
    host.obtain()
    host.delete(folder)
    host.lost.add("upstream")
    with pytest.raises(
        _acme.AcmeError, match=r"/upstream mounted that are no longer the host's.*run barehost\.django\.deploy"
    ):
        host.obtain()
    assert "restart" not in host.calls
    host.lost.discard("upstream")
    host.nginx = {"test": 1}
    with pytest.raises(_acme.AcmeError, match="would not start again: it says no"):
        host.obtain()
    assert "restart" not in host.calls
    assert host.loaded == ssl.PEM_cert_to_DER_cert(host.pair()[0])


def test_an_nginx_that_does_not_come_back_says_why(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.obtain()
    host.delete("acme")
    monkeypatch.setattr(_acme_edge, "READY_SECONDS", 0.0)
    host.ready = False
    with pytest.raises(_acme.AcmeError, match="is not ready after 0 s: it does not start"):
        host.obtain()


def test_a_deploy_leaves_nginx_to_what_makes_it_anew(host: Host) -> None:
    host.obtain()
    host.delete("tls")
    host.number = 2
    report = host.obtain(by_deploy=True, edge_follows=True)
    # Told to load it, it would lose the one that it shows.
    assert (report.changed, report.postponed, host.calls) == (True, False, ["certbot"])
    assert host.served == "".join(host.pair())


def test_a_deploy_asks_once_nginx_would_see_the_proof(host: Host) -> None:
    host.obtain()
    host.delete("acme", "tls")
    report = host.obtain(by_deploy=True, edge_follows=True)
    assert (report.changed, report.postponed, host.calls) == (True, True, [])
    assert f"Nginx has a {host.root}/acme mounted that is no longer the host's" in report.message
    # What certbot has is there by the time that Nginx is; the folder of the proofs is made by what foresees it in a dry run.
    assert host.served == "".join(host.pair())
    assert not (host.root / "acme").exists()
    host.run(["docker", "restart", "abc"], {}, 1)
    (host.root / "acme").mkdir()
    assert not host.obtain(by_deploy=True).changed
    # With nothing in hand there is nothing to be put in place.
    host.delete("acme", "tls")
    shutil.rmtree(host.root / "certbot")
    report = host.obtain(by_deploy=True, edge_follows=True)
    assert (report.changed, report.postponed, host.calls) == (False, True, [])
