# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images: what names them, the command lines that make and move them, and what the engine and registries answer.

Nothing here runs anything, and no command line here holds a secret: passwords go through standard input, the rest through
files that only their owner can read.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ID_LENGTH = 12
# What a dry run calls a release whose name only a clone or a pull would tell.
UNKNOWN_ID = "not-known-yet"
DOCKER_HUB = "docker.io"
LABEL_RELEASE = "barehost.django.release"
LABEL_REVISION = "org.opencontainers.image.revision"
SECRET_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?"
_REPOSITORY = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*")
_REFERENCE = re.compile(
    rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
DETAIL = 3000


def git_id(commit: str, subdirectory: str, dockerfile: str, build_args: Mapping[str, object]) -> str:
    """Return the id of a release that is built from a commit: everything that decides what the image will be."""
    inputs = {
        "commit": commit,
        "subdirectory": subdirectory.strip("/"),
        "dockerfile": dockerfile,
        "build_args": {name: str(value) for name, value in build_args.items()},
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:ID_LENGTH]


def image_id(digest: str) -> str:
    """Return the id of a release that is a ready image: the first digits of the image's own id."""
    return digest.rpartition(":")[2][:ID_LENGTH]


def reference_problem(reference: str) -> str | None:
    """Say what is wrong with the name of a ready image, or None."""
    if "://" in reference:
        return "leave out the scheme"
    if _REFERENCE.fullmatch(reference):
        return None
    return "expected [registry/]name[:tag][@sha256:<64 digits>], the name in small letters"


def repository_problem(repository: str) -> str | None:
    """Say what is wrong with the name of a repository to push to, or None: it carries no tag, the release is the tag."""
    if "://" in repository:
        return "leave out the scheme"
    if not _REPOSITORY.fullmatch(repository):
        return "expected registry/name without tag or digest, the name in small letters"
    if registry_of(repository) == DOCKER_HUB and "/" not in repository:
        return "a name without a slash is nobody's on Docker Hub: put the account or the registry before it"
    return None


def registry_of(reference: str) -> str:
    """Return the registry of a reference, as the engine reads it: a first part with a dot or a port, or localhost."""
    first, slash, _rest = reference.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else DOCKER_HUB


def is_pinned(reference: str) -> bool:
    """Whether a reference names its content, so that no registry has to be asked what it means."""
    return "@sha256:" in reference


@dataclass(frozen=True)
class Build:
    """What an image is built from, beside the files of its context."""

    dockerfile: str = "Dockerfile"
    build_args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)  # id -> content

    def labelled(self, release_id: str, revision: str) -> Build:
        """Return the same with the labels that only the one who builds knows."""
        labels = {**self.labels, LABEL_RELEASE: release_id}
        if revision:
            labels[LABEL_REVISION] = revision
        return Build(self.dockerfile, self.build_args, labels, self.secrets)


def build_cmd(image: str, build: Build, context: str, secret_files: Mapping[str, str]) -> list[str]:
    """Return the argv that builds an image; secret_files maps the id of a secret to the file that holds it."""
    argv = ["docker", "build", "--progress", "plain", "--tag", image, "--file", f"{context}/{build.dockerfile}"]
    for name, value in sorted(build.build_args.items()):
        argv += ["--build-arg", f"{name}={value}"]
    for name, value in sorted(build.labels.items()):
        argv += ["--label", f"{name}={value}"]
    for name, path in sorted(secret_files.items()):
        argv += ["--secret", f"id={name},src={path}"]
    return [*argv, context]


def secret_problem(name: str) -> str | None:
    """Say what is wrong with the id of a build secret, which stands between commas and names a file."""
    return (
        None if SECRET_ID.fullmatch(name) else f"build secret {name!r}: its id may hold letters, digits and _ . - only"
    )


def pull_cmd(reference: str) -> list[str]:
    """Return the argv that pulls an image."""
    return ["docker", "pull", "--quiet", reference]


def push_cmd(reference: str) -> list[str]:
    """Return the argv that pushes an image."""
    return ["docker", "push", "--quiet", reference]


def labelled_cmd(release_id: str) -> list[str]:
    """Return the argv that lists the ids of the images that were built for a release."""
    return ["docker", "image", "ls", "--quiet", "--no-trunc", "--filter", f"label={LABEL_RELEASE}={release_id}"]


