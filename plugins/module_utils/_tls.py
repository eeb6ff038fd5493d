# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which certificate a stack serves with: what is given, what is on the host, and whether another one has to be made.

Standard library alone: it is part of the look at the host, which may have no `cryptography`. So what was made says of itself, in a
file beside it, for which names it is and until when.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _certificate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# One folder for each mode, so that which of them serves changes with the configuration of Nginx, in one step.
FOLDER = "tls"
SELF_SIGNED, PROVIDED = "self_signed", "provided"
CHAIN, KEY, LISTEN, STATE = "fullchain.pem", "privkey.pem", "listen.conf", "state.json"
FORMAT = "%Y-%m-%dT%H:%M:%SZ"
PAIRS = (("tls_certificate", "tls_certificate_file"), ("tls_private_key", "tls_private_key_file"))


def mode(value: object) -> str:
    """Return the mode; without quotes YAML makes a boolean of `off`."""
    return "off" if value is False else str(value)


def now() -> datetime:
    """Return the time."""
    return datetime.now(timezone.utc)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def given(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the certificate and the key that the inventory brings: as text, or of the controller's files."""
    found = {}
    for text, file in PAIRS:
        path = str(values.get(file) or "")
        found[text] = _text(Path(path).expanduser()) if path else str(values.get(text) or "")
    return found


def given_problems(values: Mapping[str, Any]) -> list[str]:
    """Say what keeps the certificate and the key from being read at all; never anything of the key."""
    found = []
    for text, file in PAIRS:
        path = str(values.get(file) or "")
        if path and values.get(text):
            found.append(f"{text} and {file} are both set: keep one of them, and empty the other.")
        elif not path and not values.get(text):
            found.append(f"tls_mode is provided, and neither {text} nor {file} is set: give one of them.")
        elif path and not Path(path).expanduser().is_file():
            found.append(f"{file} is {path}, which is no file on the controller: name the file in PEM.")
        elif path and not _text(Path(path).expanduser()):
            found.append(f"{file} is {path}, which is empty or cannot be read: look at its permissions.")
    return found


def scheme_problems(chosen: str, scheme: str, domain: str) -> list[str]:
    """Refuse a mode that contradicts how users are said to reach the site."""
    if chosen != "off" and scheme == "http":
        return [
            (
                f"tls_mode is {chosen} and stack_scheme is http, so that nobody could log in at https://{domain}: leave "
                "stack_scheme out, since it follows from tls_mode."
            )
        ]
    return []


def look(root: Path, at: datetime | None = None) -> dict[str, Any]:
    """Say of the certificate that the stack has made itself what it is, and whether it is whole; empty where there is none."""
    folder = root / FOLDER / SELF_SIGNED
    try:
        state = json.loads(_text(folder / STATE))
        names, not_after, renew_at = list(state["names"]), str(state["not_after"]), str(state["renew_at"])
        late = parsed(renew_at) <= (at or now())
        fingerprint = str(state["fingerprint"])
    except (ValueError, KeyError, TypeError):
        return {}
    there = all((folder / name).is_file() for name in (KEY, LISTEN))
    whole = there and fingerprint == _certificate.fingerprint(_text(folder / CHAIN))
    found: dict[str, Any] = {"names": names, "not_after": not_after, "renew_at": renew_at, "whole": whole}
    found["fingerprint"] = fingerprint
    # One that was made once and serves no more may end.
    if late and f"/{FOLDER}/{SELF_SIGNED}/" in _text(root / "nginx" / "site.conf"):
        found["problem"] = f"the certificate ends at {not_after}: run barehost.django.deploy, which makes a new one"
    return found


def parsed(text: str) -> datetime:
    """Read a time of the state."""
    return datetime.strptime(text, FORMAT).replace(tzinfo=timezone.utc)


def reason(seen: Mapping[str, Any], names: Sequence[str], at: datetime) -> str:
    """Say why the stack has to make itself a certificate; empty where the one that it has will do."""
    if not seen:
        return "there is none"
    if not seen["whole"]:
        return "its files are not those that were made"
    missing = [name for name in _certificate.wanted(names) if name not in seen["names"]]
    if missing:
        return f"it does not cover {', '.join(missing)}"
    return f"it ends at {seen['not_after']}" if parsed(seen["renew_at"]) <= at else ""


def state(names: Sequence[str], chain: str, at: datetime, days: int, renew_days: int) -> dict[str, Any]:
    """Describe a certificate that has just been made."""
    end = at + timedelta(days=days)
    return {
        "names": _certificate.wanted(names),
        "not_after": end.strftime(FORMAT),
        "renew_at": (end - timedelta(days=min(renew_days, days // 2))).strftime(FORMAT),
        "fingerprint": _certificate.fingerprint(chain),
    }


def alternatives(names: Sequence[str]) -> list[str]:
    """Return the names as a request for a certificate says them."""
    kinds = ((name, _certificate.is_address(name)) for name in _certificate.wanted(names))
    return [f"IP:{name}" if address else f"DNS:{name}" for name, address in kinds]
