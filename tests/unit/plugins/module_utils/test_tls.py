# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is given, what is on the host, and when another certificate is made."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _input, _tls
from support.certificates import NOW

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["www.example.com", "localhost"]
CHAIN = "a chain\n"


def made(root: Path, at: Any = NOW, days: int = 100, mode: str = "self_signed") -> Path:
    """Put on the host what a run has made."""
    folder = root / "tls" / mode
    folder.mkdir(parents=True)
    (folder / "fullchain.pem").write_text(CHAIN)
    for name in ("privkey.pem", "listen.conf", "listen6.conf"):
        (folder / name).write_text("")
    (folder / "state.json").write_text(json.dumps(_tls.state(NAMES, CHAIN, at, at + timedelta(days=days), 30)))
    return folder


def seen(root: Path, at: Any = NOW, mode: str = "self_signed") -> dict[str, Any]:
    return _tls.look(root, at).get(mode) or {}


def reason(root: Path, names: list[str] = NAMES, days: int = 0) -> str:
    at = NOW + timedelta(days=days)
    return _tls.reason(seen(root, at), names, at)


def test_a_certificate_that_will_do_is_kept(tmp_path: Path) -> None:
    assert reason(tmp_path) == "there is none"
    made(tmp_path)
    assert reason(tmp_path) == ""
    assert reason(tmp_path, ["WWW.example.com:443"]) == ""


def test_one_that_ends_soon_or_lacks_a_name_is_made_anew(tmp_path: Path) -> None:
    made(tmp_path)
    assert reason(tmp_path, days=69) == ""
    assert reason(tmp_path, days=70) == "it ends at 2027-03-07T12:00:00Z"
    assert reason(tmp_path, [*NAMES, "shop.example.com"]) == "it does not cover shop.example.com"


def test_a_short_one_is_not_made_anew_in_every_run(tmp_path: Path) -> None:
    made(tmp_path, days=10)
    assert reason(tmp_path) == ""
    assert reason(tmp_path, days=5)


@pytest.mark.parametrize("name", ["fullchain.pem", "privkey.pem", "listen.conf", "listen6.conf", "state.json"])
def test_what_a_run_left_half_done_is_made_anew(tmp_path: Path, name: str) -> None:
    (made(tmp_path) / name).unlink()
    assert reason(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"names": 3}', '{"names": [], "not_after": "x", "renew_at": "y"}'])
def test_a_state_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (made(tmp_path) / "state.json").write_text(text)
    assert _tls.look(tmp_path, NOW) == {"answers": False}


def test_status_speaks_of_the_end_of_the_one_that_serves_alone(tmp_path: Path) -> None:
    made(tmp_path)
    late = NOW + timedelta(days=80)
    assert "problem" not in seen(tmp_path, late)
    (tmp_path / "nginx").mkdir()
    (tmp_path / "nginx" / "site.conf").write_text("include /etc/nginx/tls/self_signed/listen.con*;\n")
    assert "problem" not in seen(tmp_path, NOW)
    assert "run barehost.django.deploy" in seen(tmp_path, late)["problem"]
    assert "has ended" in seen(tmp_path, NOW + timedelta(days=101))["problem"]


def test_a_failed_renewal_is_said_for_as_long_as_it_is_not_made_good(tmp_path: Path) -> None:
    made(tmp_path, mode="acme")
    (tmp_path / "nginx").mkdir()
    (tmp_path / "nginx" / "site.conf").write_text("include /etc/nginx/tls/acme/listen.con*;\n")
    (tmp_path / "certbot").mkdir()
    note = tmp_path / _tls.FAILURE
    note.write_text(json.dumps({"at": "2026-11-27T12:00:00Z", "message": "the authority is away"}))
    found = seen(tmp_path, NOW, "acme")
    assert found["problem"] == (
        "the certificate could not be renewed at 2026-11-27T12:00:00Z: the authority is away; "
        "the certificate ends at 2027-03-07T12:00:00Z"
    )
    # It says nothing of a certificate that does not come from there.
    made(tmp_path)
    assert "problem" not in seen(tmp_path, NOW)
    note.unlink()
    assert "problem" not in seen(tmp_path, NOW, "acme")


