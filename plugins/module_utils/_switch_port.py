# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a switch asks of the host, and nothing of how that is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ansible_collections.barehost.django.plugins.module_utils._edge import Route, Worker
    from ansible_collections.barehost.django.plugins.module_utils._wait import Check


class Host(Protocol):
    """What the switch asks of the host. Each call is safe to repeat."""

    def create(self, scales: Mapping[str, int]) -> Mapping[str, Sequence[str]]:
        """Create containers without starting them: service -> how many more. Return service -> their ids."""

    def newcomers(self, services: Sequence[str]) -> Sequence[str]:
        """Return the containers of these services that are there since create was called, even where it failed."""

    def start(self, ids: Sequence[str]) -> None:
        """Start containers."""

    def unpause(self, ids: Sequence[str]) -> None:
        """Let containers go on that somebody has paused."""

    def restart(self, ids: Sequence[str]) -> None:
        """Restart containers."""

    def stop(self, ids: Sequence[str]) -> None:
        """Ask containers to stop, each within its own grace, and do not wait."""

    def stopped(self, ids: Sequence[str]) -> None:
        """Wait until these containers, which were asked to stop, have done so."""

    def remove(self, ids: Sequence[str]) -> None:
        """Remove containers that do not run."""

    def wait(self, checks: Sequence[Check], timeout: float) -> None:
        """Wait for containers, all at the same time; fail as soon as one of them cannot become ready any more."""

    def route(self) -> Route:
        """Return where requests go, as the edge's files say it."""

    def set_route(self, route: Route, *, tested: bool = False) -> None:
        """Write where requests go, let the edge test and load it, and wait until it has; only write it where none runs.

        An edge that does not see what was written is made anew.

        `tested`: the edge has just accepted the same with more in it, and is not asked whether it would.
        """

    def addresses(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Return the addresses at which the edge reaches containers."""

    def edge_workers(self) -> frozenset[Worker]:
        """Return the processes of the edge that take requests; none where it does not run."""

    def alive(self, workers: frozenset[Worker]) -> frozenset[Worker]:
        """Return those that are still there."""

    def probe(self, timeout: float) -> None:
        """Ask for the health of the new release through the edge until it answers; nothing where no edge runs."""

    def static(self) -> tuple[str, ...]:
        """Return the releases whose static files are served, the first choice first."""

    def set_static(self, releases: Sequence[str]) -> None:
        """Let static files be served from these releases."""

    def tasks(self) -> Callable[[], dict[str, int]]:
        """Begin to count the tasks that wait and those in flight.

        What is returned gives the answer, for which it waits; empty where nobody can be asked.
        """

    def commit(self) -> None:
        """Make the new release the one that everything on the host speaks of."""

    def uncommit(self) -> None:
        """Let everything on the host speak of the earlier release again."""

    def note(self, step: str) -> None:
        """Write down which step begins."""

    def now(self) -> float:
        """Return a clock in seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
