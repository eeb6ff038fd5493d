# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the gates find, and what `explained.yml` says of it.

No gate has a rule switched off. What is as it should be stands there, by rule, by file and by what is found, each with its
reason; an entry that explains nothing any more has to go.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
EXPLAINED = Path(__file__).with_name("explained.yml")
NEEDED = {"rule", "where", "why"}
KEYS = NEEDED | {"holding", "perhaps"}


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that a gate does not like."""

    path: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        """Return the line that a person reads."""
        return f"{self.path}:{self.line}: {self.rule} {self.text}"


@dataclass(frozen=True)
class Reason:
    """Why findings of a kind are right as they are."""

    rules: tuple[str, ...]
    where: tuple[str, ...]
    holding: str
    why: str
    perhaps: bool

    @classmethod
    def read(cls, entry: dict[str, Any]) -> Reason:
        """Read an entry of the file."""
        if not NEEDED <= set(entry) <= KEYS or not str(entry["why"]).strip():
            raise ValueError(f"{entry}: {sorted(NEEDED)} are needed, and there is nothing else than {sorted(KEYS)}")
        rules, where = ([entry[key]] if isinstance(entry[key], str) else entry[key] for key in ("rule", "where"))
        return cls(tuple(rules), tuple(where), entry.get("holding", ""), entry["why"], bool(entry.get("perhaps")))

    def explains(self, finding: Finding) -> bool:
        """Whether it speaks of a finding."""
        return (
            finding.rule in self.rules
            and any(fnmatch(finding.path, pattern) for pattern in self.where)
            and re.search(self.holding, finding.text) is not None
        )


@cache
def reasons(gate: str) -> list[Reason]:
    """Return what is explained of a gate."""
    return [Reason.read(entry) for entry in yaml.safe_load(EXPLAINED.read_text(encoding="utf-8"))[gate]]


def unexplained(gate: str, found: list[Finding]) -> list[str]:
    """Return the findings that nobody has explained."""
    return [str(one) for one in sorted(set(found)) if not any(reason.explains(one) for reason in reasons(gate))]


def useless(gate: str, found: list[Finding]) -> list[str]:
    """Return the explanations of what is not found."""
    return [
        f"{reason.rules} in {reason.where}: {reason.why}"
        for reason in reasons(gate)
        if not reason.perhaps and not any(reason.explains(one) for one in found)
    ]


def problems(gate: str, found: list[Finding]) -> list[str]:
    """Return all that has to be seen to."""
    return unexplained(gate, found) + [f"explains nothing any more: {text}" for text in useless(gate, found)]


@cache
def tracked() -> list[Path]:
    """Return the files of the repository; the links of the collection lead to the same ones."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def short(path: Path) -> str:
    """Return a path of the repository as people name it; where something was rendered differs from run to run."""
    if path.is_relative_to(ROOT):
        return str(path.relative_to(ROOT))
    return re.sub(r"^.*/rendered\d*/[^/]+/", "rendered/", str(path))


def program(name: str) -> str:
    """Return the path of a program that came with the test environment."""
    return str(Path(sys.executable).with_name(name))


def said(argv: list[str], given: str = "", accepted: tuple[int, ...] = (0, 1)) -> str:
    """Run a gate and return its report; one that does not come to its end has found nothing, and must not look clean."""
    done = subprocess.run(argv, cwd=ROOT, input=given, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode not in accepted:
        raise AssertionError(f"{argv[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
