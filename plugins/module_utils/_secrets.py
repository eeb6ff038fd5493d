# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets of a stack: which are kept, which are made, which are refused. One file each, no line break at its end."""

from __future__ import annotations

import os
import re
import secrets
import stat
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ansible_collections.barehost.django.plugins.module_utils import _files, _recover

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
LENGTH = 50
SHORTEST = 16
LONGEST = 512
FEWEST_CHARACTERS = 10
NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
KEYS = {"value", "length", "alphabet", "volume", "copies", "fixed"}
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600

Action = Literal["keep", "attributes", "create", "update", "restore"]


class SecretError(ValueError):
    """A secret that cannot be used; the message holds its name, never its value."""


@dataclass(frozen=True)
class Wish:
    """What the variables say of one secret."""

    name: str
    value: str = ""
    length: int = LENGTH
    alphabet: str = ALPHABET
    volume: str = ""
    copies: tuple[_recover.Copy, ...] = ()

    @classmethod
    def read(cls, name: str, spec: Any) -> Wish:  # noqa: ANN401 - whatever an inventory holds
        """Check one entry of the module's parameter."""
        if not NAME.match(name):
            raise SecretError(f"the name {name!r} is none: small letters, digits and _, a letter first")
        if not isinstance(spec, dict) or set(spec) - KEYS:
            raise SecretError(f"{name}: expected a mapping with {', '.join(sorted(KEYS))}")
        alphabet = spec.get("alphabet") or ALPHABET
        if not isinstance(alphabet, str) or len(set(alphabet)) < FEWEST_CHARACTERS or _flaw(alphabet):
            raise SecretError(
                f"{name}: the alphabet must be at least {FEWEST_CHARACTERS} different printable characters"
            )
        try:
            copies = _recover.read_copies(spec.get("copies"))
        except ValueError as error:
            raise SecretError(f"{name}: {error}") from None
        volume = str(spec.get("volume") or "")
        return cls(name, _given(name, spec.get("value")), _length(name, spec.get("length")), alphabet, volume, copies)

    def generate(self) -> str:
        """Make a value."""
        return "".join(secrets.choice(self.alphabet) for _ in range(self.length))


def _given(name: str, value: Any) -> str:  # noqa: ANN401 - whatever an inventory holds
    """Return the given value; an empty text where there is none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise SecretError(f"{name}: the value is a {type(value).__name__} and not text: put it in quotes")
    flaw = _flaw(value)
    if flaw:
        raise SecretError(f"{name}: the value {flaw}")
    return value


def _length(name: str, length: Any) -> int:  # noqa: ANN401 - whatever an inventory holds
    if length is None:
        return LENGTH
    try:
        number = int(length)
    except (TypeError, ValueError):
        number = 0
    if not SHORTEST <= number <= LONGEST:
        raise SecretError(f"{name}: length {length!r} is not within {SHORTEST} to {LONGEST}")
    return number


def _flaw(text: str) -> str | None:
    """Say why a text cannot be the one line of a file."""
    for position, char in enumerate(text, 1):
        category = unicodedata.category(char)
        if category == "Cc":
            return f"holds the control character U+{ord(char):04X} (character {position}): remove it"
        if category == "Cs":
            return f"is not valid Unicode (character {position}): save the file that it comes from as UTF-8"
    return None


@dataclass(frozen=True)
class Kept:
    """What a secret's file holds."""

    value: str
    settled: bool
    exact: bool


def read(path: Path, *, protected: bool = False) -> Kept | None:
    """Read the file of a secret; None where there is none, SecretError where it holds none.

    Data was made with a protected one. Its empty file is as good as none, and nobody is told to remove a damaged one.
    """
    anew = "restore it from a backup" if protected else "restore it, or remove it to have the secret made anew"
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise SecretError(f"{path} is no file: {anew if protected else 'move it away, and the secret is made anew'}")
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        raise SecretError(f"{path} is not text: {anew}") from None
    # An editor puts a line break at the end; the programs that read the file do not take it for a part of the secret.
    value = text.removesuffix("\n")
    if not value and protected:
        return None
    if not value:
        raise SecretError(f"{path} is empty: {anew}")
    flaw = _flaw(value)
    if flaw:
        raise SecretError(f"{path}: the secret in it {flaw}, or restore the file")
    owned = os.geteuid() != 0 or (status.st_uid, status.st_gid) == (0, 0)
    return Kept(value, owned and stat.S_IMODE(status.st_mode) == FILE_MODE, exact=value == text)


def kept(folder: Path) -> dict[str, str]:
    """Return what every file of a directory keeps; nothing where something of it is not as it should be."""
    try:
        if not folder_is_settled(folder):
            return {}
        found = {path.name: read(path) for path in folder.iterdir()}
    except (SecretError, OSError):
        return {}
    good = {name: one.value for name, one in found.items() if one and one.settled and one.exact}
    return good if len(good) == len(found) else {}


