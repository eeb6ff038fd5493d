# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the edge sends requests, and which of its processes are still there."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _edge

if TYPE_CHECKING:
    from pathlib import Path

ROUTES = [_edge.Route("web-0a1b", 8000), _edge.Route("web-0a1b", 8080, ("192.0.2.7", "192.0.2.8")), _edge.Route()]


@pytest.mark.parametrize("route", ROUTES)
def test_what_is_written_is_read_back(route: _edge.Route) -> None:
    assert _edge.parse_servers(_edge.servers_text(route)) == route


@pytest.mark.parametrize("text", ["", "server web:8000;\n", "# server web-1:8000 resolve max_fails=0;\n"])
def test_what_we_did_not_write_is_no_route(text: str) -> None:
    assert _edge.parse_servers(text) == _edge.Route()


def test_the_stamp_is_of_the_servers() -> None:
    one, two = (_edge.servers_text(route) for route in ROUTES[:2])
    assert _edge.stamp(one) != _edge.stamp(two)
    assert f'"{_edge.stamp(one)}\\n"' in _edge.stamp_text(one)


@pytest.mark.parametrize(
    ("body", "release"),
    [
        ('{"status": "ok", "release": "r2"}', "r2"),
        ('{"status": "ok"}', ""),
        ("OK", ""),
        ("[]", ""),
        ('{"release": null}', ""),
    ],
)
def test_a_health_page_may_name_its_release(body: str, release: str) -> None:
    assert _edge.named_release(body) == release


def test_a_process_is_known_by_when_it_started() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        workers = _edge.descendants(os.getpid())
        mine = frozenset(worker for worker in workers if worker.pid == child.pid)
        assert len(mine) == 1
        assert _edge.alive(mine) == mine
        # The same number, used again by a later process.
        assert _edge.alive(frozenset({_edge.Worker(child.pid, "1")})) == frozenset()
        child.communicate(b"\n")
    assert _edge.alive(mine) == frozenset()


def test_children_of_children_count_and_names_may_hold_brackets(tmp_path: Path) -> None:
    fields = "S {parent} " + " ".join(["0"] * 17) + " {start} 0"
    for pid, parent, start in ((10, 1, 5), (11, 10, 6), (12, 11, 7), (13, 1, 8)):
        folder = tmp_path / str(pid)
        folder.mkdir()
        (folder / "stat").write_text(f"{pid} (nginx: a) b) " + fields.format(parent=parent, start=start))
    assert _edge.descendants(10, tmp_path) == {_edge.Worker(11, "6"), _edge.Worker(12, "7")}
