# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Networks that Nginx is told of."""

from __future__ import annotations

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _nginx


@pytest.mark.parametrize("name", _nginx.LISTS)
def test_addresses_and_networks_are_taken(name: str) -> None:
    assert _nginx.problems({name: ["203.0.113.7", "203.0.113.0/24", "2001:db8::/32", "::1"]}) == []
    assert _nginx.problems({name: []}) == []
    assert _nginx.problems({}) == []


@pytest.mark.parametrize(
    "value",
    [
        "office.example.com",
        "203.0.113.7/24",
        "203.0.113.0/33",
        "",
        "all",
        "1.2.3.4; deny all",
        "10.0.0.0/255.0.0.0",
        "fe80::1%eth0",
    ],
)
@pytest.mark.parametrize("name", _nginx.LISTS)
def test_what_is_none_is_refused_with_its_name_and_value(name: str, value: str) -> None:
    found = _nginx.problems({name: ["::1", value]})
    assert len(found) == 1
    assert found[0].startswith(f"{name} holds {value}: ")
    assert "203.0.113.0/24" in found[0]
