# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A certificate by an authority that speaks ACME: what certbot is asked for, and why it did not come by one.

certbot has folders of the stack's own, so that neither another stack nor what the operator does with certbot has to do with it. It
reads the host's /etc/letsencrypt/cli.ini whatever it is told, so all that matters is said here, which goes before; a setting there
that is not said here counts. It proves the names through a folder that Nginx serves on the plain port (HTTP-01), and touches no configuration.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ansible_collections.barehost.django.plugins.module_utils import _certificate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOLDER = "certbot"
WEBROOT = "acme"
SETTINGS = "renewal/settings.json"
CA_FILE = "ca.pem"
REASON_LENGTH = 600
_DOMAIN = re.compile(r"^\s*Domain:\s*(\S+)\s*$")
_DETAIL = re.compile(r"^\s*Detail:\s*(.+)$")
_SERVER = re.compile(r"^server\s*=\s*(\S+)\s*$", re.MULTILINE)
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class AcmeError(Exception):
    """Why there is no certificate, in a sentence."""


class NotMeantError(AcmeError):
    """There is nothing to come by a certificate with: the stack has another mode."""


@dataclass(frozen=True)
class Settings:
    """The content of renewal/settings.json; nothing of it is a secret."""

    stack: str
    dir: str
    server: str
    names: list[str]
    email: str = ""
    # The certificates to know the authority by, in PEM, where it is none that the host knows anyway.
    ca: str = ""
    timeout_seconds: int = 300
    wait_seconds: int = 900
    audit_log: str = ""
    # The service that ends TLS, and how it is asked about its configuration and told to load it: {service, test, reload, port}.
    serving: Mapping[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """Return the directory of the stack."""
        return Path(self.dir)

    @property
    def folder(self) -> Path:
        """Return the folder of certbot's files."""
        return self.root / FOLDER

    @property
    def live(self) -> Path:
        """Return the folder in which certbot has the newest certificate."""
        return self.folder / "config" / "live" / self.stack

    @property
    def renewal(self) -> Path:
        """Return the file in which certbot notes how it came by that."""
        return self.folder / "config" / "renewal" / f"{self.stack}.conf"


def parse(found: Mapping[str, Any]) -> Settings:
    """Read settings; raise AcmeError where they cannot be."""
    known = {item.name for item in fields(Settings)}
    unknown = sorted(set(found) - known)
    if unknown:
        raise AcmeError(f"settings that this program does not know: {', '.join(unknown)}")
    try:
        return Settings(**found)
    except TypeError as error:
        raise AcmeError(f"settings that lack something: {error}") from None


def load(root: Path) -> Settings:
    """Read the settings of a stack."""
    path = root / SETTINGS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotMeantError(f"{path} is missing: deploy with tls_mode acme first") from None
    except (OSError, ValueError) as error:
        raise AcmeError(f"{path} cannot be read ({error}): deploy again, which writes it anew") from None
    return parse(found)


def name_problem(name: str) -> str:
    """Say why an authority proves no such name over HTTP; empty where it does."""
    if _certificate.is_address(name):
        return "is an address"
    if name.startswith("*."):
        return "is a wildcard, which HTTP-01 cannot prove"
    labels = name.split(".")
    if len(labels) == 1:
        return "is no name of the Internet"
    return "" if all(map(_LABEL.fullmatch, labels)) else "is no name of a host"


def problems(values: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Say what keeps the stack from asking an authority, before a host is touched."""
    wanted = _certificate.wanted(names)
    bad = [f"{name} {name_problem(name)}" for name in wanted if name_problem(name)]
    found = []
    if bad or not wanted:
        found.append(
            f"tls_mode is acme, and {'; '.join(bad) or 'the site has no name'}: no authority gives a certificate for that. Set "
            "stack_domain, or tls_names, to names that lead to this host, or use another tls_mode."
        )
    if values.get("tls_acme_agree_tos") is not True:
        found.append(
            f"tls_mode is acme, and tls_acme_agree_tos is not true: read the terms of {values.get('tls_acme_server')} and agree."
        )
    server = str(values.get("tls_acme_server"))
    if urlsplit(server).scheme != "https" or not urlsplit(server).hostname:
        found.append(f"tls_acme_server is '{server}': give the https address of the authority's ACME directory.")
    email = str(values.get("tls_acme_email") or "")
    if email and not _ADDRESS.fullmatch(email):
        found.append(f"tls_acme_email is '{email}', which is no address of mail: give one, or leave it out.")
    return found


def certbot_cmd(settings: Settings, *, anew: bool = False) -> list[str]:
    """Return the argv that has certbot come by a certificate: a new one where there is none, other names, or it ends soon.

    `anew` has it come by one whatever there is.
    """
    folder = settings.folder
    contact = ["--email", settings.email] if settings.email else ["--register-unsafely-without-email"]
    names = [option for name in _certificate.wanted(settings.names) for option in ("--domain", name)]
    return [
        "certbot",
        "certonly",
        "--non-interactive",
        "--agree-tos",
        *contact,
        "--no-eff-email",
        *("--server", settings.server),
        *("--config-dir", str(folder / "config")),
        *("--work-dir", str(folder / "work")),
        *("--logs-dir", str(folder / "logs")),
        # Each of its own; the distribution's setting leaves that to logrotate, which knows nothing of this folder.
        *("--max-log-backups", "20"),
        "--webroot",
        *("--webroot-path", str(settings.root / WEBROOT)),
        *("--cert-name", settings.stack),
        *names,
        "--renew-with-new-domains",
        *("--key-type", "ecdsa", "--elliptic-curve", "secp256r1"),
        # What the operator's own certificates want done has nothing to do with this one.
        "--no-directory-hooks",
        # Nor what is to be done in the host's cli.ini: the two last are one, and said by one name there they contradict the other.
        *("--pre-hook", "", "--post-hook", "", "--deploy-hook", "", "--renew-hook", ""),
        "--force-renewal" if anew else "--keep-until-expiring",
    ]


def server_of(renewal: str) -> str:
    """Return the authority that certbot's note names; empty where there is none."""
    found = _SERVER.search(renewal)
    return found[1] if found else ""


def environment(settings: Settings) -> dict[str, str]:
    """Return what certbot's environment has to say beside what it says anyway."""
    # Below the latter it looks for the user's own letsencrypt/cli.ini.
    found = {"LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": str(settings.folder)}
    if settings.ca:
        found["REQUESTS_CA_BUNDLE"] = str(settings.folder / CA_FILE)
    return found


def why(output: str) -> str:
    """Return in one line what certbot said: of each name what the authority said, or else its last words."""
    found, domain = [], ""
    for line in output.splitlines():
        named, detail = _DOMAIN.match(line), _DETAIL.match(line)
        if named:
            domain = named[1]
        elif detail:
            found.append(f"{domain}: {detail[1].strip()}")
    if not found:
        said = [line.strip() for line in output.splitlines() if line.strip() and not _chatter(line)]
        found = said[-2:] or ["certbot said nothing"]
    return " ".join(" ".join(found).split())[:REASON_LENGTH]


def _chatter(line: str) -> bool:
    """Whether a line of certbot's says nothing of what is wrong."""
    return line.startswith(
        ("Saving debug log", "Ask for help", "See the logfile", "Account registered", "Hint:", "- - -")
    )
