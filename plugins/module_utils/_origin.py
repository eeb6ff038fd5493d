# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the image of a release comes from: a folder of the controller, a git repository, a registry.

Whatever the origin, the image has the name that releases have when this is done, and what served is untouched.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _build, _git, _image, _release, _source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

SOURCE = "source"


@dataclass(frozen=True)
class Outcome:
    """What the host has, or would have."""

    release_id: str
    image: str
    found: _image.Image | None = None
    action: str = ""  # build | pull | tag
    revision: str = ""
    msg: str = ""
    seconds: float = 0.0  # what that took
    needs: str = ""  # context | push: what the controller has to do first


class Origin:
    """One search for the image of a release."""

    def __init__(
        self, run: _git.Runner, params: Mapping[str, Any], tmpdir: str, programs: frozenset[str], *, check: bool
    ) -> None:
        """Keep what every step needs: how commands run, what is asked for, and which programs the host has."""
        self.run = run
        self.params = params
        self.tmpdir = tmpdir
        self.programs = programs
        self.check = check
        self.folder = Path(params["project_dir"]) / SOURCE
        self.build = _image.Build(
            params["dockerfile"],
            {name: str(value) for name, value in params["build_args"].items()},
            params["labels"],
            {name: str(value) for name, value in params["build_secrets"].items()},
        )

    def find(self) -> Outcome:
        """Return the release and its image, which is on the host then; in a dry run, what would be done for it."""
        for problem in filter(None, map(_image.secret_problem, self.build.secrets)):
            raise _build.ImageError(problem)
        started = time.monotonic()
        road = self.from_path if self.params["source"] else self.from_git if self.params["git"] else self.from_registry
        return replace(road(), seconds=round(time.monotonic() - started, 1))

    @property
    def asks_first(self) -> bool:
        """Whether the controller may have to do its part before anything is built or pulled here."""
        return bool(self.params["source"]) and self.params["context"] is None and not self.params["pushed"]

    def has(self, program: str) -> bool:
        """Whether a program is there; that it is not is an error, but in a dry run before bootstrap."""
        if program in self.programs:
            return True
        if self.check:
            return False
        raise _build.ImageError(f"the host has no {program}; run the playbook bootstrap, which installs it.")

    def named(self, release_id: str, **known: Any) -> Outcome:  # noqa: ANN401 - what Outcome takes
        """Return what is there of a release whose id is known."""
        image = f"{self.params['repository']}:{release_id}"
        found = _build.inspect(self.run, image) if "docker" in self.programs else None
        return Outcome(release_id, image, found, **known)

    def made(self, release_id: str, **known: Any) -> Outcome:  # noqa: ANN401 - as above
        """As named, for a release that is built here: an image that has only lost its name is given it again."""
        outcome = self.named(release_id, **known)
        found = None if outcome.found or "docker" not in self.programs else _build.labelled(self.run, release_id)
        if found is None:
            return outcome
        if not self.check:
            _build.adopt(self.run, found.id, outcome.image, keep=True)
        return replace(outcome, found=found, action="tag")

    def from_path(self) -> Outcome:
        """Build the folder that the action plugin sent, or pull what it pushed."""
        outcome = self.made(self.params["release_id"], revision=self.params["revision"])
        if outcome.found:
            return outcome
        remote = f"{self.params['push_to']}:{outcome.release_id}" if self.params["push_to"] else ""
        if self.check:
            msg = f"the controller would build and push it to {remote}" if remote else ""
            return replace(outcome, action="pull" if remote else "build", msg=msg)
        self.has("docker")
        # The action plugin packs and sends, or builds and pushes, only once it is known to be needed.
        if remote and not self.params["pushed"]:
            return replace(outcome, needs="push")
        if not remote and self.params["context"] is None:
            return replace(outcome, needs="context")
        if remote:
            return replace(outcome, found=self.pull(remote, outcome.image), action="pull")
        with tempfile.TemporaryDirectory(prefix="context-", dir=self.tmpdir) as folder:
            with tarfile.open(self.params["context"]) as archive:
                _source.unpack(archive, folder)
            return self.built(outcome, folder)

    def from_git(self) -> Outcome:
        """Resolve the revision, and build its commit where its image is missing."""
        given = {name: value or "" for name, value in self.params["git"].items()}
        given["url"] = given.pop("repository")
        login = {name: self.params[f"git_{name}"] or "" for name in ("token", "ssh_key")}
        source = _git.Repository(**given, **login)
        problems = _git.problems(source.url, source.revision, source.subdirectory, token=bool(source.token))
        if problems:
            raise _git.GitError("; ".join(problems))
        if not self.has("git"):
            return self.unknown("build", "git is not installed on the host yet, bootstrap does it")
        with _git.credentials(source, self.tmpdir) as env:
            commit = _git.resolve(self.run, source, env)
            release_id = _image.git_id(commit, source.subdirectory, self.build.dockerfile, self.build.build_args)
            outcome = self.made(release_id, revision=commit)
            if outcome.found:
                return outcome
            if self.check:
                return replace(outcome, action="build")
            self.has("docker")
            self.prepare()
            cache = self.folder / "git"
            _git.fetch(self.run, source, commit, cache, env)
        with tempfile.TemporaryDirectory(prefix="context-", dir=self.tmpdir) as name:
            folder = Path(name) / "source"
            folder.mkdir()
            _git.export(self.run, source, commit, cache, folder)
            return self.built(outcome, str(folder))

    def from_registry(self) -> Outcome:
        """Pull a ready image, and name the release after it."""
        reference = self.params["reference"]
        problem = _image.reference_problem(reference)
        if problem:
            raise _build.ImageError(f"the image {reference!r} is not usable: {problem}.")
        if not self.has("docker"):
            return self.unknown("pull", "Docker is not installed on the host yet, bootstrap does it")
        pinned = self.folder / "pinned.json"
        known = _release.read_record(pinned) or {}
        if _image.is_pinned(reference) and reference in known:
            outcome = self.named(_image.image_id(known[reference]))
            if outcome.found and outcome.found.id == known[reference]:
                return self.labelled(outcome)
        if self.check:
            return self.foreseen(reference)
        local = _build.inspect(self.run, reference)
        with self.login(reference) as env:
            image = _build.pull(self.run, reference, env)
        outcome = self.named(_image.image_id(image.id))
        if not outcome.found:
            outcome = replace(outcome, action="pull")
        _build.adopt(self.run, reference, outcome.image, keep=local is not None)
        if _image.is_pinned(reference):
            self.prepare()
            _release.write_text(pinned, json.dumps({**known, reference: image.id}, indent=2) + "\n", 0o600)
        return self.labelled(replace(outcome, found=image))

    def foreseen(self, reference: str) -> Outcome:
        """Say in a dry run whether the image of a reference is one that the host has."""
        with self.login(reference) as env:
            digests = _build.remote_digests(self.run, reference, env)
        for digest in sorted(digests):
            outcome = self.named(_image.image_id(digest))
            if outcome.found and outcome.found.named(digests):
                return self.labelled(outcome)
        return self.unknown("pull", f"{reference} is not on the host" if digests else "its registry gave no answer")

    def unknown(self, action: str, reason: str) -> Outcome:
        """Return what a dry run can say of a release without a name."""
        image = f"{self.params['repository']}:{_image.UNKNOWN_ID}"
        return Outcome(
            _image.UNKNOWN_ID, image, action=action, msg=f"{reason}: the release id is known after the {action}"
        )

    def labelled(self, outcome: Outcome) -> Outcome:
        """Take the revision from where the builder of a ready image left it."""
        labels = outcome.found.labels if outcome.found else {}
        return replace(outcome, revision=labels.get(_image.LABEL_REVISION, ""))

    def built(self, outcome: Outcome, folder: str) -> Outcome:
        """Build the image of a release."""
        plan = self.build.labelled(outcome.release_id, outcome.revision)
        _build.build(self.run, outcome.image, plan, folder, self.tmpdir)
        return replace(outcome, found=_build.inspect(self.run, outcome.image), action="build")

    def pull(self, reference: str, target: str) -> _image.Image:
        """Pull an image under the name that releases have."""
        with self.login(reference) as env:
            image = _build.pull(self.run, reference, env)
        _build.adopt(self.run, reference, target, keep=False)
        return image

    def login(self, reference: str) -> AbstractContextManager[dict[str, str]]:
        """Log in to the registry of a reference for a moment."""
        username, password = self.params["registry_username"] or "", self.params["registry_password"] or ""
        return _build.logged_in(self.run, reference, username, password, self.tmpdir)

    def prepare(self) -> None:
        """Have the directories that outlive the call."""
        self.folder.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
