# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What becomes of a certificate that certbot has brought, whichever step of the way says no."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _acme,
    _acme_cli,
    _acme_edge,
    _acme_run,
    _handshake,
    _lock,
    _tls,
)
from support.acme import NAME, SERVER, Host, by_another_authority, host_in

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return host_in(tmp_path, monkeypatch)


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
