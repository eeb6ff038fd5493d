# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which names a certificate can have, and that both modes that no authority judges say so."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.filter import tls
from ansible_collections.barehost.django.plugins.module_utils import _tls_names

VALUES = {"tls_self_signed_days": 397, "tls_self_signed_ca_days": 3650}


@pytest.mark.parametrize(
    "name",
    [
        "www.example.com",
        "WWW.example.com.",
        "www.example.com:8443",
        "localhost",
        "intranet",
        "*.example.com",
        ".example.com",
        "192.0.2.7",
        "2001:db8::7",
        "[2001:db8::7]:443",
        "m\N{LATIN SMALL LETTER U WITH DIAERESIS}nchen.example",
    ],
)
def test_a_name_that_a_certificate_can_have(name: str) -> None:
    assert _tls_names.problems([name]) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bad name", "only a host name or an IP address is meant"),
        ("-x", "'-x' is not a part of a host name"),
        ("a..b", "'' is not a part of a host name"),
        ("http://foo", "leave out the scheme"),
        ("", "a host name has 1 to 253 characters"),
        (".", "a host name has 1 to 253 characters"),
        ("www.*.example.com", "'*' is not a part of a host name"),
        ("www.example.*", "'*' is not a part of a host name"),
        ("300.0.2.7", "it is neither a valid IP address nor a host name"),
        ("a:b:c", "is not a part of a host name"),
    ],
)
def test_a_name_that_none_can_have_is_said_with_what_to_do(name: str, said: str) -> None:
    (problem,) = _tls_names.problems(["www.example.com", name])
    assert problem.startswith(f"tls_names has '{name}', which is not usable: ")
    assert said in problem
    assert problem.endswith("; set stack_domain, or tls_names, to the names and addresses of the site.")


@pytest.mark.parametrize(("names", "seen"), [([], "[]"), (["_", "*", "~^www"], "[_, *, ~^www]")])
def test_names_that_stand_for_none_are_none(names: list[str], seen: str) -> None:
    (problem,) = _tls_names.problems(names)
    assert problem.startswith(f"tls_names is {seen}, so that a certificate would be for no name: set ")
    # Beside one that is meant they are passed over, as they are in the certificate.
    assert _tls_names.problems([*names, "www.example.com"]) == []


@pytest.mark.parametrize(
    ("mode", "refused"), [("self_signed", True), ("provided", True), ("off", False), (False, False)]
)
def test_each_mode_that_has_a_certificate_judges_its_names(mode: Any, *, refused: bool) -> None:
    found = tls.tls_problems({**VALUES, "tls_mode": mode}, ["bad name", "-x"], "https", "www.example.com")
    assert [problem.split(",")[0] for problem in found if problem.startswith("tls_names")] == (
        ["tls_names has 'bad name'", "tls_names has '-x'"] if refused else []
    )
