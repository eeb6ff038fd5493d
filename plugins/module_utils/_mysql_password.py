# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a password is the one that MySQL has stored of an account, found out without logging in.

A login for each account and each password, in each run, would cost more than everything else that is asked of the server.
"""

from __future__ import annotations

import hashlib
import hmac
import re

CACHING = "caching_sha2_password"
# What a client may log in with of whom no hash can be compared here; of these `ALTER USER` makes one that can.
_CACHING = re.compile(rb"\$A\$([0-9A-Fa-f]{3})\$(.{20})(.{43})", re.DOTALL)
_ROUNDS_UNIT = 1000
_ALPHABET = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# How SHA-crypt puts the bytes of its digest into groups of three; the last group has two.
_GROUPS = (
    (0, 10, 20),
    (21, 1, 11),
    (12, 22, 2),
    (3, 13, 23),
    (24, 4, 14),
    (15, 25, 5),
    (6, 16, 26),
    (27, 7, 17),
    (18, 28, 8),
    (9, 19, 29),
)


def matches(plugin: str, stored: bytes, password: str) -> bool:
    """Whether a password is the one behind what `mysql.user` holds; never where that is of a kind that is not known here."""
    found = _CACHING.fullmatch(stored) if plugin == CACHING else None
    if found is None:
        return False
    rounds = int(found[1], 16) * _ROUNDS_UNIT
    return hmac.compare_digest(sha256_crypt(password.encode(), found[2], rounds), found[3])


def sha256_crypt(password: bytes, salt: bytes, rounds: int) -> bytes:
    """Return the 43 characters of SHA-256-crypt; MySQL's salt has 20 bytes, of which the C library would take 16."""
    second = hashlib.sha256(password + salt + password).digest()
    first = hashlib.sha256(password + salt + _repeated(second, len(password)))
    length = len(password)
    while length:
        first.update(second if length & 1 else password)
        length >>= 1
    digest = first.digest()
    p = _repeated(hashlib.sha256(password * len(password)).digest(), len(password))
    s = _repeated(hashlib.sha256(salt * (16 + digest[0])).digest(), len(salt))
    for number in range(rounds):
        odd = number & 1
        text = p if odd else digest
        if number % 3:
            text += s
        if number % 7:
            text += p
        text += digest if odd else p
        digest = hashlib.sha256(text).digest()
    return _encoded(digest)


def _repeated(digest: bytes, length: int) -> bytes:
    return (digest * (length // len(digest) + 1))[:length]


def _encoded(digest: bytes) -> bytes:
    text = bytearray()
    for one, two, three in _GROUPS:
        text += _characters(digest[one] << 16 | digest[two] << 8 | digest[three], 4)
    return bytes(text + _characters(digest[31] << 8 | digest[30], 3))


def _characters(value: int, count: int) -> bytes:
    return bytes(_ALPHABET[value >> (6 * index) & 63] for index in range(count))
