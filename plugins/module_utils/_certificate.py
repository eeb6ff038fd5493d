# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a server can serve with a key and a chain of certificates, judged before Nginx or a browser is the first to say no.

Only facts are judged here, with the standard library alone; `_certificate_read` finds them in the files. No sentence holds
anything of a key.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
# What Mozilla's guideline and the CAs of browsers ask for.
RSA_BITS, EC_BITS = 2048, 256
BROKEN_HASHES = ("md5", "sha1")
HOURS = "%Y-%m-%d %H:%M UTC"
# Nobody outside reaches a server by these, and no public CA signs them.
LOCAL = ("localhost", "127.0.0.1", "::1")


class CertificateError(ValueError):
    """Files that cannot be read as a key and certificates; the text is a sentence."""


@dataclass(frozen=True)
class Where:
    """How the files are called in a sentence: the names of the variables, or paths."""

    certificate: str = "tls_certificate"
    key: str = "tls_private_key"


@dataclass(frozen=True)
class Key:
    """A private key, as far as it may be known."""

    public: bytes
    kind: str  # rsa | ec | another name
    bits: int


@dataclass(frozen=True)
class Certificate:
    """What a certificate says."""

    subject: str
    issuer: str
    key: Key
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    hash_name: str = "sha256"
    # Where its issuer's certificate can be had, as it says itself.
    issuer_url: str = ""
    for_servers: bool = True
    # Whether the next one of the chain has signed it; None for the last one, and where that cannot be told.
    signed_by_next: bool | None = None

    @property
    def self_signed(self) -> bool:
        """Whether it is its own issuer."""
        return self.subject == self.issuer


def fingerprint(certificate: str) -> str:
    """Name one content of the file with the certificates, for a comment in a configuration."""
    return hashlib.sha256(certificate.strip().encode()).hexdigest()[:16] if certificate.strip() else ""


def blocks(text: str) -> list[tuple[str, str]]:
    """Return the blocks of a text in PEM, each with its label; raise CertificateError where one does not end."""
    found = [(match[1], match[0]) for match in BLOCK.finditer(text)]
    if len(found) != len(BEGIN.findall(text)):
        msg = "is cut off: a block begins and does not end"
        raise CertificateError(msg)
    return found


def certificate_blocks(text: str, where: Where) -> list[str]:
    """Return the certificates of a text, in their order."""
    try:
        found = blocks(text)
    except CertificateError as error:
        msg = f"{where.certificate} {error}: give the whole file again, from its first BEGIN line to its last END line."
        raise CertificateError(msg) from None
    if any(label.endswith("PRIVATE KEY") for label, _ in found):
        msg = f"{where.certificate} holds a private key: give certificates alone there, and the key in {where.key}."
        raise CertificateError(msg)
    certificates = [block for label, block in found if label in CERTIFICATES]
    if not certificates:
        seen = f"a {found[0][0].lower()}" if found else "no block of PEM at all"
        msg = (
            f"{where.certificate} holds no certificate but {seen}: give the server's certificate and its chain in PEM."
        )
        raise CertificateError(msg)
    return certificates


def key_block(text: str, where: Where) -> str:
    """Return the one private key of a text; raise CertificateError, which says nothing of it."""
    try:
        found = blocks(text)
    except CertificateError as error:
        msg = f"{where.key} {error}: give the whole file again, from its BEGIN line to its END line."
        raise CertificateError(msg) from None
    keys = [block for label, block in found if label.endswith("PRIVATE KEY")]
    if len(keys) != 1:
        seen = f"{len(keys)} private keys" if keys else "no private key in PEM"
        msg = f"{where.key} holds {seen}: give the one that belongs to {where.certificate}."
        raise CertificateError(msg)
    if "BEGIN ENCRYPTED" in keys[0] or re.search(r"^Proc-Type:.*ENCRYPTED", keys[0], re.MULTILINE):
        msg = (
            f"{where.key} is encrypted, and nobody is there to type its passphrase when Nginx starts: decrypt it "
            "(openssl pkey -in encrypted.pem -out privkey.pem), and keep it in the vault."
        )
        raise CertificateError(msg)
    return keys[0]


def wanted(names: Iterable[str]) -> list[str]:
    """Return those of a server's names that a certificate has to cover, as certificates say them."""
    plain = [plain_name(name) for name in names]
    usable = [name for name in plain if name and not is_pattern(name)]
    far = [name for name in usable if name not in LOCAL]
    found = []
    for name in far or usable:
        # What Django and Nginx write for a domain and everything below it.
        found += [name[1:], f"*{name}"] if name.startswith(".") else [name]
    return list(dict.fromkeys(found))


def is_pattern(name: str) -> bool:
    """Whether Nginx or Django has it stand for any name, and so for none in particular."""
    return name in ("_", "*") or name.startswith("~")


