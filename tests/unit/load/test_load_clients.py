# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run against a site with one fault says which, where, and how often."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from support.load_site import ASSET, Site, answer, serving

from tests.load.clients import KINDS
from tests.load.ledger import check_ledger
from tests.load.report import Recorder, failures, summary, window
from tests.load.run import run
from tests.load.stage import Options, Stage
from tests.load.wire import Target

NOTHING = dict.fromkeys((kind.name for kind in KINDS), 0.0)
EVERYTHING = {
    "keepalive": 20,
    "busy": 1,
    "idle": 5,
    "oneshot": 20,
    "slow": 2,
    "upload": 2,
    "ledger": 20,
    "tasks": 20,
    "page": 10,
}


async def load(site: Site, seconds: float, rates: dict[str, float], **options: Any) -> dict[str, Any]:
    """Put load on a site, and return the report."""
    async with serving(site.handle) as target:
        wanted = Options(
            target, seconds, {**NOTHING, **rates}, slow_seconds=0.1, upload_bytes=50_000, upload_seconds=0.3, **options
        )
        return (await run(wanted)).document()


def put(site: type[Site], rates: dict[str, float], seconds: float = 0.4, **options: Any) -> tuple[Site, dict[str, Any]]:
    """Put load on a site of that kind."""

    async def session() -> tuple[Site, dict[str, Any]]:
        it = site()
        return it, await load(it, seconds, rates, **options)

    return asyncio.run(session())


def test_a_good_site_has_no_failures() -> None:
    site, report = put(Site, {**EVERYTHING, "static": 20}, 1.2)
    assert failures(report) == 0, summary(report)
    assert {name: client["sent"] > 0 for name, client in report["clients"].items()} == dict.fromkeys(
        report["clients"], True
    )
    assert set(report["clients"]) == {kind.name for kind in KINDS} | {"asset"}
    assert all(client["sent"] == client["ok"] for client in report["clients"].values())
    assert check_ledger(report, site.rows["ledger"]).ok
    assert check_ledger(report, site.rows["tasks"], "tasks").ok
    assert report["total"]["sent"] == site.requests.total()
    assert len(report["ledger"]["acknowledged"]) == report["clients"]["ledger"]["ok"]


def test_a_busy_client_asks_as_often_as_it_is_answered_and_ends() -> None:
    _, report = put(Site, {"busy": 1}, 0.5, connections={"busy": 2})
    client = report["clients"]["busy"]
    assert client["connections"]["opened"] == 2
    assert client["unsent"] == failures(report) == 0
    # No schedule: what it sends is what two connections can take in half a second.
    assert client["sent"] > 50
    _, bounded = put(Site, {"busy": 1}, 0.5, max_requests=7)
    assert bounded["clients"]["busy"]["sent"] == 7


def test_a_timeline_adds_up_to_the_total() -> None:
    _, report = put(Site, {"oneshot": 20}, 1.2)
    client = report["clients"]["oneshot"]
    assert sum(second["ok"] for second in client["timeline"]) == client["ok"] == len(client["points"])
    assert [second["t"] for second in client["timeline"]] == [0, 1]


class BadGateway(Site):
    """A proxy that has lost its backend."""

    async def respond(self, method: str, path: str, body: bytes) -> bytes | None:
        """Answer well, but not for /health/."""
        return answer(502, b"") if path == "/health/" else await super().respond(method, path, body)


def test_a_bad_status_is_counted_and_sampled() -> None:
    _, report = put(BadGateway, {"keepalive": 100})
    client = report["clients"]["keepalive"]
    assert client["ok"] == 0
    assert client["by_status"] == {"502": client["sent"]}
    assert client["errors"] == {"bad_status": client["sent"]}
    assert len(client["samples"]) == 20
    sample = client["samples"][0]
    assert (sample["class"], sample["phase"], sample["detail"]) == ("bad_status", "body", "502")
    assert report["started"] <= sample["time"] <= report["ended"]
    assert sum(second["errors"] for second in client["timeline"]) == client["sent"]


