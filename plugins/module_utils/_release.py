# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Releases as they lie on the host: the candidate, the one that serves, and the records of both.

`releases/<id>.yaml` names the image of a release's services; the one that serves is copied to `compose.override.yaml`,
which Compose reads by itself. So a plain `docker compose up -d` by hand, at any time, means the release that serves.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _compose, _delivery, _files, _rollover

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RELEASES = "releases"
STATIC = "static"
CURRENT = "current"
# Which static files are served, in this order: those of the release that serves and of the ones before it. Two of these: a
# page that was loaded just before one release may ask for its assets just after the next.
STATIC_LINKS = (CURRENT, "previous", "earlier")
# Copies of what a release was started with, by their content: the files themselves are rendered before one is tried.
SETTINGS = "settings"
SERVING_FILES = (_compose.BASE_FILE, ".env")
# Beside them, for the container that migrates.
MIGRATING_FILE = "migrate.yaml"
_ID = re.compile(r"^[a-z0-9][a-z0-9._-]{2,62}$")


def now() -> str:
    """Return the time as records have it; in milliseconds, so that what follows within a second is in its order."""
    return datetime.now(tz=timezone.utc).isoformat(timespec="milliseconds")


def check_id(release_id: str) -> str:
    """Refuse what cannot be a file name and an image tag."""
    if not _ID.match(release_id):
        msg = f"release id {release_id!r}: expected 3 to 63 of a-z 0-9 . _ -, starting with a letter or digit"
        raise ValueError(msg)
    return release_id


def candidate_path(project_dir: str, release_id: str) -> Path:
    """Return the path of a release's Compose file."""
    return Path(project_dir) / RELEASES / f"{check_id(release_id)}.yaml"


def record_path(project_dir: str, release_id: str) -> Path:
    """Return the path of a release's record."""
    return Path(project_dir) / RELEASES / f"{check_id(release_id)}.json"


def override_text(release_id: str, image: str, services: Iterable[str]) -> str:
    """Return the Compose file that puts a release's image into its services; JSON is YAML too, and needs no library."""
    service = {"image": image, "environment": {"RELEASE_ID": release_id}}
    return _dump(dict.fromkeys(services, service))


def serving_text(  # noqa: PLR0913 - what a release is, one keyword each
    release_id: str,
    image: str,
    generations: Mapping[str, str],
    *,
    networks: Mapping[str, Sequence[str]],
    routed: Iterable[str],
    static_root: str = "",
) -> str:
    """Return the Compose file of a release that serves.

    Each service is marked with its generation, and those that the edge sends requests to have a network name of their own,
    which no container of another release has.
    With static_root the release's static files are mounted there: Django looks the hashed names up in their manifest,
    and not every image has collected it.
    """
    content: dict[str, Any] = {}
    for name, generation in generations.items():
        service: dict[str, Any] = {"image": image, "environment": {"RELEASE_ID": release_id}}
        service["labels"] = {_rollover.LABEL_GENERATION: generation}
        if name in routed:
            entry = {"aliases": [_rollover.alias(name, generation)]}
            service["networks"] = dict.fromkeys(networks[name], entry)
        if static_root:
            mount = {"type": "bind", "source": f"./{STATIC}/{release_id}", "target": static_root, "read_only": True}
            service["volumes"] = [{**mount, "bind": {"create_host_path": False}}]
        content[name] = service
    return _dump(content)


def _dump(services: Mapping[str, Any]) -> str:
    return json.dumps({"services": services}, indent=2, sort_keys=True) + "\n"


def read_text(path: Path) -> str | None:
    """Read a file; None where it is missing or no text any more."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def write_text(path: Path, text: str, mode: int = 0o644) -> bool:
    """Write a file atomically if its content differs; say whether it did."""
    if read_text(path) == text:
        return False
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _files.replace(path, text, mode)
    return True


def store_settings(project_dir: str) -> str:
    """Keep a copy of the files that a release is started with, closed to all but root; return the copy's name."""
    root = Path(project_dir)
    texts = {name: (root / name).read_text(encoding="utf-8") for name in SERVING_FILES if (root / name).exists()}
    name = hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()[:16]
    folder = root / RELEASES / SETTINGS / name
    for directory in (folder.parent, folder):
        directory.mkdir(mode=0o700, exist_ok=True)
    for file, text in texts.items():
        write_text(folder / file, text, 0o600)
    return name


