# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What testssl.sh says of the site, from the other host."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from conftest import DOMAIN

if TYPE_CHECKING:
    from conftest import Host


def graded(outside: Host, ca: str) -> str:
    """Return the grade of a site that is served by a certificate of that authority, and in which nothing is bad."""
    outside.run("cat > /tmp/ca.pem && rm -f /tmp/grade.json", given=ca)
    outside.run(
        f"testssl --quiet --color 0 --warnings off --add-ca /tmp/ca.pem --jsonfile /tmp/grade.json {DOMAIN}",
        check=False,
        seconds=900,
    )
    found = {item["id"]: item for item in json.loads(outside.run("cat /tmp/grade.json"))}
    # A CA that is as small as this one takes nothing back: it is replaced.
    bad = [name for name, item in found.items() if item["severity"] in {"HIGH", "CRITICAL"}]
    assert bad == ["cert_revocation"]
    return str(found["overall_grade"]["finding"])
