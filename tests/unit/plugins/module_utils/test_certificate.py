# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which keys and certificates are refused, and with which words."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _certificate, _certificate_read, _tls
from cryptography.x509.oid import ExtendedKeyUsageOID
from support import certificates as made

ROOT = made.make("Root", names=(), usage=None, days=(-500, 3000))
MIDDLE = made.make("Middle", issuer=ROOT, names=(), usage=None, days=(-400, 1000))
URL = "http://ca.example.net/middle.cer"
LEAF = made.make(issuer=MIDDLE, url=URL)
KEY = made.key_pem(LEAF.key)
CHAIN = LEAF.pem + MIDDLE.pem
NAMES = ("www.example.com", "localhost", "127.0.0.1")
WHERE = _certificate.Where()


def problems(certificate: str = CHAIN, key: str = KEY, names: tuple[str, ...] = NAMES) -> list[str]:
    return _certificate_read.problems(certificate, key, names, made.NOW)


def only(found: list[str], *words: str) -> None:
    """Demand one sentence, which says these words."""
    assert len(found) == 1, found
    assert found[0].endswith(".")
    assert [word for word in words if word not in found[0]] == [], found[0]


@pytest.mark.parametrize("certificate", [CHAIN, CHAIN + ROOT.pem, f"\ufeffNotes\r\n{CHAIN}"])
@pytest.mark.parametrize("form", [made.PKCS8, made.TRADITIONAL])
def test_what_serves_is_not_refused(certificate: str, form: object) -> None:
    assert problems(certificate, made.key_pem(LEAF.key, form=form)) == []  # type: ignore[arg-type]


def test_rsa_and_one_that_is_its_own_issuer_serve() -> None:
    own = made.make(key=made.private_key("rsa2048"))
    assert problems(own.pem, made.key_pem(own.key)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no block of PEM at all"),
        (KEY, "tls_certificate holds a private key"),
        (LEAF.pem + KEY, "tls_certificate holds a private key"),
        (CHAIN[:-40], "tls_certificate is cut off"),
        (LEAF.pem.replace("\nMII", "\nNII"), "certificate 1 is broken"),
        (LEAF.pem + MIDDLE.pem.replace("\nMII", "\nNII"), "certificate 2 is broken"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "but a public key"),
    ],
)
def test_certificates_that_cannot_be_read(text: str, words: str) -> None:
    only(problems(text), words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no private key in PEM"),
        (KEY[:-20], "tls_private_key is cut off"),
        (KEY + KEY, "2 private keys"),
        (CHAIN, "no private key in PEM"),
        (KEY.replace("\nM", "\nN", 1), "is broken or of an unknown kind"),
        (made.key_pem(LEAF.key, b"words"), "tls_private_key is encrypted"),
        (made.key_pem(LEAF.key, b"words", made.TRADITIONAL), "tls_private_key is encrypted"),
    ],
)
def test_keys_that_cannot_be_read(text: str, words: str) -> None:
    only(problems(key=text), words)


def test_a_sentence_holds_nothing_of_a_key() -> None:
    body = KEY.splitlines()[1:-1]
    texts = [KEY[:-20], KEY + KEY, KEY.replace("\nM", "\nN", 1), made.key_pem(made.private_key("ec", "somebody"))]
    said = " ".join(sentence for text in texts for sentence in problems(key=text))
    assert said
    assert [line for line in body if line[:20] in said] == []


def test_both_files_are_judged_in_one_run() -> None:
    assert len(problems("", "")) == 2


def test_a_key_of_another_certificate() -> None:
    only(
        problems(key=made.key_pem(made.private_key("ec", "somebody"))),
        "tls_private_key does not belong to tls_certificate",
    )


def test_a_chain_that_begins_with_the_issuer() -> None:
    only(problems(MIDDLE.pem + LEAF.pem), "begins with the wrong certificate", "number 2 (CN=www.example.com)")


def test_a_chain_in_the_wrong_order() -> None:
    only(problems(LEAF.pem + ROOT.pem + MIDDLE.pem), "number 2 (CN=Root) has not issued number 1")


def test_a_chain_of_an_issuer_that_only_has_the_same_name() -> None:
    other = made.make("Middle", issuer=ROOT, names=(), usage=None, key=made.private_key("ec", "somebody"))
    only(problems(LEAF.pem + other.pem), "number 2 (CN=Middle) has not issued number 1")


def test_a_chain_without_what_the_certificate_says_where_to_find() -> None:
    only(problems(LEAF.pem), "holds the server's certificate alone", URL)
    # A root of one's own may have issued it, which every client has then.
    assert problems(made.make(issuer=ROOT).pem) == []


