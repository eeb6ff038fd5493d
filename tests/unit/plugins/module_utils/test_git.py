# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sources in git, against real repositories over file:// and a local path."""

from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _git

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HUSH = "hush-hush-token"
# What `git ls-remote url main v1 v1^{}` printed (git 2.39); v1 is a tag with a message.
ANSWER = """\
3aa58a35f31e38cc88e2b72ed14bf33a852ea8c3\trefs/heads/feature/main
5aa58a35f31e38cc88e2b72ed14bf33a852ea8c3\trefs/heads/main
4aa58a35f31e38cc88e2b72ed14bf33a852ea8c3\trefs/heads/v1
cb5d11be4976bb55fda4d6e303db654a8cddf267\trefs/tags/v1
3aa58a35f31e38cc88e2b72ed14bf33a852ea8c3\trefs/tags/v1^{}
"""


class Runner:
    """Runs for real, and remembers."""

    def __init__(self) -> None:
        """Begin with nothing run."""
        self.calls: list[tuple[list[str], dict[str, str]]] = []

    def __call__(self, argv: list[str], env: Mapping[str, str], data: str | None) -> tuple[int, str, str]:
        """Run a command."""
        self.calls.append((argv, dict(env)))
        done = subprocess.run(
            argv, env={**os.environ, **env}, input=data or "", capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    def ran(self, word: str) -> int:
        """Count the commands with a word."""
        return sum(word in argv for argv, _env in self.calls)


class Origin:
    """A repository with a working copy."""

    def __init__(self, folder: Path) -> None:
        """Make both."""
        self.bare, self.work = folder / "shop.git", folder / "work"
        self.git("init", "--quiet", "--initial-branch", "main", str(self.work), cwd=folder)
        self.git("init", "--quiet", "--bare", "--initial-branch", "main", str(self.bare), cwd=folder)
        (self.work / "app").mkdir()
        (self.work / "app" / "Dockerfile").write_text("FROM scratch\n")
        (self.work / "app" / "run").write_text("#!/bin/sh\n")
        (self.work / "app" / "run").chmod(0o755)
        (self.work / "app" / "link").symlink_to("/etc/hostname")

    def git(self, *words: str, cwd: Path | None = None) -> str:
        """Run git as somebody."""
        argv = ["git", "-c", "user.name=n", "-c", "user.email=n@example.com", *words]
        return subprocess.run(argv, cwd=cwd or self.work, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, text: str) -> str:
        """Commit and push."""
        (self.work / "app" / "text").write_text(text)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", text)
        self.git("push", "--quiet", "--force", str(self.bare), "HEAD:main")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path)


@pytest.mark.parametrize(
    ("revision", "first"), [("v1", "3"), ("main", "5"), ("feature/main", "3"), ("ain", ""), ("v2", "")]
)
def test_a_name_is_exact_and_a_tag_goes_before_a_branch(revision: str, first: str) -> None:
    assert _git.parse_ls_remote(ANSWER, revision)[:1] == first


@pytest.mark.parametrize("url", ["https://git.example.com/shop.git", "git@git.example.com:shop.git", "/srv/shop.git"])
def test_good_sources(url: str) -> None:
    assert _git.problems(url, "v1.4", "app", token=False) == []


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("https://me:hush@git.example.com/x.git", "v1", ""), "holds a password (value not shown)"),
        (("--upload-pack=touch /x", "v1", ""), "no URL or path"),
        (("ext::sh -c x", "v1", ""), "no URL or path"),
        (("/srv/x.git", "", ""), "revision is empty"),
        (("/srv/x.git", "--all", ""), "no name of a commit"),
        (("/srv/x.git", "v1^{}", ""), "no name of a commit"),
        (("/srv/x.git", "v1", "../x"), "inside of the repository"),
        (("/srv/x.git", "v1", "/x"), "inside of the repository"),
    ],
)
def test_bad_sources(arguments: tuple[str, str, str], part: str) -> None:
    (problem,) = _git.problems(*arguments, token=False)
    assert part in problem
    assert "hush" not in problem


@pytest.mark.parametrize("url", ["http://git.example.com/x.git", "git@git.example.com:x.git", "/srv/x.git"])
def test_a_token_goes_over_https_only(url: str) -> None:
    assert "a token only goes over https" in _git.problems(url, "v1", "", token=True)[0]


@pytest.mark.parametrize("scheme", ["file://", ""])
@pytest.mark.parametrize("kind", ["branch", "tag", "commit"])
def test_a_revision_becomes_the_files_of_its_commit(tmp_path: Path, origin: Origin, scheme: str, kind: str) -> None:
    commit = origin.commit("one")
    origin.git("tag", "--annotate", "v1", "--message", "v1")
    origin.git("push", "--quiet", str(origin.bare), "v1")
    revision = {"branch": "main", "tag": "v1", "commit": commit}[kind]
    source = _git.Repository(f"{scheme}{origin.bare}", revision, "app")
    run, cache, folder = Runner(), tmp_path / "cache" / "git", tmp_path / "out"
    folder.mkdir()
    with _git.credentials(source, str(tmp_path)) as env:
        assert _git.resolve(run, source, env) == commit
        _git.fetch(run, source, commit, cache, env)
        _git.fetch(run, source, commit, cache, env)
    _git.export(run, source, commit, cache, folder)
    assert (run.ran("ls-remote"), run.ran("fetch")) == (kind != "commit", 1)
    assert sorted(path.name for path in folder.iterdir()) == ["Dockerfile", "link", "run", "text"]
    assert (folder / "run").stat().st_mode & 0o100
    assert (folder / "link").is_symlink()
    assert "url" not in (cache / "config").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"shop.git", "work", "cache", "out"}


