# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Passwords against what MySQL keeps of them, as a server has said it."""

from __future__ import annotations

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _mysql_password

# Of MySQL 9.7.4: an account whose password was changed with RETAIN CURRENT PASSWORD.
PRIMARY = bytes.fromhex(
    "24412430304124084F32030F5D4A300549703A3C195E586645495673785943654752664339446377324D626A4965"
    "5A49415A4F59625934413768786D68523050534F62676137"
)
SECONDARY = bytes.fromhex(
    "244124303041240F6E491443752C6473185F796B7234031A5A436A73654F7958573559734F514A2E6A4A4B37304C"
    "61615753484139496C62344468382F362F6844364A665730"
)
FIRST, SECOND = "not-for-production-1", "nicht-für-den-Betrieb-2"


@pytest.mark.parametrize(
    ("stored", "password", "same"),
    [(PRIMARY, SECOND, True), (SECONDARY, FIRST, True), (PRIMARY, FIRST, False), (SECONDARY, SECOND, False)],
)
def test_a_password_is_told_from_another(stored: bytes, password: str, *, same: bool) -> None:
    assert _mysql_password.matches("caching_sha2_password", stored, password) is same


def test_what_is_not_known_is_no_password() -> None:
    assert not _mysql_password.matches("mysql_native_password", PRIMARY, SECOND)
    for stored in (b"", b"$A$", PRIMARY[:-1], b"*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29"):
        assert not _mysql_password.matches("caching_sha2_password", stored, SECOND)


@pytest.mark.parametrize(
    ("password", "salt", "rounds", "expected"),
    # As the C library's crypt() has it.
    [
        ("Hello world!", "saltstring", 5000, "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        ("Hello world!", "saltstringsaltst", 10000, "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"),
        (
            "a very much longer text to encrypt.  This one even stretches over morethan one line.",
            "saltstringsaltst",
            5000,
            "gLl2ijR5xacVyGj.s7X9fnVkkwHUdYIj7sOOeOzeXW2",
        ),
        ("", "abc", 1000, "sP9FmVrTEqPcRDE7OxGDY0efugGF1dtCtqYcUsX9wmD"),
        ("nicht-für", "abc", 1400, "9H5YY4qOgyA6oR1Ox3JnuWNTIjwB38GSMNORZ4222zB"),
    ],
)
def test_the_hash_is_the_standard_one(password: str, salt: str, rounds: int, expected: str) -> None:
    assert _mysql_password.sha256_crypt(password.encode(), salt.encode(), rounds).decode() == expected