@dataclass(frozen=True)
class Step:
    """What is done for one secret."""

    name: str
    action: Action
    value: str
    given: bool
    source: str = ""


def plan(
    folder: Path,
    specs: Mapping[str, Any],
    has_volume: Callable[[str], bool] = lambda _volume: False,
    *,
    rotate: Collection[str] = (),
    earlier: Mapping[str, str] | None = None,
) -> list[Step]:
    """Decide for every secret; SecretError before anything is written.

    has_volume says whether the stack has a volume, and so data that was made with the secrets that name it. rotate names the
    secrets that get a new value although they have one; earlier has those of before a deploy that came to no end.
    """
    _check_rotation(specs, rotate)
    steps = []
    for name, spec in specs.items():
        wish = Wish.read(name, spec)
        kept = read(folder / name, protected=bool(wish.volume))
        if kept is None:
            steps.append(_missing(folder, wish, has_volume) if wish.volume else _created(wish))
        else:
            steps.append(_present(folder, wish, kept, rotated=name in rotate, before=(earlier or {}).get(name)))
    return steps


def _check_rotation(specs: Mapping[str, Any], rotate: Collection[str]) -> None:
    """Refuse to rotate what is no secret, or what the inventory says."""
    for name in rotate:
        if name not in specs:
            raise SecretError(
                f"{name} is no secret of this stack, and cannot be rotated; there are {', '.join(sorted(specs))}"
            )
        if (specs[name] or {}).get("fixed"):
            raise SecretError(f"{name} stands for the stack itself, and cannot be rotated")
        if (specs[name] or {}).get("value"):
            raise SecretError(f"{name} is given in the inventory: to rotate it, give another value there")


def _present(folder: Path, wish: Wish, kept: Kept, *, rotated: bool, before: str | None) -> Step:
    """Decide for a secret that has a value."""
    # A deploy with another value was cut off: a server may take that one and the one of before, and it takes no third.
    unfinished = before is not None and before != kept.value
    value = wish.value or (wish.generate() if rotated and not unfinished else kept.value)
    if unfinished and wish.volume and value not in (kept.value, before):
        raise SecretError(
            f"{wish.name}: a deploy that replaced it was cut off, and the given value is neither the one that this began with, "
            f"in {folder / wish.name}, nor the one of before. Nothing was changed: a server takes two passwords at once. Give "
            "one of those, or none, until a deploy has come to its end, and then another one"
        )
    action: Action = "update" if value != kept.value or not kept.exact else "keep" if kept.settled else "attributes"
    return Step(wish.name, action, value, bool(wish.value))


def _created(wish: Wish) -> Step:
    return Step(wish.name, "create", wish.value or wish.generate(), bool(wish.value))


def _missing(folder: Path, wish: Wish, has_volume: Callable[[str], bool]) -> Step:
    """Decide for a secret whose file is gone or empty although data may have been made with it."""
    path = folder / wish.name
    found = _recover.find(folder.parent, wish.copies)
    if found is None or _flaw(found.value):
        if wish.volume and not wish.value and has_volume(wish.volume):
            raise SecretError(
                f"{path} is missing or empty, and the data in the volume {wish.volume} was made with it. Nothing was "
                f"changed: a new value would lock the service out. Restore the file from a backup, or give {wish.name} "
                "in the inventory"
            )
        return _created(wish)
    if wish.value and wish.value != found.value:
        raise SecretError(
            f"{wish.name}: {path} is missing or empty, and the given value is not the one that {found.path} holds and the "
            "data was made with. Nothing was changed. Give that one, or none to have it restored; where it is the wrong "
            f"one, write the right one into {path}"
        )
    return Step(wish.name, "restore", found.value, bool(wish.value), str(found.path))


def folder_is_settled(folder: Path) -> bool:
    """Whether the directory is there, root's, and closed; SecretError where something else has its name."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(status.st_mode):
        raise SecretError(f"{folder} is no directory: move it away")
    owned = os.geteuid() != 0 or (status.st_uid, status.st_gid) == (0, 0)
    return owned and stat.S_IMODE(status.st_mode) == DIRECTORY_MODE


def settle_folder(folder: Path) -> None:
    """Make the directory, or close it."""
    # Of a stack that is not there yet; 0750 keeps other users of the host out of all of it.
    folder.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    folder.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    _files.own(folder, DIRECTORY_MODE)


def carry_out(folder: Path, step: Step) -> None:
    """Write one secret, or set the owner and the mode of its file."""
    path = folder / step.name
    if step.action == "attributes":
        _files.own(path, FILE_MODE)
    elif step.action != "keep":
        _files.replace(path, step.value, FILE_MODE, (0, 0) if os.geteuid() == 0 else None)
