# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real ACME server on the other host: Pebble, by the people of Let's Encrypt, which proves names and refuses what it cannot."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conftest import DOMAIN, Host

if TYPE_CHECKING:
    from pathlib import Path

NAME = "acme.example"
PORT, ROOTS = 14000, 15000
FOLDER = "/etc/pebble"
SETTINGS = {
    "pebble": {
        "listenAddress": f"0.0.0.0:{PORT}",
        "managementListenAddress": f"0.0.0.0:{ROOTS}",
        "certificate": f"{FOLDER}/cert.pem",
        "privateKey": f"{FOLDER}/key.pem",
        # Where the site answers.
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "certificateValidityPeriod": 7776000,
    }
}


@dataclass(frozen=True)
class Authority:
    """The server, and the host that asks it."""

    outside: Host
    edge: Host

    def start(self) -> None:
        """Have it at work; a new one knows nobody."""
        host = self.outside
        host.run(
            f"mkdir -p {FOLDER}; systemctl stop pebble 2>/dev/null; systemctl reset-failed pebble 2>/dev/null; true"
        )
        host.run(f"cat > {FOLDER}/settings.json", given=json.dumps(SETTINGS))
        host.run(
            f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN={NAME}"
            f" -addext subjectAltName=DNS:{NAME} -keyout {FOLDER}/key.pem -out {FOLDER}/cert.pem 2>&1"
        )
        # Half of the names that were proved once it would take for proved again, and it refuses one request in twenty by chance.
        host.run(
            "systemd-run --quiet --unit=pebble --setenv=PEBBLE_VA_NOSLEEP=1 --setenv=PEBBLE_AUTHZREUSE=0"
            " --setenv=PEBBLE_WFE_NONCEREJECT=0"
            f" pebble -config {FOLDER}/settings.json -strict"
        )
        self.edge.run(
            f"sed '/{NAME}/d' /etc/hosts > /tmp/hosts && cat >> /tmp/hosts && cat /tmp/hosts > /etc/hosts",
            given=f"{host.address} {NAME}\n",
        )
        self.finds_the_site()
        for _ in range(50):
            if host.run(f"curl -sk https://127.0.0.1:{PORT}/dir || true"):
                return
            time.sleep(0.2)
        raise AssertionError(host.run("journalctl --no-pager -u pebble | tail -20"))

    def stop(self) -> None:
        """End it."""
        self.outside.run("systemctl stop pebble", check=False)

    def finds_the_site(self, address: str = "") -> None:
        """Let the site's names lead somewhere: to the site where no address is given."""
        line = f"{address or self.edge.address} {DOMAIN} www.{DOMAIN} other.{DOMAIN}\n"
        self.outside.run(
            f"sed '/{DOMAIN}/d' /etc/hosts > /tmp/hosts && cat >> /tmp/hosts && cat /tmp/hosts > /etc/hosts", given=line
        )
        # A program in Go goes by what it has read of that file for five seconds more.
        time.sleep(6)

    @property
    def root(self) -> str:
        """Return the certificate that clients know its certificates by."""
        return self.outside.run(f"curl -sk https://127.0.0.1:{ROOTS}/roots/0") + "\n"

    def values(self, folder: Path, **more: object) -> str:
        """Write the variables of a site that asks it, and return how a run is told to read them."""
        ca = folder / "acme-ca.pem"
        ca.write_text(self.outside.run(f"cat {FOLDER}/cert.pem") + "\n")
        file = folder / "acme.json"
        values = {
            "tls_mode": "acme",
            "tls_acme_agree_tos": True,
            "tls_acme_server": f"https://{NAME}:{PORT}/dir",
            "tls_acme_ca_file": str(ca),
            "tls_acme_email": f"ops@{DOMAIN}",
        }
        file.write_text(json.dumps({**values, **more}))
        return f"-e@{file}"