def restore_files(project_dir: str, settings: str = "") -> None:
    """Put kept files back, those of the release that serves where none are named.

    An earlier release with the settings of the one that failed would fail, too.
    """
    name = settings or str((current_record(project_dir) or {}).get(SETTINGS, ""))
    folder = Path(project_dir) / RELEASES / SETTINGS / name
    for file in SERVING_FILES if name else ():
        kept, target = folder / file, Path(project_dir) / file
        if kept.exists():
            mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
            write_text(target, kept.read_text(encoding="utf-8"), mode)


def serving_copies(root: Path) -> list[Path]:
    """Return the Compose files that something may be started with: those of now, and those that are kept."""
    return [
        root / _compose.BASE_FILE,
        root / MIGRATING_FILE,
        *sorted((root / RELEASES / SETTINGS).glob(f"*/{_compose.BASE_FILE}")),
    ]


def drop_settings(project_dir: str) -> None:
    """Remove the copies that no way back needs: all but those of the release that serves and of what was before it."""
    record = current_record(project_dir) or {}
    folder = Path(project_dir) / RELEASES / SETTINGS
    # Without a record nobody knows which ones are needed.
    if SETTINGS not in record or not folder.is_dir():
        return
    needed = {record.get(SETTINGS), before_of(record).get(SETTINGS)}
    for path in folder.iterdir():
        if path.name not in needed:
            shutil.rmtree(path)


def point(link: Path, target: str) -> bool:
    """Let a symlink point to a name beside it, atomically; say whether it changed."""
    if read_link(link) == target:
        return False
    temporary = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
    temporary.symlink_to(target)
    try:
        temporary.replace(link)
    except OSError:
        temporary.unlink()
        raise
    return True


def read_link(link: Path) -> str:
    """Return where a symlink points to, or an empty text where there is none."""
    try:
        return os.readlink(link)  # noqa: PTH115 - the text of the link, which Path.readlink would change
    except OSError:
        return ""


def name_current(project_dir: str, release_id: str, override: str | None) -> None:
    """Let the override file and the record say which release serves; an empty id and no text for none."""
    root = Path(project_dir)
    if override is None:
        (root / _compose.OVERRIDE_FILE).unlink(missing_ok=True)
    else:
        write_text(root / _compose.OVERRIDE_FILE, override)
    if release_id:
        point(root / RELEASES / CURRENT, f"{release_id}.json")
    else:
        (root / RELEASES / CURRENT).unlink(missing_ok=True)


def read_record(path: Path) -> dict[str, Any] | None:
    """Read a release record; one that is missing or was cut short counts as none."""
    try:
        record = json.loads(read_text(path) or "")
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def account_of(user: Mapping[str, Any]) -> dict[str, str]:
    """Return what a record says of a superuser that was found as it should be: neither a password nor the app's own fields."""
    return {"username": str(user["username"]), "email": str(user["email"] or "")}


def found_before(record: Mapping[str, Any], user: Mapping[str, Any]) -> bool:
    """Whether the last run has found just this superuser as it should be, as far as the record can say it."""
    return record.get("superuser") == account_of(user) and not user["fields"]


