# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A build context out of a git repository: a name becomes a commit once, and the commit decides everything after it.

The clone is bare and only a cache: it can be removed at any time. No credential is ever in a URL, on a command line or in a
file that outlives the call.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from ansible_collections.barehost.django.plugins.module_utils import _source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# (argv, additions to the environment, standard input) -> exit code, output, errors
Runner = Callable[["list[str]", "Mapping[str, str]", "str | None"], "tuple[int, str, str]"]

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
SHORTENED = re.compile(r"[0-9a-f]{7,39}")
REVISION = re.compile(r"(?!-)[^\s~^:?*\[\\\x00-\x1f\x7f]+")
PASSWORD_IN_URL = re.compile(r"[a-z+]+://[^/@]*:[^/@]*@")
# A connection that stands still ends; `ext::` and other transports that start programs are never followed.
OPTIONS = ("-c", "credential.helper=", "-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60")
ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh", "LC_ALL": "C"}
DETAIL = 1500


class GitError(RuntimeError):
    """A repository from which no build context can be made."""


@dataclass(frozen=True)
class Repository:
    """Where the source is, and what of it is meant."""

    url: str
    revision: str
    subdirectory: str = ""
    username: str = ""
    token: str = ""
    ssh_key: str = ""
    known_hosts: str = ""


def problems(repository: str, revision: str, subdirectory: str, *, token: bool) -> list[str]:
    """Judge what names a source in git, without ever showing a URL that holds a password."""
    found = []
    if PASSWORD_IN_URL.match(repository):
        found.append("repository holds a password (value not shown): take it out, and give it as the token")
    elif re.match(r"-|\s", repository) or "::" in repository.split("/", 1)[0]:
        found.append(f"repository {repository!r} is no URL or path that git is allowed to fetch from")
    elif token and not repository.startswith("https://"):
        found.append(f"repository {repository!r} is not https, and a token only goes over https: use https, or a key")
    if not revision:
        found.append("revision is empty: name a commit, a tag or a branch")
    elif not REVISION.fullmatch(revision) or ".." in revision:
        found.append(f"revision {revision!r} is no name of a commit, a tag or a branch")
    if subdirectory.startswith("/") or ".." in subdirectory.split("/"):
        found.append(f"subdirectory {subdirectory!r} must be a path inside of the repository")
    return found


def ls_remote_cmd(url: str, revision: str) -> list[str]:
    """Return the argv that asks a repository what a name means; `^{}` is the commit that a tag with a message names."""
    return ["git", *OPTIONS, "ls-remote", "--", url, revision, f"{revision}^{{}}"]


def git_dir_cmd(cache: str, *words: str) -> list[str]:
    """Return the argv of a command on the clone."""
    return ["git", *OPTIONS, "--git-dir", cache, *words]


def fetch_cmds(cache: str, url: str, commit: str) -> list[list[str]]:
    """Return the ways to fetch a commit, the cheap one first: not every server hands out a commit that no name leads to."""
    return [
        git_dir_cmd(cache, "fetch", "--quiet", "--no-tags", "--depth", "1", "--", url, commit),
        git_dir_cmd(
            cache, "fetch", "--quiet", "--no-tags", "--", url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"
        ),
    ]


def archive_cmd(cache: str, commit: str, subdirectory: str, file: str) -> list[str]:
    """Return the argv that writes a tree of a commit as a tar archive."""
    folder = subdirectory.strip("/")
    return git_dir_cmd(cache, "archive", "--format=tar", "--output", file, f"{commit}:{folder}" if folder else commit)


def parse_ls_remote(answer: str, revision: str) -> str:
    """Return the commit that a name means, or an empty text; a tag goes before a branch of the same name, as in git."""
    found = {}
    for line in answer.splitlines():
        commit, _tab, ref = line.partition("\t")
        if COMMIT.fullmatch(commit):
            found[ref] = commit
    for ref in (f"refs/tags/{revision}^{{}}", f"refs/tags/{revision}", f"refs/heads/{revision}", revision):
        if ref in found:
            return found[ref]
    return ""


def read_advice(output: str) -> str:
    """Say what to do about a repository that could not be read."""
    if "Host key verification failed" in output:
        return "its host key is not known; put the line of ssh-keyscan, once compared, into django_git_known_hosts."
    if "Permission denied" in output or "Authentication failed" in output or "could not read Username" in output:
        return "it wants a login or refuses this one; check django_git_ssh_key or django_git_token."
    if "dubious ownership" in output:
        return "a local repository must belong to the user who deploys (root)."
    if "does not exist" in output or "not found" in output or "does not appear to be a git repository" in output:
        return "check django_git_repository, and whether this key or token may read it."
    return "see whether the host reaches it."


