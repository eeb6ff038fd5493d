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
SELF_SIGNED, PROVIDED, ACME = "self_signed", "provided", "acme"
CHAIN, KEY, STATE = "fullchain.pem", "privkey.pem", "state.json"
# What the inventory brings is one file for Nginx, which is replaced in one step; the chain beside it is for whoever looks.
BOTH = "certificate_and_key.pem"
# What Nginx includes; each kind of address has its own, since not every kernel has IPv6.
LISTEN, LISTEN6 = "listen.conf", "listen6.conf"
# For those who name no server, where the site is asked for by an address.
DEFAULT, DEFAULT6 = "default.conf", "default6.conf"
FORMAT = "%Y-%m-%dT%H:%M:%SZ"
# What the work of a certificate authority has come to: the file is there as long as it is not well.
FAILURE = "certbot/failure.json"
# Where Nginx answers such an authority, in whichever mode; a host that an older version has deployed does not yet.
CHALLENGE = "/.well-known/acme-challenge/"
# Days before its end from which on `status` asks for another one.
PROVIDED_DAYS = 21
LATE_SHARE = 4
PAIRS = (("tls_certificate", "tls_certificate_file"), ("tls_private_key", "tls_private_key_file"))


def mode(value: object) -> str:
    """Return the mode; without quotes YAML makes a boolean of `off`."""
    return "off" if value is False else str(value)


def now() -> datetime:
    """Return the time."""
    return datetime.now(timezone.utc)


def read(path: Path) -> str:
    """Return the text of a file; empty where there is none."""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def given(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the certificate and the key that the inventory brings: as text, or of the controller's files."""
    found = {}
    for text, file in PAIRS:
        path = str(values.get(file) or "")
        found[text] = read(Path(path).expanduser()) if path else str(values.get(text) or "")
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
        elif path and not read(Path(path).expanduser()):
            found.append(f"{file} is {path}, which is empty or cannot be read: look at its permissions.")
    return found


def own_problems(values: Mapping[str, Any]) -> list[str]:
    """Refuse a CA of the stack's own that would not outlive what it signs."""
    days, ca_days = (int(values[name]) for name in ("tls_self_signed_days", "tls_self_signed_ca_days"))
    if ca_days > days:
        return []
    return [
        (
            f"tls_self_signed_ca_days is {ca_days} and tls_self_signed_days is {days}, so that the CA would end before what it "
            "signs: give the CA more days, years of them, since clients have to be given each new one."
        )
    ]


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
    """Say of each mode's certificate that is on the host what it is, whether Nginx answers an authority, and whether one said no."""
    moment = at or now()
    site = read(root / "nginx" / "site.conf")
    found: dict[str, Any] = {mode: _seen(root, mode, site, moment) for mode in (SELF_SIGNED, PROVIDED, ACME)}
    failed = {"failed": True} if (root / FAILURE).exists() else {}
    return {**{mode: seen for mode, seen in found.items() if seen}, "answers": CHALLENGE in site, **failed}


def _seen(root: Path, mode: str, site: str, at: datetime) -> dict[str, Any]:
    folder = root / FOLDER / mode
    # One that was there once and serves no more may end.
    serves = f"/{FOLDER}/{mode}/" in site
    failed = failure(root) if mode == ACME and serves else ""
    try:
        state = json.loads(read(folder / STATE))
        found: dict[str, Any] = {
            "names": list(state["names"]),
            "not_after": str(state["not_after"]),
            "renew_at": str(state["renew_at"]),
            "fingerprint": str(state["fingerprint"]),
            "server": str(state.get("server", "")),
        }
        late = parsed(found["renew_at"]) <= at
        ended = parsed(found["not_after"]) <= at
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"whole": False, "serves": True, "problem": _none(mode, failed)} if serves else {}
    there = all((folder / name).is_file() for name in (BOTH if mode == PROVIDED else KEY, LISTEN, LISTEN6))
    found["whole"] = there and found["fingerprint"] == _certificate.fingerprint(read(folder / CHAIN))
    found["serves"] = serves
    if serves:
        problem = _problem(mode, found["not_after"], failed, late=late, ended=ended)
        found.update({"problem": problem} if problem else {})
    return found


def _none(mode: str, failed: str) -> str:
    """Say that Nginx sends everybody to https, where nothing answers: it starts without a certificate, so as to prove the names."""
    todo = "the timer of barehost-certificate asks again, and so does barehost.django.deploy" if mode == ACME else ""
    todo = todo or "run barehost.django.deploy, which puts it in place"
    tried = f" (it could not be had {failed})" if failed else ""
    return f"there is no certificate, so the site cannot be reached over https{tried}: {todo}"


def _problem(mode: str, not_after: str, failed: str, *, late: bool, ended: bool) -> str:
    end = f"the certificate {'has ended' if ended else 'ends'} at {not_after}"
    if failed:
        return f"the certificate could not be renewed {failed}; {end}"
    if not late:
        return ""
    todo = {
        SELF_SIGNED: "run barehost.django.deploy, which makes a new one",
        PROVIDED: "have it renewed, and deploy with the new one",
        ACME: "it should have been renewed by now: look at the timer of barehost-certificate (journalctl)",
    }
    return f"{end}: {todo[mode]}"


def failure(root: Path) -> str:
    """Say when and why the last try to have a certificate by an authority failed; empty where it did not."""
    try:
        found = json.loads(read(root / FAILURE))
        return f"at {found['at']}: {found['message']}"
    except (ValueError, KeyError, TypeError):
        return ""


def parsed(text: str) -> datetime:
    """Read a time of the state."""
    return datetime.strptime(text, FORMAT).replace(tzinfo=timezone.utc)


def reason(seen: Mapping[str, Any], names: Sequence[str], at: datetime, server: str = "") -> str:
    """Say why the stack has to come by another certificate; empty where the one that it has will do."""
    # The look may know of a mode no more than that it is to serve.
    if "fingerprint" not in seen:
        return "there is none"
    if not seen["whole"]:
        return "its files are not those that were made"
    missing = [name for name in _certificate.wanted(names) if name not in seen["names"]]
    if missing:
        return f"it does not cover {', '.join(missing)}"
    if server != seen.get("server", ""):
        return f"it is by {seen.get('server') or 'somebody else'}"
    # An authority is asked in time by the timer, whose trouble need not keep a deploy away while the old one is good.
    end = seen["not_after"] if server else seen["renew_at"]
    return f"it ends at {seen['not_after']}" if parsed(end) <= at else ""


def state(names: Sequence[str], chain: str, at: datetime, end: datetime, renew_days: int) -> dict[str, Any]:
    """Describe a certificate that has just been made; a short one is not made anew in every run."""
    return described(names, chain, end, end - min(timedelta(days=renew_days), (end - at) / 2))


def described(names: Sequence[str], chain: str, not_after: datetime, renew_at: datetime) -> dict[str, Any]:
    """Describe a certificate in the file beside it, for a look without `cryptography`."""
    return {
        "names": _certificate.wanted(names),
        "not_after": not_after.strftime(FORMAT),
        "renew_at": renew_at.strftime(FORMAT),
        "fingerprint": _certificate.fingerprint(chain),
    }


def alternatives(names: Sequence[str]) -> list[str]:
    """Return the names as a request for a certificate says them."""
    kinds = ((name, _certificate.is_address(name)) for name in _certificate.wanted(names))
    return [f"IP:{name}" if address else f"DNS:{name}" for name, address in kinds]
