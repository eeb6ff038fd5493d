# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images of the test host: pulled before they are built, built once, and mirrors taken from this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[3] / "tools"))

import images
import machine

MIRRORS = [
    ("bookworm", "http://mirror.example/debian"),
    ("bookworm-security", "http://mirror.example/security"),
    ("bookworm-updates", "http://mirror.example/debian"),
]


@pytest.fixture
def machine_stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "apt_indexes", lambda: MIRRORS)
    monkeypatch.setattr(machine, "certificates", lambda: {"proxy.crt": b"certificate"})
    monkeypatch.setattr(machine, "pip_settings", list)
    monkeypatch.setattr(images, "STATE_DIR", tmp_path)
    monkeypatch.setattr(images, "MEMORY", tmp_path / "images.json")


def test_another_suite_comes_from_the_same_mirrors() -> None:
    assert machine.debian_sources("trixie", MIRRORS) == [
        "deb http://mirror.example/debian trixie main",
        "deb http://mirror.example/debian trixie-updates main",
        "deb http://mirror.example/security trixie-security main",
    ]
    assert machine.debian_sources("sid", MIRRORS) == ["deb http://mirror.example/debian sid main"]


def test_without_a_mirror_it_says_so() -> None:
    with pytest.raises(machine.MachineError, match="apt knows no Debian mirror here"):
        machine.debian_sources("trixie", [])


def test_pip_keeps_what_a_container_can_reach() -> None:
    listing = (
        ":env:.cert='/etc/ssl/certs/ca-certificates.crt'\n"
        ":env:.default-timeout='180'\n"
        "global.extra-index-url='file:///srv/simple https://index.example/simple'\n"
        "global.find-links='/srv/wheels'\n"
    )
    assert machine.pip_lines(listing) == ["extra-index-url = https://index.example/simple"]


@pytest.mark.usefixtures("machine_stub")
def test_what_can_be_pulled_is_pulled_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "inspect", lambda *_: None)
    monkeypatch.setattr(images, "pull", lambda _name: True)
    factory = images.Factory()
    factory.ensure(["debian:trixie"])
    assert factory.jobs["debian:trixie"].result() == "pulled"
    assert images.Factory().memory == {"debian:trixie": "official"}


@pytest.mark.usefixtures("machine_stub")
def test_what_cannot_be_pulled_is_built_on_its_base_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried, built = [], []
    monkeypatch.setattr(images, "inspect", lambda *_: None)
    monkeypatch.setattr(images, "pull", tried.append)
    monkeypatch.setattr(images, "build", lambda name, *_: built.append(name))
    images.Factory().ensure(["redis:8-alpine"])
    assert built == ["debian:trixie", "redis:8-alpine"]
    images.Factory().ensure(["redis:8-alpine"])
    assert sorted(tried) == ["debian:trixie", "redis:8-alpine"]


@pytest.mark.usefixtures("machine_stub")
def test_an_image_is_kept_as_long_as_its_recipe_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    label = images.Factory().recipe_hash("redis:8-alpine")
    monkeypatch.setattr(images, "inspect", lambda *_: label)
    assert images.Factory().present("redis:8-alpine")
    # The base is part of the recipe: another certificate of this machine makes another image.
    monkeypatch.setattr(machine, "certificates", lambda: {"proxy.crt": b"another"})
    assert not images.Factory().present("redis:8-alpine")


@pytest.mark.usefixtures("machine_stub")
def test_an_official_image_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "inspect", lambda *_: "")
    assert images.Factory().present("mysql:9.7")
