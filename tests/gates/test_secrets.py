# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""detect-secrets, with patterns of our own, over the tracked files and over what is rendered."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class, get_plugins_from_file
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.plugins import keyword
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.settings import transient_settings
from findings import ROOT, Finding, problems, short, tracked, unexplained

if TYPE_CHECKING:
    from conftest import Rendered
    from detect_secrets.plugins.base import BasePlugin

PATTERNS = Path(__file__).with_name("patterns.py")
# No more than these: with others a remark beside a line hides it, a file's name all of it, or the answer of a web site.
FILTERS = (
    "detect_secrets.filters.heuristic.is_indirect_reference",
    "detect_secrets.filters.heuristic.is_likely_id_string",
    "detect_secrets.filters.heuristic.is_not_alphanumeric_string",
    "detect_secrets.filters.heuristic.is_potential_uuid",
    "detect_secrets.filters.heuristic.is_prefixed_with_dollar_sign",
    "detect_secrets.filters.heuristic.is_sequential_string",
    "detect_secrets.filters.heuristic.is_templated_secret",
)


# What there has to be for those that have no patterns, and how many different signs in it: a word; or so many that an entropy of
# 4.5 or of 3 bits can be reached.
NEEDED = {
    "KeywordDetector": (re.compile("|".join(keyword.DENYLIST), re.IGNORECASE), 1),
    "Base64HighEntropyString": (re.compile(r"[A-Za-z0-9+/=_-]{23,}"), 23),
    "HexHighEntropyString": (re.compile(r"[0-9a-fA-F]{8,}"), 8),
}


def may_find(detector: type[BasePlugin], text: str) -> bool:
    """Whether a detector is worth asking about each line of a text: of most of the thirty no pattern is anywhere in most texts."""
    if issubclass(detector, RegexBasedDetector):
        return any(re.compile(one.pattern, one.flags | re.MULTILINE).search(text) for one in detector.denylist)
    pattern, different = NEEDED[detector.__name__]
    return any(len(set(found)) >= different for found in pattern.findall(text))


def scan(paths: list[Path], detector: dict[str, str]) -> SecretsCollection:
    """Ask one detector, which asks nobody outside."""
    with transient_settings({"plugins_used": [detector], "filters_used": [{"path": path} for path in FILTERS]}):
        # It keeps the list of detectors from the first time.
        get_mapping_from_secret_type_to_class.cache_clear()
        found = SecretsCollection()
        found.scan_files(*map(str, paths))
    return found


def detectors() -> dict[type[BasePlugin], dict[str, str]]:
    """Return all that detect-secrets has, and ours, each with how it is named to it."""
    (ours,) = get_plugins_from_file(str(PATTERNS))
    known = {one: {"name": one.__name__} for one in get_mapping_from_secret_type_to_class().values()}
    own = {"name": ours.__name__, "path": f"file://{PATTERNS}"}
    return {**{one: name for one, name in known.items() if one.__name__ != ours.__name__}, ours: own}


def look(paths: list[Path]) -> list[Finding]:
    """Return what detect-secrets finds."""
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in paths}
    found = []
    for detector, name in detectors().items():
        if chosen := [path for path, text in texts.items() if may_find(detector, text)]:
            found += [
                Finding(short((ROOT / file).resolve()), secret.line_number, secret.type, secret.secret_value or "")
                for file, secret in scan(chosen, name)
            ]
    return found


def world_readable(path: Path) -> bool:
    """Whether others than the owner of a file may read it."""
    return bool(stat.S_IMODE(path.stat().st_mode) & (stat.S_IRGRP | stat.S_IROTH))


def test_no_tracked_file_holds_an_unexplained_secret() -> None:
    assert problems("secrets", look([path for path in tracked() if path != PATTERNS])) == []


def test_nothing_secret_is_in_a_rendered_file_that_others_may_read(rendered: Rendered) -> None:
    open_files = [path for _mode, path in rendered.files() if world_readable(path)]
    assert {"compose.yaml", "site.conf", "stack.cnf", "barehost-backup"} <= {path.name for path in open_files}
    assert problems("rendered", look(open_files)) == []
    for path in open_files:
        text = path.read_text(encoding="utf-8")
        assert [name for name, value in rendered.secrets.items() if value in text] == [], path


