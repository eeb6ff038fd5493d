# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether exactly the declared ports answer: the plan, the verdict, and the prober against sockets of this machine."""

from __future__ import annotations

import errno
import re
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _port_probe as probe

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = pytest.mark.parametrize("address", ["127.0.0.1", "::1"])


@contextmanager
def bound(address: str, *, listens: bool) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.bind((address, 0))
        if listens:
            server.listen(8)
        yield server.getsockname()[1]


def test_the_plan_is_every_port_on_every_address() -> None:
    found = probe.plan(
        ["192.0.2.1", "2001:db8::1"], {"answer": [80], "may": [443], "other": [80, 443, 3306]}, filtered=True
    )
    assert [(item.address, item.port, item.expected) for item in found] == [
        ("192.0.2.1", 80, "open"),
        ("192.0.2.1", 3306, "silent"),
        ("2001:db8::1", 80, "open"),
        ("2001:db8::1", 3306, "silent"),
    ]
    assert probe.plan(["192.0.2.1"], {"other": [22]}, filtered=False)[0].expected == "shut"


@pytest.mark.parametrize(
    ("ports", "sentence"), [([0], "0 is no port"), ([65536], "65536 is no port"), (range(1, 1026), "1025 ports and")]
)
def test_a_plan_is_bounded(ports: list[int], sentence: str) -> None:
    with pytest.raises(probe.PlanError, match=sentence):
        probe.plan(["192.0.2.1"], {"other": ports}, filtered=True)


@pytest.mark.parametrize(
    ("expected", "outcome", "sentence"),
    [
        ("open", "open", ""),
        ("open", "refused", r"192.0.2.1:80 does not answer \(refused\), and has to"),
        ("open", "silent", r"does not answer \(silent\)"),
        ("shut", "open", "192.0.2.1:80 accepts connections from outside"),
        ("shut", "refused", ""),
        ("silent", "refused", "refuses in place of being silent"),
        ("silent", "silent", ""),
        ("silent", "open", "accepts connections from outside"),
        ("silent", "unreachable", "nothing is known about it"),
        ("open", "unreachable", "nothing is known about it"),
    ],
)
def test_the_verdict(expected: str, outcome: str, sentence: str) -> None:
    found = probe.run([probe.Probe("192.0.2.1", 80, expected)], ask=lambda *_: outcome)
    assert len(found) == bool(sentence)
    assert re.search(sentence, " ".join(found))


@BOTH
def test_a_port_that_listens_is_open_and_one_that_does_not_refuses(address: str) -> None:
    with bound(address, listens=True) as there, bound(address, listens=False) as shut:
        found = probe.plan([address], {"answer": [there], "other": [shut]}, filtered=False)
        assert probe.run(found) == []
        swapped = probe.plan([address], {"answer": [shut], "other": [there]}, filtered=False)
        assert len(probe.run(swapped)) == 2
        assert len(probe.run(probe.plan([address], {"other": [shut]}, filtered=True))) == 1


def test_a_port_whose_queue_is_full_is_silent_and_costs_its_time_once() -> None:
    with socket.socket() as server, socket.socket() as one, socket.socket() as two:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        for client in (one, two):
            client.settimeout(0)
            client.connect_ex(("127.0.0.1", port))
        time.sleep(0.1)
        began = time.monotonic()
        found = probe.run([probe.Probe("127.0.0.1", port, "silent")] * 20, seconds=0.3)
        assert found == []
        assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (errno.ECONNREFUSED, "refused"),
        (errno.ECONNRESET, "open"),
        (errno.ETIMEDOUT, "silent"),
        (errno.ENETUNREACH, "unreachable"),
        (errno.EHOSTUNREACH, "unreachable"),
    ],
)
def test_what_an_error_says(number: int, outcome: str) -> None:
    assert probe.failure(OSError(number, "")) == outcome


@pytest.mark.parametrize(("answered", "seconds"), [([], 1.0), ([0.003, 2.0], 0.2), ([0.05], 0.5), ([3.0], 1.0)])
def test_silence_is_waited_for_as_long_as_the_way_is(answered: list[float], seconds: float) -> None:
    assert probe.patience(answered) == seconds


def test_addresses_of_a_host() -> None:
    assert probe.addresses("127.0.0.1") == ["127.0.0.1"]
    assert probe.addresses("::1") == ["::1"]
    with pytest.raises(probe.PlanError, match="cannot be looked up"):
        probe.addresses("nowhere.invalid")


def test_the_suspects_fit_into_a_plan() -> None:
    assert len(set(probe.SUSPECTS)) == len(probe.SUSPECTS)
    assert probe.plan(["192.0.2.1"] * 8, {"other": probe.SUSPECTS}, filtered=True)
