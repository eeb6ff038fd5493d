# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which names a certificate can have at all; an authority is more particular, see _acme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _certificate, _input_rules

if TYPE_CHECKING:
    from collections.abc import Sequence


def name_problem(name: str) -> str | None:
    """Say what is wrong with one name, by the rules of stack_domain; None where nothing is."""
    plain = _certificate.plain_name(name)
    if _certificate.is_pattern(plain) or _certificate.is_address(plain):
        return None
    # A wildcard, or what Django and Nginx write for a domain and everything below it.
    return _input_rules.domain_problem(plain[2:] if plain.startswith("*.") else plain[plain.startswith(".") :])


def problems(names: Sequence[str]) -> list[str]:
    """Say of each name what keeps a certificate from having it, and where there is none that one could be for."""
    todo = "set stack_domain, or tls_names, to the names and addresses of the site."
    found = [(str(name), name_problem(str(name))) for name in names]
    bad = [f"tls_names has '{name}', which is not usable: {problem}; {todo}" for name, problem in found if problem]
    if bad or _certificate.wanted(names):
        return bad
    seen = ", ".join(name for name, _ in found)
    return [f"tls_names is [{seen}], so that a certificate would be for no name: {todo}"]
