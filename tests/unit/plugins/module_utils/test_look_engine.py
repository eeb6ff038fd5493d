# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where an engine listens, by its command line."""

from __future__ import annotations

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _look

TCP = "tcp://0.0.0.0:2375"


@pytest.mark.parametrize(
    ("argv", "hosts"),
    [
        (["dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock"], ["fd://"]),
        (["dockerd", "-H", "fd://", "-H", TCP], ["fd://", TCP]),
        (["dockerd", f"-H{TCP}"], [TCP]),
        (["dockerd", f"-H={TCP}"], [TCP]),
        (["dockerd", f"--host={TCP}", "--host", "0.0.0.0:2376"], [TCP, "0.0.0.0:2376"]),
        (["dockerd", "-H", TCP, "--tlsverify", "--tlscacert=/ca.pem"], []),
        (["dockerd", "-H", TCP, "--tlsverify=false"], [TCP]),
        (["dockerd", "--hostname-of-something", "x"], []),
        (["dockerd", "-H"], []),
        ([], []),
    ],
)
def test_where_it_listens(argv: list[str], hosts: list[str]) -> None:
    assert _look.engine_hosts(argv) == hosts