class Doubling(Site):
    """A proxy that sends some requests twice."""

    def enter(self, ledger: str, what: dict[str, object]) -> bytes | None:
        """Make every third entry twice."""
        if self.rows[ledger].total() % 3 == 0:
            super().enter(ledger, what)
        return super().enter(ledger, what)


def test_doubled_entries_are_named() -> None:
    site, report = put(Doubling, {"ledger": 30})
    verdict = check_ledger(report, site.rows["ledger"])
    assert failures(report) == 0
    assert verdict.doubled
    assert verdict.doubled == {key: count for key, count in site.rows["ledger"].items() if count > 1}
    assert not verdict.ok


class Forgetting(Site):
    """A site that acknowledges what it does not do."""

    def enter(self, ledger: str, what: dict[str, object]) -> bytes | None:
        """Make no entry."""
        content = super().enter(ledger, what)
        self.rows[ledger].clear()
        return content


def test_lost_tasks_are_named() -> None:
    site, report = put(Forgetting, {"tasks": 30}, first_task=7)
    verdict = check_ledger(report, site.rows["tasks"], "tasks")
    assert verdict.missing[0] == "7"
    assert len(verdict.missing) == report["clients"]["tasks"]["ok"]


class LosingAnswers(Site):
    """A site that does what it is asked, and resets the connection before it says so."""

    def enter(self, ledger: str, what: dict[str, object]) -> bytes | None:
        """Make the entry, say nothing."""
        super().enter(ledger, what)


def test_a_post_without_an_answer_is_an_error_but_may_have_been_done() -> None:
    site, report = put(LosingAnswers, {"ledger": 20})
    verdict = check_ledger(report, site.rows["ledger"])
    assert report["clients"]["ledger"]["errors"] == {"reset": report["clients"]["ledger"]["sent"]}
    assert report["ledger"]["acknowledged"] == {}
    assert verdict.ok
    assert sorted(verdict.unknown_done) == sorted(report["ledger"]["unknown"])
    doubled = dict.fromkeys(report["ledger"]["unknown"], 2)
    assert check_ledger(report, doubled).doubled == doubled


class Mixing(Site):
    """A proxy that gives an answer to the wrong request."""

    def enter(self, ledger: str, what: dict[str, object]) -> bytes | None:
        """Answer about something else."""
        super().enter(ledger, what)
        return answer(201, {"id": "another"})


def test_an_answer_to_another_request_acknowledges_nothing() -> None:
    _, report = put(Mixing, {"ledger": 20})
    assert set(report["clients"]["ledger"]["errors"]) == {"bad_body"}
    assert report["ledger"]["acknowledged"] == {}


class WithoutAssets(Site):
    """A release that has thrown away the assets of the page that is open."""

    content: bytes | None = answer(404, b"")

    async def respond(self, method: str, path: str, body: bytes) -> bytes | None:
        """Have pages, but not what they name."""
        return self.content if path == ASSET else await super().respond(method, path, body)


class OtherAssets(WithoutAssets):
    """A web server that has another file under that name."""

    content = answer(200, b"body { color: red }")


@pytest.mark.parametrize(("site", "kind"), [(WithoutAssets, "bad_status"), (OtherAssets, "bad_body")])
def test_a_page_whose_asset_is_gone_is_broken(site: type[Site], kind: str) -> None:
    _, report = put(site, {"page": 30})
    assert report["clients"]["page"]["errors"] == {}
    asset = report["clients"]["asset"]
    assert asset["errors"] == {kind: asset["sent"]}
    assert asset["sent"] > 0


def test_assets_of_the_last_two_releases_are_asked_for() -> None:
    stage = Stage(Options(Target("127.0.0.1", 1, "load.test")), Recorder())
    for name in ("/1", "/2", "/2", "/3", "/2"):
        stage.remember((name, "hash"))
    assert stage.assets == [("/2", "hash"), ("/3", "hash")]


def test_without_a_page_no_asset_is_asked_for() -> None:
    _, report = put(Site, {"static": 50})
    assert report["total"]["sent"] == 0


class Cutting(Site):
    """A site that reads less than was sent."""

    async def respond(self, method: str, path: str, body: bytes) -> bytes | None:
        """Lose the last byte of an upload."""
        return await super().respond(method, path, body[:-1] if path == "/upload/" else body)


