# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter that reads the verdicts of a run's hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

VERDICT = "release_verdict"


def failed_hosts(
    hosts: Iterable[str], variables: Mapping[str, Mapping[str, Any]], *, finished: bool = False
) -> list[str]:
    """Return the hosts whose deploy has failed.

    A host without a verdict has not had its turn yet; once all have had it (finished), it does not answer any more.
    """
    states = {host: (variables[host].get(VERDICT) or {}).get("state", "") for host in hosts}
    undecided = ("", "running") if finished else ()
    return sorted(host for host, state in states.items() if state in ("failed", *undecided))


class FilterModule:
    """The filters of this file, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them."""
        return {"failed_hosts": failed_hosts}
