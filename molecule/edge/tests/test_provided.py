# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A certificate that the inventory brings: refused where it could not serve, and replaced without a dropped request."""

from __future__ import annotations

import functools
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from clients import Crowd, ask, served
from conftest import DOMAIN, ROOT, STACK_DIR, Host, run_playbook

sys.path.insert(0, str(ROOT / "tests" / "unit"))

from support import certificates as made

if TYPE_CHECKING:
    from pathlib import Path

    from tests.playbooks import PlaybookRun

NAMES = (DOMAIN, f"www.{DOMAIN}")
FILES = f"{STACK_DIR}/tls {STACK_DIR}/nginx {STACK_DIR}/compose.yaml {STACK_DIR}/web.env"


def days(begin: int, end: int) -> tuple[int, int]:
    """Return days from today as days from the day on which those of the unit tests are made."""
    today = (datetime.now(UTC) - made.NOW).days
    return today + begin, today + end


@functools.cache
def authority() -> made.Made:
    """Make the authority of those who bring certificates."""
    return made.make("edge CA", names=(), usage=None, authority=True, days=days(-2, 3000))


def pair(number: int = 1, names: tuple[str, ...] = NAMES, valid: tuple[int, int] = (-1, 90)) -> made.Made:
    """Make a certificate of that authority; another number, another key."""
    key = made.private_key("ec", number)
    return made.make(DOMAIN, issuer=authority(), key=key, names=names, days=days(*valid))


def deploy(folder: Path, certificate: str, key: str, *options: str) -> PlaybookRun:
    """Deploy with it."""
    file = folder / "provided.json"
    file.write_text(json.dumps({"tls_mode": "provided", "tls_certificate": certificate, "tls_private_key": key}))
    file.chmod(0o600)
    return run_playbook("deploy", f"-e@{file}", *options)


def chain(of: made.Made) -> str:
    """Return what a server sends."""
    return of.pem + authority().pem


@pytest.fixture(scope="module", autouse=True)
def deployed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Serve with a certificate that was brought."""
    good = pair()
    run = deploy(tmp_path_factory.mktemp("provided"), chain(good), made.key_pem(good.key))
    assert run.code == 0, run.message


def test_the_site_serves_with_it() -> None:
    assert serves(1)
    assert ask("/health/live/", ca=authority().pem, name=NAMES[1]).status == 200


def serves(number: int) -> bool:
    """Whether the site shows the certificate of that key."""
    shown = made.x509.load_pem_x509_certificate(served().encode())
    return bool(shown.public_key() == made.private_key("ec", number).public_key())


def bad(kind: str) -> tuple[str, str, str]:
    """Return a certificate, a key, and what is to be said of them."""
    good = pair(2)
    key = made.key_pem(good.key)
    return {
        "broken": (chain(good)[:300], key, "is cut off"),
        "expired": (chain(pair(2, valid=(-30, -1))), key, "has expired at"),
        "of another key": (chain(good), made.key_pem(made.private_key("ec", 3)), "does not belong to"),
        "encrypted": (chain(good), made.key_pem(good.key, b"a passphrase"), "is encrypted"),
        "of another name": (chain(pair(2, names=("shop.example",))), key, f"does not cover {DOMAIN}"),
        "without its issuer": (good.pem + pair(3).pem, key, "has not issued number 1"),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["broken", "expired", "of another key", "encrypted", "of another name", "without its issuer"]
)
def test_what_could_not_serve_is_refused_before_anything_is_touched(edge: Host, tmp_path: Path, kind: str) -> None:
    certificate, key, said = bad(kind)
    look = f"find {FILES} -printf '%p %s %T@ %C@\\n' 2>/dev/null | sort; docker ps --format '{{{{.ID}}}}' | sort"
    before, shown = edge.run(look), served()
    run = deploy(tmp_path, certificate, key)
    assert run.code != 0
    assert said in run.message
    assert key.splitlines()[2][:20] not in run.output
    assert edge.run(look) == before
    assert served() == shown
    assert ask("/health/live/", ca=authority().pem).status == 200


def test_another_one_comes_by_a_reload_without_a_dropped_request(edge: Host, tmp_path: Path) -> None:
    good = pair(4)
    nginx, web = edge.container("nginx"), edge.container("web")
    key = made.key_pem(good.key)
    dry = deploy(tmp_path, chain(good), key, "--check", "--diff")
    assert dry.code == 0, dry.message
    with Crowd(authority().pem) as crowd:
        run = deploy(tmp_path, chain(good), key, "--diff")
    assert run.code == 0, run.message
    assert dry.changed == run.changed
    assert serves(4)
    assert crowd.bad == []
    assert crowd.good > 20
    assert (edge.container("nginx"), edge.container("web")) == (nginx, web)
    for line in key.splitlines()[1:-1]:
        assert line not in run.output
        assert line not in dry.output
    assert edge.run(f"stat -c %a {STACK_DIR}/tls/provided/certificate_and_key.pem") == "600"
    again = deploy(tmp_path, chain(good), key)
    assert (again.code, again.stats["changed"]) == (0, 0)


def test_status_asks_for_another_one_in_time(tmp_path: Path) -> None:
    soon = pair(5, valid=(-60, 10))
    assert deploy(tmp_path, chain(soon), made.key_pem(soon.key)).code == 0
    status = run_playbook("status")
    assert "have it renewed, and deploy with the new one" in status.output
    good = pair(6)
    assert deploy(tmp_path, chain(good), made.key_pem(good.key)).code == 0
    assert "have it renewed" not in run_playbook("status").output


def test_its_key_goes_with_the_mode(edge: Host) -> None:
    run = run_playbook("deploy")
    assert run.code == 0, run.message
    assert edge.run(f"find {STACK_DIR}/tls/provided -type f") == ""
