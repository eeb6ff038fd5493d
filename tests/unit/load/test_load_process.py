# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The load as tests use it: in a process of its own, and from the command line."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import TYPE_CHECKING

import pytest
from support.load_site import Site, free_port, serving

from tests.load import __main__ as program
from tests.load.ledger import check_ledger
from tests.load.process import Load
from tests.load.report import failures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = ("--slow-seconds", "0.1", "--upload-seconds", "0.2", "--upload-bytes", "1000", "--rate", "page=0")


@pytest.fixture
def site() -> Iterator[tuple[Site, str]]:
    """Serve a site in a thread, and return its address."""
    ready = threading.Event()
    found: list[tuple[Site, str, asyncio.Event, asyncio.AbstractEventLoop]] = []

    async def serve() -> None:
        it, end = Site(), asyncio.Event()
        async with serving(it.handle) as target:
            found.append((it, f"http://{target.address}:{target.port}", end, asyncio.get_running_loop()))
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    it, url, end, loop = found[0]
    yield it, url
    loop.call_soon_threadsafe(end.set)
    thread.join(10)


def test_a_test_starts_it_works_and_stops_it(site: tuple[Site, str]) -> None:
    it, url = site
    with Load(url, "load.test", *QUICK) as load:
        time.sleep(0.6)
    assert failures(load.report) == 0, load.output
    assert load.report["host_header"] == "load.test"
    assert load.report["total"]["ok"] == it.requests.total() > 10
    assert check_ledger(load.report, it.rows["ledger"]).ok
    # Its two runs do not take each other's numbers.
    assert int(next(iter(load.report["tasks"]["acknowledged"]))) > 10**12


def test_it_says_why_it_does_not_start() -> None:
    with pytest.raises(RuntimeError, match=r"did not start.*give http://ADDRESS:PORT"):
        Load("ftp://127.0.0.1").start()


def run_program(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the program in this process."""
    monkeypatch.setattr("sys.argv", ["load", *arguments])
    return program.main()


def test_failures_are_its_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = tmp_path / "report.json"
    url = f"http://127.0.0.1:{free_port()}"
    assert run_program(monkeypatch, "--url", url, "--seconds", "0.3", "--report", str(report)) == 1
    document = json.loads(report.read_text())
    assert set(document["total"]["errors"]) == {"refused"}
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_no_failures_are_its_exit_code(
    site: tuple[Site, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program(monkeypatch, "--url", site[1], "--seconds", "0.3", *QUICK) == 0
    assert "keepalive" in capsys.readouterr().out


@pytest.mark.parametrize("rate", ["oneshot", "oneshot=x", "unknown=1", "oneshot=-1"])
def test_a_wrong_rate_is_refused(monkeypatch: pytest.MonkeyPatch, rate: str) -> None:
    with pytest.raises(SystemExit):
        run_program(monkeypatch, "--url", "http://127.0.0.1:1", "--rate", rate)