def test_every_secret_is_in_a_rendered_file_that_nobody_else_reads(rendered: Rendered) -> None:
    closed = "".join(path.read_text(encoding="utf-8") for _mode, path in rendered.files() if not world_readable(path))
    # The stack's own name, which is no password, is read from its file alone.
    assert [name for name, value in rendered.secrets.items() if value not in closed] == ["stack_id"]


def test_secrets_that_are_files_are_in_no_environment(rendered: Rendered) -> None:
    folder = rendered.modes["secret_files"]
    for name in (".env", "migrate.env"):
        text = (folder / name).read_text(encoding="utf-8")
        lines = text.splitlines()
        assert [secret for secret, value in rendered.secrets.items() if value in text] == []
        assert {"DB_PASSWORD_FILE='/run/secrets/DB_PASSWORD'", "SENTRY_DSN_FILE='/run/secrets/SENTRY_DSN'"} <= set(
            lines
        )
        assert "PLAIN='x'" in lines
        assert not [line for line in lines if line.startswith(("DB_PASSWORD=", "SENTRY_DSN=", "REDIS_URL="))]
    (place,) = (folder / "app_secrets").iterdir()
    files = sorted(path for path in place.rglob("*") if path.is_file())
    assert len(files) == 2 * 9
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o400}
    assert {path.stat().st_uid for path in files} == {12345}
    said = {path.parent.name: path.read_text(encoding="utf-8") for path in files if path.name == "DB_PASSWORD"}
    assert said == {
        "app": rendered.secrets["mysql_password"],
        "migrate": rendered.secrets["mysql_migration_password"],
    }


def test_secrets_that_are_files_are_mounted_by_whoever_reads_them_and_nobody_else(rendered: Rendered) -> None:
    folder = rendered.modes["secret_files"]
    (place,) = (folder / "app_secrets").iterdir()
    services = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))["services"]
    mounted = {
        name: [one["source"] for one in service["volumes"] if one["target"] == "/run/secrets"]
        for name, service in services.items()
    }
    ours = [f"./app_secrets/{place.name}/app"]
    assert mounted == {
        "web": ours,
        "worker": ours,
        "beat": ours,
        "mysql": ["./mysql/secrets"],
        "nginx": [],
        "redis": [],
    }
    other = yaml.safe_load((folder / "migrate.yaml").read_text(encoding="utf-8"))["services"]["web"]
    assert [one["source"] for one in other["volumes"]] == [f"./app_secrets/{place.name}/migrate"]


def test_without_being_asked_for_no_secret_is_a_file_of_the_application(rendered: Rendered) -> None:
    folder = rendered.modes["plain"]
    assert not (folder / "app_secrets").exists()
    assert "PASSWORD_FILE=" not in (folder / ".env").read_text(encoding="utf-8")
    migrate = yaml.safe_load((folder / "migrate.yaml").read_text(encoding="utf-8"))
    assert migrate == {"services": {"web": {"env_file": ["migrate.env"]}}}


def test_flaws_are_found(tmp_path: Path) -> None:
    flaw = tmp_path / "notes.txt"
    lines = {
        "redis://" + ":Xq7vNw2pLk@redis:6379/0",
        "MYSQL_" + "PWD=Xq7vNw2pLk mysql",
        "ALTER USER a IDENTIFIED " + "BY 'Xq7vNw2pLk';",
        "require" + "pass Xq7vNw2pLk",
        "user default on #" + "0f1e2d3c" * 8,
        "AGE-SECRET-" + "KEY-1QQPQ5Y3ZXR8W7V6T5S4R3Q2",
        "$ANSIBLE_" + "VAULT;1.1;AES256",
        "$2b$" + "12$KIXQabcdefghijklmnopqrstuv",
    }
    for line in lines:
        flaw.write_text(line + "  # pragma: allow" + "list secret\n")
        assert len(unexplained("secrets", look([flaw]))) >= 1, line


def test_a_secret_in_an_open_file_is_found(rendered: Rendered, tmp_path: Path) -> None:
    text = (rendered.modes["plain"] / "compose.yaml").read_text(encoding="utf-8")
    broken = tmp_path / "compose.yaml"
    broken.write_text(
        text.replace("MYSQL_ROOT_PASSWORD_FILE: /run/secrets/root_password", "MYSQL_ROOT_" + "PASSWORD: Xq7vNw2pLk")
    )
    assert look([broken]) != []
    assert ROOT / "constraints.txt" in tracked()
