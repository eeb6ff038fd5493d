# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An Nginx that has a deleted folder mounted: who makes it see the host's, and when that would be worse."""

from __future__ import annotations

import shutil
import ssl
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _acme, _acme_edge, _tls
from support.acme import Host, by_another_authority, host_in

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return host_in(tmp_path, monkeypatch)


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