def tag_cmd(source: str, target: str) -> list[str]:
    """Return the argv that gives an image a further name."""
    return ["docker", "tag", source, target]


def untag_cmd(reference: str) -> list[str]:
    """Return the argv that takes a name from an image; the image stays as long as it has another one."""
    return ["docker", "image", "rm", "--no-prune", reference]


def login_cmd(registry: str, username: str) -> list[str]:
    """Return the argv that logs in to a registry with a password from standard input."""
    # Under any other name the client would not find the credentials of Docker Hub again.
    where = [] if registry == DOCKER_HUB else [registry]
    return ["docker", "login", "--username", username, "--password-stdin", *where]


def manifest_cmd(reference: str, *, insecure: bool = False, verbose: bool = False) -> list[str]:
    """Return the argv that asks a registry for the manifest of an image without pulling it."""
    flags = (["--insecure"] if insecure else []) + (["--verbose"] if verbose else [])
    return ["docker", "manifest", "inspect", *flags, reference]


def registries_cmd() -> list[str]:
    """Return the argv that asks the engine which registries it speaks to without TLS."""
    return ["docker", "info", "--format", "{{json .RegistryConfig}}"]


def is_insecure(registry: str, answer: str) -> bool:
    """Whether the engine speaks to a registry without TLS: what it does itself, and no more, is asked of its client."""
    try:
        config = json.loads(answer) or {}
    except ValueError:
        return False
    entry = (config.get("IndexConfigs") or {}).get(registry)
    if entry:
        return entry.get("Secure") is False
    host = re.sub(r":[0-9]+$", "", registry).strip("[]")
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(cidr) for cidr in config.get("InsecureRegistryCIDRs") or [])


def manifest_digests(answer: str) -> set[str]:
    """Return every digest by which the engine may know the image: of its manifest and, for older engines, its config."""
    try:
        content = json.loads(answer)
    except ValueError:
        return set()
    digests = set()
    for item in content if isinstance(content, list) else [content]:
        digests.add((item.get("Descriptor") or {}).get("digest", ""))
        for kind in ("SchemaV2Manifest", "OCIManifest"):
            digests.add(((item.get(kind) or {}).get("config") or {}).get("digest", ""))
    return digests - {""}


@dataclass(frozen=True)
class Image:
    """What the engine says of one image."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def named(self, digests: set[str]) -> bool:
        """Whether one of these digests is this image's."""
        own = {self.id, *(digest.partition("@")[2] for digest in self.digests)}
        return bool(own & digests)


def parse_image(answer: str) -> Image | None:
    """Read the answer of `docker image inspect` for one image."""
    items: list[dict[str, Any]] = json.loads(answer or "[]")
    if not items:
        return None
    item = items[0]
    return Image(
        id=item["Id"],
        tags=tuple(item.get("RepoTags") or ()),
        digests=tuple(item.get("RepoDigests") or ()),
        labels=(item.get("Config") or {}).get("Labels") or {},
    )


def explain(what: str, code: int, output: str, advice: str) -> str:
    """Return an error: one line with what failed and what to do, then the end of what the program said."""
    return with_output(f"{what} failed (exit {code}); the release that serves is untouched: {advice}", output)


def with_output(line: str, output: str) -> str:
    """Return a line, and below it the end of what a program said, if it said anything."""
    text = output.strip()
    return f"{line}\nThe end of the output:\n{text[-DETAIL:]}" if text else line


def pull_advice(output: str, registry: str) -> str:
    """Say what to do about a registry that gave no image."""
    text = output.lower()
    # Docker Hub answers "denied" for what does not exist, too.
    if any(
        word in text for word in ("unauthorized", "denied", "authentication required", "no basic auth", "forbidden")
    ):
        return (
            f"{registry} wants a login or refuses this one; check the name, django_registry_username and its password."
        )
    if any(word in text for word in ("manifest unknown", "not found", "name unknown", "no such manifest")):
        return f"{registry} has no image of that name and tag or digest; correct the name, or push it first."
    if "no space left" in text:
        return "the disk is full; free some space."
    return f"see whether the host reaches {registry}."


def build_advice(output: str) -> str:
    """Say what to do about a build that failed."""
    text = output.lower()
    if "no space left" in text:
        return "the disk is full; free some space."
    if "buildx" in text and "missing or broken" in text:
        return "the Docker client has no buildx; on a host bootstrap installs it, on the controller you do."
    return "mend what the last lines say."