def before_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a record says of what served before; nothing where that is damaged."""
    before = record.get("before")
    return before if isinstance(before, dict) else {}


def serving_id(project_dir: str) -> str:
    """Return which release serves, empty where none does.

    The link says so; where somebody has removed it, what its containers were started from.
    """
    root = Path(project_dir)
    named = read_link(root / RELEASES / CURRENT).removesuffix(".json")
    if named:
        return named
    services = _services(read_text(root / _compose.OVERRIDE_FILE) or "")
    found = {str((service.get("environment") or {}).get("RELEASE_ID", "")) for service in services.values()} - {""}
    name = found.pop() if len(found) == 1 else ""
    return name if _ID.match(name) else ""


def _services(text: str) -> dict[str, dict[str, Any]]:
    """Read the services of a text that serving_text wrote; none in any other."""
    try:
        services = json.loads(text)["services"]
        return {name: dict(service) for name, service in services.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def current_record(project_dir: str) -> dict[str, Any] | None:
    """Return the record of the release that serves; only its id where the record is damaged."""
    name = serving_id(project_dir)
    if not name:
        return None
    return read_record(Path(project_dir) / RELEASES / f"{name}.json") or {"id": name}


def records(project_dir: str) -> list[dict[str, Any]]:
    """Return the records of all releases on the host; one that cannot be read is left out."""
    folder = Path(project_dir) / RELEASES
    found = [read_record(path) for path in sorted(folder.glob("*.json")) if not path.is_symlink()]
    return [record for record in found if record is not None and isinstance(record.get("id"), str)]


def touched(project_dir: str, since: datetime) -> dict[str, str]:
    """Return what a run that began then, and told nobody of its end, went from and to, as far as records say it."""
    serving = serving_id(project_dir)
    paths = {record["id"]: record_path(project_dir, record["id"]) for record in records(project_dir)}
    written = {name: path.stat().st_mtime for name, path in paths.items()}
    last = max(written, key=lambda name: written[name], default="")
    to = last if last and written[last] >= since.timestamp() else ""
    if not to or to != serving:
        return {"from": serving, "to": to}
    return {"from": str(before_of(read_record(paths[to]) or {}).get("id") or ""), "to": to}


@dataclass(frozen=True)
class Committed:
    """What the host says of the release that serves. Only a commit changes it, so a run that was cut off has not."""

    release_id: str = ""
    override: str | None = None
    # Service -> generation of its containers; None where that cannot be read any more.
    generations: Mapping[str, str] | None = None


def committed(project_dir: str) -> Committed:
    """Read which release serves, and what its containers were made from."""
    release_id = serving_id(project_dir)
    text = (current_record(project_dir) or {}).get("override") or read_text(Path(project_dir) / _compose.OVERRIDE_FILE)
    if text is None:
        return Committed(release_id, None, None if release_id else {})
    services = _services(text)
    labels = {
        name: str((service.get("labels") or {}).get(_rollover.LABEL_GENERATION, ""))
        for name, service in services.items()
    }
    return Committed(release_id, text, labels if labels and "" not in labels.values() else None)


def differs(project_dir: str, release_id: str, text: str, *, static: bool) -> list[str]:
    """List what on the host does not yet speak of this release."""
    root = Path(project_dir)
    found = []
    if read_text(root / _compose.OVERRIDE_FILE) != text:
        found.append(_compose.OVERRIDE_FILE)
    if static and read_link(root / STATIC / CURRENT) != release_id:
        found.append(f"{STATIC}/{CURRENT}")
    if read_link(root / RELEASES / CURRENT) != f"{release_id}.json" or read_record(root / RELEASES / CURRENT) is None:
        found.append(f"{RELEASES}/{CURRENT}")
    return found


def update_record(path: Path, release_id: str, image: str, details: Mapping[str, Any]) -> None:
    """Write what is new about a release into its record; what the record says besides stays."""
    known = read_record(path) or {"created": now()}
    record = {**known, "id": release_id, "image": image, **details}
    write_record(path, record)


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a whole record."""
    write_text(path, json.dumps(record, indent=2, sort_keys=True) + "\n")


def prove(project_dir: str, release_id: str) -> None:
    """Note that the deploy of the release that serves has come to its good end, and with which settings.

    From then on there is nothing to go back from, and these are what a release that fails later is taken back to.
    """
    record = current_record(project_dir)
    if record is None or record.get("id") != release_id:
        return
    proven = {**record, "proven": True, SETTINGS: store_settings(project_dir)}
    if proven != record:
        write_record(record_path(project_dir, release_id), proven)
        drop_settings(project_dir)
        _delivery.prune(Path(project_dir), [read_text(path) or "" for path in serving_copies(Path(project_dir))])