def test_an_upload_that_arrives_incomplete_is_an_error() -> None:
    _, report = put(Cutting, {"upload": 5})
    assert set(report["clients"]["upload"]["errors"]) == {"bad_body"}


STALL = 0.6


class Stalling(Site):
    """A site that stands still once."""

    stalled = False

    async def respond(self, method: str, path: str, body: bytes) -> bytes | None:
        """Hold everybody up while the fifth request is answered."""
        if self.requests.total() >= 5 and not self.stalled:
            self.stalled = True
            async with self.gate:
                await asyncio.sleep(STALL)
        return await super().respond(method, path, body)


def test_a_stall_is_seen_by_all_who_were_due_in_it() -> None:
    _, report = put(Stalling, {"keepalive": 40}, 1.2, connections={"keepalive": 1})
    client = report["clients"]["keepalive"]
    assert client["latency_ms"]["p99"] >= STALL * 1000
    # One connection: whoever counts from the sending sees one slow request.
    assert len([late for _, late in client["points"] if late >= STALL * 1000 / 4]) >= 12
    assert client["ok"] == client["sent"] >= 40


def test_a_window_shows_the_stall_and_not_the_time_before() -> None:
    _, report = put(Stalling, {"keepalive": 40}, 1.2)
    first = min(due for due, late in report["clients"]["keepalive"]["points"] if late >= STALL * 1000)
    base = report["started"]
    quiet = window(report, ["keepalive"], [(base, base + first)])
    loud = window(report, ["keepalive"], [(base + first, base + 10)])
    assert quiet["count"] + loud["count"] == report["clients"]["keepalive"]["ok"]
    assert quiet["max"] < STALL * 1000 <= loud["max"]


class Silent(Site):
    """A site that takes requests and never answers."""

    async def respond(self, method: str, path: str, body: bytes) -> bytes | None:
        """Wait for ever."""
        await asyncio.sleep(60)
        return await super().respond(method, path, body)


def test_what_is_not_answered_when_the_run_ends_is_not_forgotten() -> None:
    _, report = put(Silent, {"keepalive": 20}, 1.0, connections={"keepalive": 2}, drain_seconds=0.3)
    client = report["clients"]["keepalive"]
    assert client["errors"] == {"timeout": 2}
    assert client["sent"] == 2
    # Two were under way for ever; the others were due, and nobody was free to send them.
    assert client["unsent"] >= 16
    assert failures(report) == client["unsent"] + 2


def test_the_number_of_requests_has_an_end() -> None:
    site, report = put(Site, {"oneshot": 100, "keepalive": 100}, 5.0, max_requests=20)
    assert site.requests.total() == report["total"]["sent"] == 20


def test_a_stopped_run_finishes_what_is_under_way() -> None:
    async def session() -> tuple[dict[str, Any], float]:
        site = Site()
        async with serving(site.handle) as target:

            def started(stage: Stage) -> None:
                asyncio.get_running_loop().call_later(0.3, stage.stop)

            begin = time.monotonic()
            wanted = Options(target, 600, {**NOTHING, "upload": 10, "idle": 1}, upload_bytes=50_000, upload_seconds=0.5)
            async with asyncio.timeout(60):
                recorder = await run(wanted, started)
            return recorder.document(), time.monotonic() - begin

    report, seconds = asyncio.run(session())
    assert failures(report) == 0
    assert report["clients"]["upload"]["ok"] == report["clients"]["upload"]["sent"] >= 2
    assert seconds < 60


def test_it_is_known_which_release_answered_when() -> None:
    async def session() -> dict[str, Any]:
        site = Site()

        async def switch() -> None:
            await asyncio.sleep(0.5)
            site.release = "two"

        _, report = await asyncio.gather(switch(), load(site, 1.0, {"keepalive": 50}))
        return report

    report = asyncio.run(session())
    one, two = report["releases"]["one"], report["releases"]["two"]
    assert report["started"] <= one["first"] <= one["last"] <= two["first"] <= two["last"] <= report["ended"]
    assert one["answers"] + two["answers"] == report["total"]["ok"]
    assert set(report["release_timeline"][0]["answers"]) == {"one", "two"}