@pytest.mark.parametrize(
    ("days", "words"),
    [((-90, -1), "has expired at 2026-11-26 12:00 UTC"), ((1, 90), "is not valid before 2026-11-28 12:00 UTC")],
)
def test_times(days: tuple[int, int], words: str) -> None:
    only(problems(made.make(issuer=MIDDLE, days=days).pem + MIDDLE.pem), f"tls_certificate {words}")
    late = made.make("Middle", issuer=ROOT, names=(), usage=None, days=days)
    only(problems(LEAF.pem + late.pem), f"certificate 2 (CN=Middle), {words}")


def test_it_has_expired_in_the_very_second() -> None:
    last = dataclasses.replace(_certificate_read.chain_of(CHAIN, WHERE)[0], not_after=made.NOW)
    assert "has expired" in " ".join(_certificate.judge([last], last.key, [], made.NOW, WHERE))


def test_a_root_that_has_expired_is_nobodys_business() -> None:
    old = made.make("Root", names=(), usage=None, days=(-500, -1))
    assert problems(CHAIN + old.pem) == []


@pytest.mark.parametrize(
    ("has", "asked", "missing"),
    [
        (("www.example.com",), "WWW.Example.Com.", ""),
        (("*.example.com",), "www.example.com", ""),
        (("*.example.com",), "example.com", "example.com"),
        (("*.example.com",), "a.b.example.com", "a.b.example.com"),
        (("*.example.com",), "*.example.com", ""),
        (("www.example.com",), "*.example.com", "*.example.com"),
        (("*.com",), "example.com", "example.com"),
        (("*.example.com",), ".example.com", "example.com"),
        (("*.example.com", "example.com"), ".example.com", ""),
        (("xn--mller-kva.example.com",), "müller.example.com", ""),
        (("www.example.com",), "www.example.com:8443", ""),
        (("www.example.com",), "192.0.2.7", "192.0.2.7"),
        (("192.0.2.7", "2001:db8::7"), "192.0.2.7", ""),
        (("192.0.2.7", "2001:db8::7"), "[2001:DB8:0::7]:443", ""),
        (("192.0.2.7", "2001:db8::7"), "2001:db8::8", "2001:db8::8"),
        ((), "www.example.com", "www.example.com"),
        (("www.example.com",), "_", ""),
        (("www.example.com",), "~^.+$", ""),
    ],
)
def test_names(has: tuple[str, ...], asked: str, missing: str) -> None:
    addresses = tuple(item for item in has if item[0].isdigit())
    names = tuple(item for item in has if item not in addresses)
    item = made.make(issuer=ROOT, names=names, addresses=addresses, key=LEAF.key)
    found = problems(item.pem, names=(asked,))
    assert bool(found) is bool(missing), found
    if missing:
        only(found, f"tls_certificate does not cover {missing}:")


def test_names_of_the_host_itself_count_where_there_is_no_other() -> None:
    only(problems(names=("localhost", "127.0.0.1")), "does not cover localhost, 127.0.0.1")


@pytest.mark.parametrize(
    ("kind", "words"), [("rsa1024", "RSA, 1024 bits"), ("ec224", "EC, 224 bits"), ("ed25519", "browsers do not take")]
)
def test_keys_that_browsers_do_not_take(kind: str, words: str) -> None:
    key = made.private_key(kind)
    only(problems(made.make(key=key).pem, made.key_pem(key)), words)


def test_a_hash_that_is_broken() -> None:
    # The library makes none any more, and so one is described.
    leaf, middle = _certificate_read.chain_of(CHAIN, WHERE)
    old = dataclasses.replace(leaf, hash_name="sha1")
    only(_certificate.judge([old, middle], old.key, [], made.NOW, WHERE), "certificate 1", "SHA1, which is broken")


def test_a_certificate_for_something_else() -> None:
    item = made.make(issuer=ROOT, key=LEAF.key, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    only(problems(item.pem), "is not for servers")


def test_a_content_has_one_name() -> None:
    assert _certificate.fingerprint("") == ""
    assert _certificate.fingerprint(CHAIN) == _certificate.fingerprint(f"{CHAIN}\n")
    assert _certificate.fingerprint(CHAIN) != _certificate.fingerprint(LEAF.pem)


@pytest.mark.parametrize(("ca_days", "end", "renew_at"), [(1000, 90, 60), (50, 50, 25)])
def test_what_is_made_here_ends_with_its_issuer(ca_days: int, end: int, renew_at: int) -> None:
    issuer = made.make("CA", names=(), usage=None, authority=True, days=(-1, ca_days))
    state = _certificate_read.made(made.make(issuer=issuer).pem + issuer.pem, ["www.example.com"], 30, made.NOW)
    assert _tls.parsed(state["not_after"]) == made.NOW + timedelta(days=end)
    assert _tls.parsed(state["renew_at"]) == made.NOW + timedelta(days=renew_at)
