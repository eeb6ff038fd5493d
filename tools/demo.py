# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The demo's credentials: made once, kept, and shown where they are at the end."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import string
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CREDENTIALS = ROOT / ".demo" / "credentials.json"
URL = "https://localhost:8443"
PASSWORD_LENGTH = 24


def write_credentials() -> None:
    """Make the file unless it is there: a second `make demo` must not change the password."""
    known = json.loads(CREDENTIALS.read_text()) if CREDENTIALS.exists() else {}
    if known.get("url") == URL:
        return
    # A demo that was made before it spoke TLS keeps its password, under its new address.
    CREDENTIALS.unlink(missing_ok=True)
    CREDENTIALS.parent.mkdir(mode=0o700, exist_ok=True)
    password = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(PASSWORD_LENGTH))
    document = {"username": "admin", "password": password, **known, "url": URL}
    # Never readable for others, not even for the moment between writing and chmod.
    with os.fdopen(os.open(CREDENTIALS, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(json.dumps(document, indent=2) + "\n")


def show() -> None:
    """Say where the demo is, and where its password."""
    document = json.loads(CREDENTIALS.read_text())
    print(f"\nThe demo serves at {document['url']} (administration: {document['url']}/admin/)")
    print("The certificate is by an authority of the demo's own, so a browser warns once.")
    print(f"User: {document['username']}, password: in {CREDENTIALS.relative_to(ROOT)}")


def main() -> int:
    """Run from the command line."""
    verbs = {"credentials": write_credentials, "show": show}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=verbs)
    verbs[parser.parse_args().verb]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
