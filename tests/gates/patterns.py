# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the secrets of a stack look like where detect-secrets has no detector of its own for them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from detect_secrets.plugins.base import RegexBasedDetector

if TYPE_CHECKING:
    from collections.abc import Iterable

# What stands there instead of a value: a variable, a template, a format, dots.
OPEN = r"(?![$<{%]|\.\.\.|\*\*\*)"


class StackSecrets(RegexBasedDetector):
    """Passwords, hashes and keys of MySQL, Redis, Django, age, restic, Ansible Vault and mail, in the formats of a stack."""

    secret_type = "Secret of a stack"
    # The sign at the beginning of a hash stays outside: what begins with it is taken for a variable elsewhere.
    denylist: ClassVar[Iterable[re.Pattern[str]]] = (
        # A URL with a password and without a user, as Redis has it.
        re.compile(rf"\brediss?://:{OPEN}([^\s@/'\"]{{4,}})@"),
        re.compile(rf"\b(?:MYSQL_PWD|REDISCLI_AUTH|RESTIC_PASSWORD|MYSQL_ROOT_PASSWORD)=['\"]?{OPEN}([^\s'\"]{{4,}})"),
        re.compile(rf"\bIDENTIFIED (?:WITH \S+ )?BY '{OPEN}([^'\s]{{4,}})'", re.IGNORECASE),
        re.compile(rf"^\s*requirepass\s+{OPEN}(\S{{4,}})", re.MULTILINE),
        re.compile(r"\buser \S+ on #([0-9a-f]{64})\b"),
        re.compile(r"\$(A\$[0-9A-Fa-f]{3}\$.{20}[./0-9A-Za-z]{43})"),
        re.compile(r"\$((?:2[aby]|5|6|7|y|argon2id?)\$[^\s:'\"]{20,})"),
        re.compile(r"\b(pbkdf2_sha256\$\d+\$[^\s'\"]{20,})"),
        re.compile(r"\b(AGE-SECRET-KEY-1[0-9A-Z]{20,})"),
        re.compile(r"\$(ANSIBLE_VAULT;\d[^\n]*)"),
        re.compile(r"\b(django-insecure-\S{20,})"),
        re.compile(r"(?:-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----)\s*([A-Za-z0-9+/=]{20,})"),
    )
