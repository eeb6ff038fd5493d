# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Docker from its own repository."""

from __future__ import annotations

from typing import Any

import pytest

PACKAGES = ("docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "docker-compose-plugin")


@pytest.fixture(scope="module")
def root(host: Any) -> Any:
    """Return the host as root sees it."""
    with host.sudo():
        yield host


@pytest.mark.parametrize("package", PACKAGES)
def test_the_packages_of_docker_are_installed(root: Any, package: str) -> None:
    assert root.package(package).is_installed


def test_they_came_from_the_repository_that_its_key_signs(root: Any) -> None:
    sources = root.file("/etc/apt/sources.list.d/docker.sources").content_string
    assert "Signed-By: /etc/apt/keyrings/docker.asc" in sources
    assert root.file("/etc/apt/keyrings/docker.asc").content_string.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")
    url = next(line.split()[1] for line in sources.splitlines() if line.startswith("URIs:"))
    assert url in root.check_output("apt-cache policy docker-ce")


def test_another_key_is_not_accepted(root: Any) -> None:
    root.check_output("cp /etc/apt/keyrings/docker.asc /root/docker.asc")
    try:
        root.check_output("cp /usr/share/keyrings/debian-archive-keyring.gpg /etc/apt/keyrings/docker.asc")
        update = root.run("apt-get update")
        assert "NO_PUBKEY" in update.stdout + update.stderr or "Missing key" in update.stdout + update.stderr
    finally:
        root.check_output("mv /root/docker.asc /etc/apt/keyrings/docker.asc")


def test_the_engine_answers_and_starts_with_the_host(root: Any) -> None:
    assert root.service("docker").is_running
    assert root.service("docker").is_enabled
    assert root.run("docker info").rc == 0
    assert root.run("docker compose version").rc == 0
    assert root.run("docker buildx version").rc == 0
