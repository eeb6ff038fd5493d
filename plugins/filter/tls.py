# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters of the role `tls`: what is given, what is wrong with it, and whether a certificate has to be made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _acme,
    _certificate,
    _certificate_read,
    _tls,
    _tls_names,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def tls_given(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of the certificate and the key; a file that is not there is an empty one, and refused elsewhere."""
    return _tls.given(values)


def tls_problems(values: Mapping[str, Any], names: Sequence[str], scheme: str, domain: str) -> list[str]:
    """Return what is wrong, a sentence each; nothing of the key is in it."""
    chosen = _tls.mode(values["tls_mode"])
    found = _tls.scheme_problems(chosen, scheme, domain)
    if chosen == _tls.ACME:
        return found + _acme.problems(values, names)
    if chosen in (_tls.SELF_SIGNED, _tls.PROVIDED):
        found += _tls_names.problems(names)
    if chosen == _tls.SELF_SIGNED:
        return found + _tls.own_problems(values)
    if chosen != _tls.PROVIDED:
        return found
    found += _tls.given_problems(values)
    if found:
        return found
    texts = _tls.given(values)
    called = [values.get(file) or text for text, file in _tls.PAIRS]
    where = _certificate.Where(*called)
    return _certificate_read.problems(texts["tls_certificate"], texts["tls_private_key"], names, _tls.now(), where)


def tls_reason(seen: Mapping[str, Any], names: Sequence[str], server: str = "") -> str:
    """Say why the stack has to come by another certificate; empty where it has one that will do."""
    return _tls.reason(seen, names, _tls.now(), server)


def tls_state(chain: str, names: Sequence[str], renew_days: int) -> dict[str, Any]:
    """Describe a certificate that has just been made."""
    return _certificate_read.made(chain, names, int(renew_days), _tls.now())


def tls_described(chain: str, names: Sequence[str]) -> dict[str, Any]:
    """Describe a certificate that the inventory brings."""
    return _certificate_read.described(chain, names)


def tls_key(text: str) -> str:
    """Return the private key alone of a text that may hold more: Nginx takes each certificate of the file for one of the chain."""
    return _certificate.key_block(text, _certificate.Where())


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "tls_given": tls_given,
            "tls_problems": tls_problems,
            "tls_reason": tls_reason,
            "tls_state": tls_state,
            "tls_described": tls_described,
            "tls_key": tls_key,
            "tls_fingerprint": _certificate.fingerprint,
            "tls_alternatives": _tls.alternatives,
        }
