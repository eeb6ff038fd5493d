# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether an engine still has its own rules in the kernel: it makes them as it starts, and does not notice that they are gone.

Where nothing can be said they count as there, since what follows from their absence is a restart of the engine.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ansible.module_utils.basic import AnsibleModule

# The ways into Docker's chains, which every version has made: chains that nothing leads to, as `iptables -F` leaves them, do nothing.
WAYS_IN = (
    re.compile(r"^-A PREROUTING .*-j DOCKER$", re.MULTILINE),
    re.compile(r"^-A FORWARD .*-j DOCKER[A-Z0-9-]*$", re.MULTILINE),
)
# What iptables-nft says of a table with rules that it has no words for, in place of the rules.
UNREADABLE = re.compile(r"^# Table `(?:nat|filter)' is incompatible", re.MULTILINE)
TABLE = "table ip docker-bridges"
# As Go reads a flag.
NO = frozenset(f"--iptables={word}" for word in ("0", "f", "F", "false", "False", "FALSE"))


# ---- pure ----


def makes_rules(daemon_json: str, argv: Sequence[str]) -> bool:
    """Whether the engine is known to make rules: it has been told no otherwise, and in no file that we do not read."""
    try:
        settings = json.loads(daemon_json or "{}")
    except ValueError:
        return False
    told = not isinstance(settings, dict) or settings.get("iptables", True) is not True
    elsewhere = any(word.split("=")[0] == "--config-file" for word in argv)
    return not (told or elsewhere or NO & set(argv))


def question(facts: Mapping[str, Any]) -> list[str]:
    """Return the argv that lists what the engine makes, by what `docker info` says; engines before 29 know iptables alone."""
    driver = str((facts.get("FirewallBackend") or {}).get("Driver") or "iptables")
    return ["nft", "list", "tables", "ip"] if driver.startswith("nftables") else ["iptables-save"]


def there(argv: Sequence[str], answer: str) -> bool:
    """Whether the answer to the question has the engine's rules."""
    if argv[0] == "nft":
        return TABLE in answer.splitlines()
    return bool(UNREADABLE.search(answer)) or all(way.search(answer) for way in WAYS_IN)


# ---- the host ----


def in_our_network(pid: str, proc: Path = Path("/proc")) -> bool:
    """Whether a process has the network that we ask in: an engine without root has one of its own."""
    try:
        theirs, ours = ((proc / name / "ns/net").stat() for name in (pid, "self"))
    except (OSError, ValueError):
        return False
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def look(module: AnsibleModule, facts: Mapping[str, Any], daemon_json: str, argv: Sequence[str], pid: str) -> bool:
    """Whether the rules of an engine that runs are there, or nothing can be said of them."""
    if not makes_rules(daemon_json, argv) or not in_our_network(pid):
        return True
    words = question(facts)
    # The same program as dockerd finds, so that it asks the same of the two kinds of iptables.
    program = module.get_bin_path(words[0])
    if not program:
        return True
    code, out, _ = module.run_command([program, *words[1:]])
    return code != 0 or there(words, str(out))