def plain_name(name: str) -> str:
    """Return a name without its port, its brackets and its last dot, in the letters that travel."""
    text = re.sub(r":\d+$", "", name.strip()) if name.count(":") == 1 or name.startswith("[") else name.strip()
    text = text.strip("[]").rstrip(".").lower()
    if text.isascii():
        return text
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        return text


def _address(name: str) -> str | None:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return None


def is_address(name: str) -> bool:
    """Whether a name is an IP address."""
    return _address(name) is not None


def covers(certificate: Certificate, name: str) -> bool:
    """Whether a browser takes a certificate for a name (RFC 9525): its own, or a wildcard for exactly one label."""
    address = _address(name)
    if address is not None:
        return address in {_address(item) for item in certificate.addresses}
    own = {plain_name(item) for item in certificate.names}
    if name in own:
        return True
    rest = name.partition(".")[2]
    return "." in rest and f"*.{rest}" in own


def _name_problems(certificate: Certificate, names: Sequence[str], where: Where) -> list[str]:
    missing = [name for name in wanted(names) if not covers(certificate, name)]
    if not missing:
        return []
    known = ", ".join([*certificate.names, *certificate.addresses]) or "no name (the common name alone counts no more)"
    return [
        (
            f"{where.certificate} does not cover {', '.join(missing)}: it is for {known}. Have one made for all names of the site, "
            "or take those names out of tls_names."
        )
    ]


def _time_problems(chain: Sequence[Certificate], now: datetime, where: Where) -> list[str]:
    found = []
    for index, item in enumerate(chain):
        which = where.certificate if index == 0 else f"{where.certificate}, certificate {index + 1} ({item.subject}),"
        if item.not_after <= now:
            # A root that the browser has anyway is not looked at.
            if not (index and item.self_signed):
                found.append(
                    f"{which} has expired at {item.not_after.strftime(HOURS)}: renew it, and give the new one."
                )
        elif item.not_before > now:
            found.append(
                f"{which} is not valid before {item.not_before.strftime(HOURS)}, and it is {now.strftime(HOURS)} here: wait, or "
                "put the clock right."
            )
    return found


def _key_problems(chain: Sequence[Certificate], key: Key, where: Where) -> list[str]:
    if key.public == chain[0].key.public:
        return []
    other = next((index for index, item in enumerate(chain) if item.key.public == key.public), 0)
    if other:
        return [
            (
                f"{where.certificate} begins with the wrong certificate: {where.key} belongs to number {other + 1} "
                f"({chain[other].subject}). Put the server's own first, then its issuer's, and so on."
            )
        ]
    return [
        (
            f"{where.key} does not belong to {where.certificate} ({chain[0].subject}): give the key that the certificate was "
            "requested with."
        )
    ]


def _order_problems(chain: Sequence[Certificate], where: Where) -> list[str]:
    for index, (item, after) in enumerate(zip(chain, chain[1:])):
        if item.issuer != after.subject or item.signed_by_next is False:
            return [
                (
                    f"{where.certificate}: number {index + 2} ({after.subject}) has not issued number {index + 1} ({item.subject}), "
                    f"which {item.issuer} has. Put the server's certificate first, and after each one that of its issuer."
                )
            ]
    last = chain[-1]
    if len(chain) == 1 and not last.self_signed and last.issuer_url:
        return [
            (
                f"{where.certificate} holds the server's certificate alone, and most clients do not fetch that of its issuer "
                f"({last.issuer}): append it; {last.issuer_url} has it."
            )
        ]
    return []


def _strength_problems(chain: Sequence[Certificate], where: Where) -> list[str]:
    found = []
    key = chain[0].key
    if key.kind not in ("rsa", "ec"):
        found.append(
            f"{where.key} is of the kind {key.kind}, which browsers do not take: make one with ECDSA P-256 or RSA."
        )
    elif key.bits < (RSA_BITS if key.kind == "rsa" else EC_BITS):
        found.append(
            f"{where.key} is too weak ({key.kind.upper()}, {key.bits} bits): make one with ECDSA P-256, or RSA of {RSA_BITS} bits."
        )
    found += [
        f"{where.certificate}, certificate {index + 1} ({item.subject}), is signed with {item.hash_name.upper()}, which is "
        "broken: have it made anew."
        for index, item in enumerate(chain)
        # Nobody checks the signature of a root by which it vouches for itself.
        if item.hash_name in BROKEN_HASHES and not (index and item.self_signed)
    ]
    if not chain[0].for_servers:
        found.append(f"{where.certificate} is not for servers (extended key usage): have one made with serverAuth.")
    return found


def judge(chain: Sequence[Certificate], key: Key, names: Sequence[str], now: datetime, where: Where) -> list[str]:
    """Return everything that is wrong, a sentence each with what to do."""
    key_wrong = _key_problems(chain, key, where)
    if key_wrong:
        # Of another certificate than the one that was meant, the rest says nothing.
        return key_wrong
    return [
        *_time_problems(chain, now, where),
        *_name_problems(chain[0], names, where),
        *_order_problems(chain, where),
        *_strength_problems(chain, where),
    ]