def test_a_site_that_is_to_serve_by_a_certificate_that_never_came_says_so(tmp_path: Path) -> None:
    (tmp_path / "nginx").mkdir()
    (tmp_path / "nginx" / "site.conf").write_text("include /etc/nginx/tls/acme/listen.con*;\n")
    found = seen(tmp_path, mode="acme")
    assert (found["serves"], found["whole"]) == (True, False)
    assert found["problem"] == (
        "there is no certificate, so the site cannot be reached over https: "
        "the timer of barehost-certificate asks again, and so does barehost.django.deploy"
    )
    (tmp_path / "certbot").mkdir()
    (tmp_path / _tls.FAILURE).write_text(json.dumps({"at": "2026-11-27T12:00:00Z", "message": "no such name"}))
    assert "(it could not be had at 2026-11-27T12:00:00Z: no such name)" in seen(tmp_path, mode="acme")["problem"]
    # A deploy has it made, and says why.
    assert _tls.reason(seen(tmp_path, mode="acme"), NAMES, NOW, "https://ca.example/dir") == "there is none"
    # The files of another mode are not there either, and nobody minds.
    assert seen(tmp_path) == {}


def test_a_deploy_asks_an_authority_when_the_old_one_has_ended_and_not_before(tmp_path: Path) -> None:
    folder = made(tmp_path, mode="acme")
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**state, "server": "https://ca.example/dir"}))

    def why(days: int, server: str = "https://ca.example/dir") -> str:
        at = NOW + timedelta(days=days)
        return _tls.reason(seen(tmp_path, at, "acme"), NAMES, at, server)

    assert why(99) == ""
    assert why(100) == "it ends at 2027-03-07T12:00:00Z"
    assert why(1, "https://other.example/dir") == "it is by https://ca.example/dir"


def test_whether_nginx_answers_an_authority(tmp_path: Path) -> None:
    (tmp_path / "nginx").mkdir()
    (tmp_path / "nginx" / "site.conf").write_text("location /.well-known/acme-challenge/ {\n")
    assert _tls.look(tmp_path)["answers"] is True


def test_names_as_a_request_says_them() -> None:
    names = ["www.example.com", "192.0.2.7", "[2001:db8::7]:443", "localhost", ".example.org"]
    wanted = ["DNS:www.example.com", "IP:192.0.2.7", "IP:2001:db8::7", "DNS:example.org", "DNS:*.example.org"]
    assert _tls.alternatives(names) == wanted


def test_what_is_given_is_text_or_a_file_and_never_both(tmp_path: Path) -> None:
    file = tmp_path / "chain.pem"
    both = {"tls_certificate": "text", "tls_private_key": "text"}
    assert _tls.given_problems(both) == []
    assert _tls.given(both) == both
    by_file = {"tls_certificate_file": str(file), "tls_private_key": "text"}
    assert "is no file on the controller" in _tls.given_problems(by_file)[0]
    file.write_text("")
    assert "empty or cannot be read" in _tls.given_problems(by_file)[0]
    file.write_text("a chain")
    assert _tls.given_problems(by_file) == []
    assert _tls.given(by_file) == {"tls_certificate": "a chain", "tls_private_key": "text"}
    assert "are both set" in _tls.given_problems({**by_file, "tls_certificate": "text"})[0]
    assert len(_tls.given_problems({})) == 2


def test_a_ca_that_would_not_outlive_what_it_signs_is_refused() -> None:
    assert _tls.own_problems({"tls_self_signed_days": 397, "tls_self_signed_ca_days": 398}) == []
    (problem,) = _tls.own_problems({"tls_self_signed_days": 397, "tls_self_signed_ca_days": 397})
    assert "tls_self_signed_ca_days is 397 and tls_self_signed_days is 397" in problem


@pytest.mark.parametrize(
    ("mode", "scheme", "refused"),
    [("off", "http", False), ("off", "https", False), ("provided", "https", False), ("provided", "http", True)],
)
def test_a_mode_that_contradicts_the_scheme(mode: str, scheme: str, *, refused: bool) -> None:
    assert bool(_tls.scheme_problems(mode, scheme, "www.example.com")) is refused


def test_off_without_quotes_is_a_mode() -> None:
    spec = {"type": "str", "choices": ["off", "provided"], "default": "off"}
    assert _tls.mode(False) == "off"  # noqa: FBT003 - what YAML makes of it
    assert _input.shape_problems("tls_mode", False, spec) == []  # noqa: FBT003
    assert _input.shape_problems("tls_mode", True, spec)  # noqa: FBT003
    assert _input.shape_problems("tls_mode", "of", spec)
