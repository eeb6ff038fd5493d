# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the repository promises about itself: links, pins, places that must not be named, forbidden shortcuts."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import repo
from role_docs import load_yaml

LINKS = ("README.md", "galaxy.yml", "meta", "playbooks", "plugins", "roles")
# The product's own defaults: public addresses that a user would expect, whatever this machine is configured with.
PUBLIC = frozenset({"download.docker.com", "localhost", "127.0.0.1"})
THIS = Path(__file__).resolve()


def output(*argv: str) -> str:
    """Return what a command says, or nothing where it is not there."""
    if shutil.which(argv[0]) is None:
        return ""
    return subprocess.run(argv, cwd=repo.ROOT, capture_output=True, text=True, check=False).stdout


def test_six_links_make_the_root_a_collection() -> None:
    lines = output("git", "ls-files", "-s", "collections").splitlines()
    assert {line.split()[0] for line in lines} == {"120000"}
    names = {Path(line.split("\t")[1]) for line in lines}
    folder = Path("collections/ansible_collections/barehost/django")
    assert names == {folder / name for name in LINKS}
    assert [name for name in LINKS if (repo.ROOT / folder / name).readlink() != Path("../../../..") / name] == []


def machine_hosts() -> set[str]:
    """Return the hosts of the package registries that this machine is configured with."""
    sources = [
        output("apt-get", "indextargets", "--format", "$(REPO_URI)"),
        output(sys.executable, "-m", "pip", "config", "list"),
        output("npm", "config", "get", "registry"),
    ]
    addresses = re.findall(r"https?://[^\s'\"]+", "\n".join(sources))
    return {host for host in (urlsplit(address).hostname for address in addresses) if host} - PUBLIC


def test_no_registry_of_this_machine_is_named() -> None:
    hosts = machine_hosts()
    if not hosts:
        pytest.skip("neither apt nor pip nor npm is configured here")
    pattern = "|".join(rf"(?<![\w.-]){re.escape(host)}" for host in sorted(hosts))
    assert repo.matching_lines(pattern, repo.tracked()) == []


def test_no_path_of_this_machine_is_named() -> None:
    places = {str(repo.ROOT), str(Path(sys.prefix))}
    home = str(Path.home())
    # /root is the home of root everywhere, in images too.
    places |= {home} if home not in ("/", "/root") else set()
    pattern = "|".join(rf"{re.escape(place)}(?![\w-])" for place in sorted(places))
    assert repo.matching_lines(pattern, repo.tracked()) == []


def test_no_errors_are_ignored_and_no_volume_is_thrown_away() -> None:
    tasks = [path for path in repo.tracked() if path.suffix in (".yml", ".yaml", ".j2")]
    assert repo.matching_lines(r"^\s*(-\s+)?(ignore_errors|assume_yes)\s*:", tasks) == []
    code = [path for path in repo.tracked() if path.suffix == ".py" and path != THIS]
    assert repo.matching_lines(r"\bassume_yes\b", code) == []


def test_host_key_checking_stays_on() -> None:
    text = (repo.ROOT / "ansible.cfg").read_text()
    assert re.search(r"^host_key_checking\s*=\s*True$", text, re.MULTILINE)
    files = [path for path in repo.tracked() if path != THIS]
    off = r"StrictHostKeyChecking[= ]+(no|off)|host_key_checking\s*=\s*[Ff]alse|HOST_KEY_CHECKING\W+([Ff]alse|0)"
    assert repo.matching_lines(off, files) == []


def normal(name: str) -> str:
    """Return a distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def direct_dependencies() -> dict[str, str]:
    """Return the names that the project itself asks for, with the file that does."""
    project = tomllib.loads((repo.ROOT / "pyproject.toml").read_text())
    groups = project.get("dependency-groups", {}).values()
    lines = [line for group in groups for line in group if isinstance(line, str)]
    lines += project.get("project", {}).get("dependencies", [])
    found = {normal(re.split(r"[^\w.-]", line, maxsplit=1)[0]): "pyproject.toml" for line in lines}
    for path in (repo.ROOT / "app").glob("requirements*.txt"):
        names = (re.match(r"[A-Za-z0-9][\w.-]*", line.strip()) for line in path.read_text().splitlines())
        found.update({normal(match.group()): repo.short(path) for match in names if match})
    return found


def constraint_files() -> list[Path]:
    """Return the files with pins: one for the controller, and those of the application, whose image is built alone."""
    return [path for path in repo.tracked() if re.fullmatch(r"constraints.*\.txt", path.name)]


def test_constraints_are_pins_without_addresses() -> None:
    assert repo.ROOT / "constraints.txt" in constraint_files()
    wrong = [
        f"{repo.short(path)}: {line}"
        for path in constraint_files()
        for line in path.read_text().splitlines()
        if line.strip()
        and not line.lstrip().startswith("#")
        and not re.fullmatch(r"[A-Za-z0-9][\w.-]*(\[[\w,-]+\])?==[^\s@:/]+(\s*;.+)?(\s+#.*)?", line.strip())
    ]
    assert wrong == []


def test_every_direct_dependency_is_pinned() -> None:
    lines = [line for path in constraint_files() for line in path.read_text().splitlines()]
    lines += [line for path in (repo.ROOT / "app").glob("requirements*.txt") for line in path.read_text().splitlines()]
    pinned = {
        normal(match.group(1))
        for match in (re.match(r"([A-Za-z0-9][\w.-]*)(?:\[.*\])?==", line) for line in lines)
        if match
    }
    assert {name: file for name, file in direct_dependencies().items() if name not in pinned} == {}


def test_renamed_variables_have_an_end() -> None:
    version = tuple(int(part) for part in load_yaml(repo.ROOT / "galaxy.yml")["version"].split("."))
    entries = load_yaml(repo.ROOT / "meta" / "renamed_variables.yml")["renamed_variables"]
    known = {name for role in repo.ROLES for name in repo.spec_options(role)}
    problems = [f"{entry} lacks old, new or until" for entry in entries if set(entry) != {"old", "new", "until"}]
    problems += [f"{entry['old']} still exists" for entry in entries if entry["old"] in known]
    problems += [f"{entry['new']} does not exist" for entry in entries if entry["new"] not in known]
    problems += [
        f"{entry['old']} is past its end {entry['until']}"
        for entry in entries
        if tuple(int(part) for part in str(entry["until"]).split(".")) <= version
    ]
    assert problems == []


def test_every_file_of_code_says_its_licence() -> None:
    files = [path for path in repo.tracked() if path.suffix == ".py" and path.parts[len(repo.ROOT.parts)] == "plugins"]
    assert [repo.short(path) for path in files if "GNU General Public License v3.0+" not in repo.read(path)] == []


def test_a_todo_has_an_owner() -> None:
    files = [path for path in repo.tracked() if path.suffix in (".py", ".yml", ".yaml", ".j2", ".sh") and path != THIS]
    assert repo.matching_lines(r"\b(TODO|FIXME|XXX)\b(?!\()", files) == []
