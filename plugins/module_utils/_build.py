# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps that make an image be there: build, push, pull. The same on the host and on the controller."""

from __future__ import annotations

import contextlib
import math
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _compose, _image

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible_collections.barehost.django.plugins.module_utils._git import Runner

BUILDKIT = {"DOCKER_BUILDKIT": "1"}
# What may take long, by the word that says what is done.
SLOW = ("build", "pull", "push", "login", "manifest", "fetch", "ls-remote", "archive")


class ImageError(RuntimeError):
    """An image that could not be made or had."""


class Deadline:
    """The moment by which everything on one machine must be done."""

    def __init__(self, seconds: int) -> None:
        """Begin now."""
        self.seconds = seconds
        self.end = time.monotonic() + seconds

    def rest(self) -> int:
        """Return the seconds that are left, and one for whoever comes too late: to be refused by its own limit."""
        return max(1, math.ceil(self.end - time.monotonic()))

    def over(self) -> bool:
        """Whether nothing is left."""
        return time.monotonic() >= self.end

    def late(self, argv: Sequence[str], output: str) -> ImageError:
        """Return the error of a command that was stopped."""
        verb = next((word for word in argv if word in SLOW), argv[1])
        return ImageError(
            _image.with_output(
                f"`{argv[0]} {verb}` was stopped, the image was not there within {self.seconds} s; the release that serves is "
                "untouched: see what it waits for, or raise release_image_timeout_seconds.",
                output,
            )
        )


def inspect(run: Runner, reference: str) -> _image.Image | None:
    """Return what the engine knows of an image, or None where it is missing."""
    code, out, _err = run(_compose.image_cmd([reference]), {}, None)
    return _image.parse_image(out) if code == 0 else None


def labelled(run: Runner, release_id: str) -> _image.Image | None:
    """Return the image that was built for a release and has lost its name; containers that run keep it on the disk."""
    code, out, _err = run(_image.labelled_cmd(release_id), {}, None)
    ids = out.split() if code == 0 else []
    return inspect(run, ids[0]) if ids else None


def build(run: Runner, image: str, plan: _image.Build, context: str, tmpdir: str) -> None:
    """Build an image from a folder; the secrets live in files beside it and only as long as the build."""
    if not Path(context, plan.dockerfile).is_file():
        missing = f"the source has no {plan.dockerfile}; the release that serves is untouched"
        raise ImageError(f"{missing}: add one, or name it in django_dockerfile.")
    with tempfile.TemporaryDirectory(prefix="secrets-", dir=tmpdir) as folder:
        files = {}
        for name, content in plan.secrets.items():
            path = Path(folder) / name
            path.touch(mode=0o600)
            path.write_text(content, encoding="utf-8")
            files[name] = str(path)
        code, out, err = run(_image.build_cmd(image, plan, context, files), BUILDKIT, None)
    if code != 0:
        output = err or out
        raise ImageError(_image.explain(f"building {image}", code, output, _image.build_advice(output)))


@contextlib.contextmanager
def logged_in(run: Runner, reference: str, username: str, password: str, tmpdir: str) -> Iterator[dict[str, str]]:
    """Log in to the registry of a reference for as long as the block; without a name the engine's own login counts."""
    if not username:
        yield {}
        return
    registry = _image.registry_of(reference)
    with tempfile.TemporaryDirectory(prefix="docker-", dir=tmpdir) as folder:
        env = {"DOCKER_CONFIG": folder}
        code, out, err = run(_image.login_cmd(registry, username), env, password)
        if code != 0:
            advice = f"check django_registry_username {username!r} and its password."
            raise ImageError(_image.explain(f"logging in to {registry}", code, err or out, advice))
        yield env


def pull(run: Runner, reference: str, env: Mapping[str, str]) -> _image.Image:
    """Pull an image; what is there already is not transferred again."""
    code, out, err = run(_image.pull_cmd(reference), env, None)
    if code != 0:
        output = err or out
        advice = _image.pull_advice(output, _image.registry_of(reference))
        raise ImageError(_image.explain(f"pulling {reference}", code, output, advice))
    image = inspect(run, reference)
    if image is None:
        raise ImageError(f"the engine pulled {reference} and does not know it; look at `docker image ls` on the host.")
    return image


def adopt(run: Runner, reference: str, target: str, *, keep: bool) -> None:
    """Give a pulled image the name that releases have, and take away the one it came with unless it was there before.

    With both names an old release would never leave the disk: only ours is pruned.
    """
    code, out, err = run(_image.tag_cmd(reference, target), {}, None)
    if code != 0:
        raise ImageError(_image.explain(f"tagging {reference} as {target}", code, err or out, "see what Docker says."))
    if not keep:
        forget(run, reference)


def forget(run: Runner, reference: str) -> None:
    """Take a name from an image; one that stays behind costs space and breaks nothing."""
    run(_image.untag_cmd(reference), {}, None)


def _manifest(run: Runner, reference: str, env: Mapping[str, str], *, verbose: bool) -> tuple[int, str]:
    _code, answer, _err = run(_image.registries_cmd(), {}, None)
    insecure = _image.is_insecure(_image.registry_of(reference), answer)
    code, out, _err = run(_image.manifest_cmd(reference, insecure=insecure, verbose=verbose), env, None)
    return code, out


def published(run: Runner, reference: str, env: Mapping[str, str]) -> bool:
    """Whether a registry has an image."""
    return _manifest(run, reference, env, verbose=False)[0] == 0


def remote_digests(run: Runner, reference: str, env: Mapping[str, str]) -> set[str]:
    """Return the digests of an image in its registry; nothing where it gives no answer."""
    code, out = _manifest(run, reference, env, verbose=True)
    return _image.manifest_digests(out) if code == 0 else set()


def push(run: Runner, reference: str, env: Mapping[str, str]) -> None:
    """Push an image."""
    code, out, err = run(_image.push_cmd(reference), env, None)
    if code != 0:
        output = err or out
        advice = _image.pull_advice(output, _image.registry_of(reference))
        raise ImageError(_image.explain(f"pushing {reference}", code, output, advice))