@contextlib.contextmanager
def credentials(repository: Repository, tmpdir: str) -> Iterator[dict[str, str]]:
    """Lay out what git needs to log in, in files that go away, and yield the environment that names them."""
    with tempfile.TemporaryDirectory(prefix="git-", dir=tmpdir) as name:
        folder = Path(name)
        env = dict(ENVIRONMENT)
        if repository.token:
            login = _write(folder / "username", repository.username), _write(folder / "token", repository.token)
            script = _write(folder / "askpass", _askpass(*login))
            Path(script).chmod(0o700)
            env["GIT_ASKPASS"] = script
        ssh = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "StrictHostKeyChecking=yes"]
        if repository.ssh_key:
            key = _write(folder / "key", repository.ssh_key.rstrip() + "\n")
            ssh += ["-i", key, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]
        if repository.known_hosts:
            hosts = _write(folder / "known_hosts", repository.known_hosts.rstrip() + "\n")
            ssh += ["-o", f"UserKnownHostsFile={hosts}", "-o", "GlobalKnownHostsFile=/dev/null"]
        env["GIT_SSH_COMMAND"] = shlex.join(ssh)
        yield env


def _askpass(username: str, token: str) -> str:
    return f'#!/bin/sh\ncase "$1" in Username*) cat {shlex.quote(username)} ;; *) cat {shlex.quote(token)} ;; esac\n'


def _write(path: Path, text: str) -> str:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return str(path)


def resolve(run: Runner, repository: Repository, env: Mapping[str, str]) -> str:
    """Return the commit that the revision means now; a full commit id is one already, and nobody is asked."""
    if COMMIT.fullmatch(repository.revision):
        return repository.revision
    code, out, err = run(ls_remote_cmd(repository.url, repository.revision), env, None)
    if code != 0:
        raise GitError(_explain(f"asking {repository.url} for {repository.revision}", code, err or out))
    commit = parse_ls_remote(out, repository.revision)
    if not commit:
        short = SHORTENED.fullmatch(repository.revision)
        advice = "give all 40 digits of the commit" if short else "correct django_git_revision, or push it first"
        raise GitError(
            f"{repository.url} has no branch or tag {repository.revision!r}; the release that serves is untouched: {advice}."
        )
    return commit


def fetch(run: Runner, repository: Repository, commit: str, cache: Path, env: Mapping[str, str]) -> None:
    """Have a commit in the clone, which is made anew where it does not work any more."""
    there = (cache / "HEAD").exists()
    if there and _has(run, cache, f"{commit}^{{commit}}"):
        return
    error = _try_fetch(run, repository, commit, cache, env)
    if error and there:
        # A run that was killed may have left a lock or half an object; nothing in a clone is worth a repair.
        shutil.rmtree(cache, ignore_errors=True)
        error = _try_fetch(run, repository, commit, cache, env)
    if error:
        raise GitError(error)


def _try_fetch(run: Runner, repository: Repository, commit: str, cache: Path, env: Mapping[str, str]) -> str:
    cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    code, out, err = run(["git", "init", "--quiet", "--bare", "--template=", str(cache)], ENVIRONMENT, None)
    if code != 0:
        return _explain(f"making the clone {cache}", code, err or out)
    for argv in fetch_cmds(str(cache), repository.url, commit):
        code, out, err = run(argv, env, None)
        if code == 0 and _has(run, cache, f"{commit}^{{commit}}"):
            return ""
    if code != 0:
        return _explain(f"fetching {commit} from {repository.url}", code, err or out)
    return (
        f"{repository.url} has no commit {commit} on any branch or tag; the release that serves is untouched: "
        "correct django_git_revision, or push it first."
    )


def export(run: Runner, repository: Repository, commit: str, cache: Path, folder: Path) -> None:
    """Write the files of a commit into an empty folder."""
    if _has(run, cache, f"{commit}:.gitmodules"):
        raise GitError(
            f"{repository.url} has submodules (.gitmodules at {commit[:12]}), which are not fetched: bring their files into "
            "the repository, or build elsewhere and set django_image."
        )
    with tempfile.TemporaryDirectory(prefix="archive-", dir=folder.parent) as name:
        file = str(Path(name) / "source.tar")
        code, out, err = run(archive_cmd(str(cache), commit, repository.subdirectory, file), ENVIRONMENT, None)
        if code != 0:
            what = f"django_git_subdirectory {repository.subdirectory!r}" if repository.subdirectory else "the source"
            advice = "correct it." if repository.subdirectory else "see what git says."
            raise GitError(_explain(f"taking {what} out of {commit[:12]}", code, err or out, advice))
        with tarfile.open(file) as archive:
            _source.unpack(archive, str(folder))


def _has(run: Runner, cache: Path, name: str) -> bool:
    code, _out, _err = run(git_dir_cmd(str(cache), "cat-file", "-e", name), ENVIRONMENT, None)
    return code == 0


def _explain(what: str, code: int, output: str, advice: str = "") -> str:
    text = output.strip()
    return f"{what} failed (exit {code}); the release that serves is untouched: {advice or read_advice(text)}\n{text[-DETAIL:]}"
