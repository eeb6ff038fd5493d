# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The collection that people install: what is in it, and that it runs from somewhere else."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import repo
from role_docs import load_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTENT = {"README.md", "LICENSE", "meta", "playbooks", "plugins", "roles", "MANIFEST.json", "FILES.json"}


def run(folder: Path, name: str, args: Sequence[str], **extra: str) -> str:
    """Run a command of Ansible far from the repository, and return its output."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    argv = [str(Path(sys.executable).with_name(name)), *args]
    done = subprocess.run(
        argv, cwd=folder, env={**env, "HOME": str(folder), **extra}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact")
    run(folder, "ansible-galaxy", ["collection", "build", "--output-path", str(folder), str(repo.ROOT)])
    (built,) = folder.glob("*.tar.gz")
    return built


@pytest.fixture(scope="module")
def installed(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    # --no-deps: the dependencies come with the `ansible` package, and Galaxy need not be reachable.
    run(folder, "ansible-galaxy", ["collection", "install", "--no-deps", "-p", str(folder), str(artifact)])
    return folder


def test_it_is_named_after_its_version(artifact: Path) -> None:
    version = load_yaml(repo.ROOT / "galaxy.yml")["version"]
    assert artifact.name == f"barehost-django-{version}.tar.gz"


def test_it_holds_what_ansible_runs_and_nothing_else(artifact: Path) -> None:
    with tarfile.open(artifact) as archive:
        names = archive.getnames()
    assert {name.split("/")[0] for name in names} == CONTENT
    assert [
        name for name in names if "__pycache__" in name or name.endswith((".pyc", ".orig", ".rej", "~", ".swp"))
    ] == []


def test_it_holds_every_role_plugin_and_playbook(artifact: Path) -> None:
    with tarfile.open(artifact) as archive:
        packed = {member.name for member in archive.getmembers() if member.isfile()}
    inside = ("meta", "playbooks", "plugins", "roles")
    wanted = {repo.short(path) for path in repo.tracked() if repo.short(path).split("/")[0] in inside}
    assert sorted(wanted - packed) == []


def test_its_playbooks_run_by_full_name_from_elsewhere(installed: Path) -> None:
    for playbook in sorted(path.stem for path in (repo.ROOT / "playbooks").glob("*.yml")):
        args = ["--syntax-check", "-i", "web1,", f"barehost.django.{playbook}"]
        output = run(installed, "ansible-playbook", args, ANSIBLE_COLLECTIONS_PATH=str(installed))
        assert f"playbook: {installed}/ansible_collections/barehost/django/playbooks/{playbook}.yml" in output


def test_its_roles_are_found_from_elsewhere(installed: Path) -> None:
    output = run(installed, "ansible-doc", ["-t", "role", "-l"], ANSIBLE_COLLECTIONS_PATH=str(installed))
    assert [role for role in repo.EXPECTED_ROLES if f"barehost.django.{role}" not in output] == []
