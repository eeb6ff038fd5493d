# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Passwords that do not survive the files, the SQL and the servers that they pass through; no sentence shows one."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# What `caching_sha2_password` takes. Of a longer one MySQL only says that the operation failed, and where that is the first
# initialisation, the data directory is left half made.
MYSQL_MAX_BYTES = 256
# Django's own way to send mail (https://github.com/python/cpython/issues/73936).
SMTP = "django.core.mail.backends.smtp.EmailBackend"
MYSQL = re.compile(r"mysql_([a-z]+_)?password\Z")


def problems(values: Mapping[str, Any]) -> list[str]:
    """Judge every password, and the secret key, which stands in a file of one line as they do."""
    found = []
    root = values.get("mysql_root_password")
    # The official entrypoint pastes it raw into SQL: a quote aborts the first init and leaves root without password.
    if isinstance(root, str) and re.search(r"['\\]", root):
        found.append(
            "mysql_root_password contains ' or \\, which the MySQL image cannot take at its first start: "
            "use another character (value not shown)"
        )
    for name, value in sorted(values.items()):
        if isinstance(value, str) and (name.endswith("_password") or name == "django_secret_key"):
            flaw = flaw_of(value) or _too_long(name, value) or _unsendable(name, value, values)
            found += [f"{name} {flaw}"] if flaw else []
    return found


def flaw_of(text: str) -> str | None:
    """Say why a text cannot be the one line of a file."""
    kinds = {unicodedata.category(char) for char in text}
    if "Cc" in kinds:
        return (
            "contains a line break or another control character, which no password file keeps: "
            "remove it (value not shown; a block with | adds a line break, |- does not)"
        )
    if "Cs" in kinds:
        return "is not valid Unicode: save the file that it comes from as UTF-8 (value not shown)"
    return None


def _too_long(name: str, text: str) -> str | None:
    size = len(text.encode())
    if not MYSQL.match(name) or size <= MYSQL_MAX_BYTES:
        return None
    return f"takes {size} bytes, and MySQL takes no password of more than {MYSQL_MAX_BYTES}: give a shorter one"


def _unsendable(name: str, text: str, values: Mapping[str, Any]) -> str | None:
    """Say why a password of mail does not leave the application: Python's smtplib raises an error that only its log shows."""
    backend = str(values.get("django_email_backend", SMTP))
    if name != "django_email_host_password" or backend != SMTP or text.isascii():
        return None
    return (
        "holds a letter that is not ASCII, which Python's smtplib cannot send: give another password (value not shown)"
    )
