# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the backup program is told: the file that the role `backup` has rendered, read and checked as a whole."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "backup"
FILE = f"{FOLDER}/settings.json"
# Of the role's variables.
PREFIX = "backup_"
IDENTITY = "secrets/stack_id"
STACK = re.compile(r"[a-z0-9][a-z0-9_-]*")
# An X25519 key, one of an age plugin, or an SSH key: see age(1), RECIPIENTS.
# The lowest value of what is a whole number, and both of the level of compression.
LEAST = {
    "keep_least": 1,
    "keep_days": 1,
    "max_age_hours": 1,
    "timeout_seconds": 1,
    "wait_seconds": 0,
    "zstd_level": 1,
}
LEVELS = (1, 19)
RECIPIENT = re.compile(r"age1[0-9a-z]{8,}|ssh-(?:ed25519|rsa) [A-Za-z0-9+/=]+(?: .*)?")


class SettingsError(Exception):
    """Settings that are missing, or cannot be."""


@dataclass(frozen=True)
class Settings:
    """The content of settings.json."""

    stack: str
    dir: str
    database: str
    service: str = "mysql"
    media: str = "media"  # below dir; empty where there is none to keep
    scheduled: bool = True  # whether a timer makes backups
    keep_least: int = 7
    keep_days: int = 30
    max_age_hours: int = 26
    timeout_seconds: int = 21600
    wait_seconds: int = 900
    zstd_level: int = 1
    rest_percent: int = 0  # of the time for which the dump is read; said by whoever starts the program
    age_recipients: list[str] = field(default_factory=list)
    hook: list[str] = field(default_factory=list)
    audit_log: str = ""
    offsite: Mapping[str, Any] = field(default_factory=dict, repr=False)  # it holds secrets
    drill: Mapping[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """Return the directory of the stack."""
        return Path(self.dir)

    @property
    def backups(self) -> Path:
        """Return the directory of the backups."""
        return self.root / "backups"


def parse(text: str, where: str) -> Settings:
    """Read settings; where is what an error names."""
    try:
        found = json.loads(text)
    except ValueError:
        raise SettingsError(f"{where} is no JSON: deploy again, which writes it anew") from None
    if not isinstance(found, dict):
        raise SettingsError(f"{where} is no object: deploy again, which writes it anew")
    known = {item.name for item in fields(Settings)}
    unknown = sorted(set(found) - known)
    if unknown:
        raise SettingsError(f"{where} has settings that this program does not know: {', '.join(unknown)}")
    try:
        settings = Settings(**found)
    except TypeError as error:
        raise SettingsError(f"{where} lacks something: {error}") from None
    problem = flaw(settings)
    if problem:
        raise SettingsError(f"{where}: {problem}")
    return settings


def flaw(settings: Settings) -> str:
    """Say what of settings cannot be; empty where nothing is."""
    if not STACK.fullmatch(settings.stack):
        return f"stack is {settings.stack!r}, which is no name of one"
    if not settings.root.is_absolute():
        return f"dir is {settings.dir!r}, and has to be an absolute path"
    if settings.media.startswith("/") or ".." in Path(settings.media).parts:
        return f"media is {settings.media!r}, and has to be a path below the stack's directory"
    for name, lowest in LEAST.items():
        value = getattr(settings, name)
        if type(value) is not int or value < lowest:
            return f"{name} is {value!r}, and has to be a whole number from {lowest} on"
    if settings.zstd_level > LEVELS[1]:
        return f"zstd_level is {settings.zstd_level!r}, and has to be within {LEVELS[0]} to {LEVELS[1]}"
    wrong = next((key for key in settings.age_recipients if not RECIPIENT.fullmatch(str(key))), None)
    return "" if wrong is None else f"age_recipients holds {wrong[:20]!r}, which is no public key of age or SSH"


def not_deployed(settings: Settings, given: Mapping[str, Any]) -> str:
    """Say which variables of a run are not what a deploy has installed here, and so have no effect; empty where none is."""
    found = []
    for name, value in sorted(given.items()):
        there = _installed(settings, name)
        if there is not None and not _same(there, value):
            # What is no number may be long, or nobody's business.
            shown = str(there).lower() if isinstance(there, (int, float)) else ""
            found.append(name + (f" ({value}, and {shown} here)" if shown else ""))
    return (
        f"this has no effect before a deploy, which installs the settings that count on this host: {', '.join(found)}"
        if found
        else ""
    )


def _installed(settings: Settings, name: str) -> Any:  # noqa: ANN401 - a setting
    """Return the setting that a variable becomes; None where there is none of it."""
    key = name[len(PREFIX) :] if name.startswith(PREFIX) else ""
    if key == "media":
        return bool(settings.media)
    for section, of in (("offsite_", settings.offsite), ("drill_", settings.drill)):
        if key.startswith(section):
            missing = "" if key == "offsite_repository" else None
            return of.get(key[len(section) :], missing)
    return getattr(settings, key) if key in {item.name for item in fields(Settings)} else None


def _same(there: Any, value: Any) -> bool:  # noqa: ANN401 - a setting
    """Whether a value, which a command line makes a word, becomes that setting."""
    if isinstance(there, bool):
        return there == (str(value).strip().lower() in ("true", "yes", "on", "1", "y", "t"))
    if isinstance(there, (int, float)):
        try:
            return there == float(value)
        except (TypeError, ValueError):
            return False
    return bool(there == value)


def load(root: Path) -> Settings:
    """Read the settings of a stack."""
    path = root / FILE
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise SettingsError(f"{path} is missing: deploy the stack first (site playbook)") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    return parse(text, str(path))


def identity(root: Path) -> str:
    """Return what tells this stack from every other one; empty where nothing does yet."""
    try:
        return (root / IDENTITY).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
