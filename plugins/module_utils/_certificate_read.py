# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a key and certificates say, read with `cryptography` and never with a program: a key is on no command line.

That library is on every controller, since ansible-core itself needs it. On a host it is there where it is needed: certbot and
community.crypto need it as well. Debian 12 has version 38, so nothing later is taken for granted. Nothing that a host
without it runs may import this file.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _certificate, _tls
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


def now() -> datetime:
    """Return the time."""
    return datetime.now(timezone.utc)


def _key(public: PublicKeyTypes) -> _certificate.Key:
    kind = (
        "rsa" if isinstance(public, rsa.RSAPublicKey) else "ec" if isinstance(public, ec.EllipticCurvePublicKey) else ""
    )
    data = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    other = type(public).__name__.replace("PublicKey", "").strip("_").lower()
    return _certificate.Key(data, kind or other, int(getattr(public, "key_size", 0)))


def _moment(item: x509.Certificate, name: str) -> datetime:
    # The names that end in _utc are of version 42; the others, which are gone in later ones, knew no zone.
    later = getattr(item, f"{name}_utc", None)
    found: datetime = later if later is not None else getattr(item, name).replace(tzinfo=timezone.utc)
    return found


def _names(item: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        value = item.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (), ()
    addresses = tuple(str(address) for address in value.get_values_for_type(x509.IPAddress))
    return tuple(value.get_values_for_type(x509.DNSName)), addresses


def _for_servers(item: x509.Certificate) -> bool:
    try:
        usage = item.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.SERVER_AUTH in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage


def _issuer_url(item: x509.Certificate) -> str:
    try:
        access = item.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return ""
    urls = (
        entry.access_location for entry in access if entry.access_method == AuthorityInformationAccessOID.CA_ISSUERS
    )
    return next((str(url.value) for url in urls if isinstance(url, x509.UniformResourceIdentifier)), "")


def _signed_by(item: x509.Certificate, issuer: x509.Certificate | None) -> bool | None:
    if issuer is None or not hasattr(item, "verify_directly_issued_by"):
        return None
    try:
        item.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001 - each kind of key has its own errors, and all of them say no
        return False
    return True


def _certificate_of(item: x509.Certificate, issuer: x509.Certificate | None) -> _certificate.Certificate:
    names, addresses = _names(item)
    hashed = item.signature_hash_algorithm
    return _certificate.Certificate(
        subject=item.subject.rfc4514_string() or "without a subject",
        issuer=item.issuer.rfc4514_string(),
        key=_key(item.public_key()),
        not_before=_moment(item, "not_valid_before"),
        not_after=_moment(item, "not_valid_after"),
        names=names,
        addresses=addresses,
        hash_name=hashed.name if hashed else "none",
        issuer_url=_issuer_url(item),
        for_servers=_for_servers(item),
        signed_by_next=_signed_by(item, issuer),
    )


def _parsed(block: str, called: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(block.encode())
    except ValueError:
        msg = f"{called} is broken: give the file again as the CA has sent it."
        raise _certificate.CertificateError(msg) from None


def chain_of(text: str, where: _certificate.Where) -> list[_certificate.Certificate]:
    """Read a chain of certificates; raise CertificateError where it is broken."""
    found = enumerate(_certificate.certificate_blocks(text, where), 1)
    items = [_parsed(block, f"{where.certificate}: certificate {number}") for number, block in found]
    try:
        return [_certificate_of(item, after) for item, after in zip(items, [*items[1:], None])]
    except ValueError as error:
        msg = f"{where.certificate} holds something that cannot be read ({error}): have it made anew."
        raise _certificate.CertificateError(msg) from None


def key_of(text: str, where: _certificate.Where) -> _certificate.Key:
    """Read a private key; raise CertificateError, which says nothing of it."""
    block = _certificate.key_block(text, where)
    try:
        return _key(serialization.load_pem_private_key(block.encode(), password=None).public_key())
    except Exception:  # noqa: BLE001 - what it says of a broken key may show some of it
        msg = f"{where.key} is broken or of an unknown kind: give the key again as it was made (value not shown)."
        raise _certificate.CertificateError(msg) from None


def problems(
    certificate: str,
    key: str,
    names: Sequence[str],
    at: datetime,
    where: _certificate.Where | None = None,
) -> list[str]:
    """Return why a server cannot serve with these files, a sentence each; nothing where it can."""
    called = where or _certificate.Where()
    found: list[str] = []
    try:
        chain = chain_of(certificate, called)
    except _certificate.CertificateError as error:
        found.append(str(error))
    try:
        private = key_of(key, called)
    except _certificate.CertificateError as error:
        found.append(str(error))
    return found or _certificate.judge(chain, private, names, at, called)


def described(certificate: str, names: Sequence[str]) -> dict[str, Any]:
    """Describe what the inventory brings in the file beside it; nothing where it cannot be read, which is refused elsewhere."""
    try:
        first = chain_of(certificate, _certificate.Where())[0]
    except _certificate.CertificateError:
        return {}
    return _tls.described(names, certificate, first.not_after, first.not_after - timedelta(days=_tls.PROVIDED_DAYS))


def made(certificate: str, names: Sequence[str], renew_days: int, at: datetime) -> dict[str, Any]:
    """Describe what a CA of the stack's own has signed: it is good for as long as that CA is."""
    end = min(item.not_after for item in chain_of(certificate, _certificate.Where()))
    return _tls.state(names, certificate, at, end, renew_days)