def test_a_commit_that_no_name_leads_to_any_more_is_fetched_all_the_same(tmp_path: Path, origin: Origin) -> None:
    old = origin.commit("one")
    origin.git("commit", "--quiet", "--amend", "--message", "two")
    origin.git("push", "--quiet", "--force", str(origin.bare), "HEAD:main")
    _git.fetch(Runner(), _git.Repository(f"file://{origin.bare}", old), old, tmp_path / "git", _git.ENVIRONMENT)


def test_a_clone_that_was_left_half_done_is_made_anew(tmp_path: Path, origin: Origin) -> None:
    source, cache = _git.Repository(str(origin.bare), "main"), tmp_path / "cache" / "git"
    _git.fetch(Runner(), source, origin.commit("one"), cache, _git.ENVIRONMENT)
    (cache / "shallow.lock").touch()
    (cache / "config").write_text("[core")
    _git.fetch(Runner(), source, origin.commit("two"), cache, _git.ENVIRONMENT)


def test_what_is_not_there_is_named_with_what_to_do(tmp_path: Path, origin: Origin) -> None:
    commit = origin.commit("one")
    for revision, advice in (("v9", "correct django_git_revision"), (commit[:8], "give all 40 digits")):
        with pytest.raises(_git.GitError, match=f"has no branch or tag '{revision}'.*{advice}"):
            _git.resolve(Runner(), _git.Repository(str(origin.bare), revision), _git.ENVIRONMENT)
    source = _git.Repository(str(origin.bare), "0" * 40)
    with pytest.raises(_git.GitError, match=r"has no commit 0{40} on any branch or tag"):
        _git.fetch(Runner(), source, "0" * 40, tmp_path / "cache" / "git", _git.ENVIRONMENT)
    with pytest.raises(_git.GitError, match="check django_git_repository"):
        _git.resolve(Runner(), _git.Repository(str(tmp_path / "nowhere"), "main"), _git.ENVIRONMENT)
    _git.fetch(Runner(), _git.Repository(str(origin.bare), commit), commit, tmp_path / "git", _git.ENVIRONMENT)
    (tmp_path / "out").mkdir()
    with pytest.raises(_git.GitError, match=r"django_git_subdirectory 'nope'.*correct it"):
        _git.export(Runner(), _git.Repository("x", "x", "nope"), commit, tmp_path / "git", tmp_path / "out")


def test_submodules_are_refused(tmp_path: Path, origin: Origin) -> None:
    (origin.work / ".gitmodules").write_text('[submodule "x"]\n')
    commit = origin.commit("one")
    source = _git.Repository(str(origin.bare), commit)
    _git.fetch(Runner(), source, commit, tmp_path / "git", _git.ENVIRONMENT)
    (tmp_path / "out").mkdir()
    with pytest.raises(_git.GitError, match=r"has submodules \(.gitmodules at"):
        _git.export(Runner(), source, commit, tmp_path / "git", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_credentials_are_files_of_their_owner_that_go_away(tmp_path: Path) -> None:
    source = _git.Repository("https://x", "v1", "", "me", HUSH, f"KEY {HUSH}", "git.example.com ssh-ed25519 AAAA")
    with _git.credentials(source, str(tmp_path)) as env:
        (folder,) = tmp_path.iterdir()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert modes == {"username": 0o600, "token": 0o600, "askpass": 0o700, "key": 0o600, "known_hosts": 0o600}
        assert HUSH not in str(env)
        answers = [
            subprocess.run([env["GIT_ASKPASS"], question], capture_output=True, text=True, check=True).stdout
            for question in ("Username for 'https://x': ", "Password for 'https://me@x': ")
        ]
        assert answers == ["me", HUSH]
        assert (folder / "key").read_text() == f"KEY {HUSH}\n"
        for part in ("StrictHostKeyChecking=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={folder}/known_hosts"):
            assert part in env["GIT_SSH_COMMAND"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("output", "part"),
    [
        ("Host key verification failed.\nfatal: Could not read from remote repository.", "django_git_known_hosts"),
        ("git@x: Permission denied (publickey).", "django_git_ssh_key or django_git_token"),
        ("fatal: Authentication failed for 'https://x/'", "django_git_token"),
        ("fatal: unable to access 'https://x/': Could not resolve host: x", "reaches it"),
    ],
)
def test_advice(output: str, part: str) -> None:
    assert part in _git.read_advice(output)
