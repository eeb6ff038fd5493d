# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a server may be started on a data directory, by the versions of both.

The rules are those of https://dev.mysql.com/doc/refman/9.7/en/upgrade-paths.html and
https://dev.mysql.com/doc/refman/9.7/en/downgrading.html, and, for the versions that are named after year and month since 26.7,
https://dev.mysql.com/doc/refman/26.7/en/mysql-releases.html:

- inside of an LTS series a server takes the data of an earlier patch release and of a later one;
- inside of 8.0 and of an innovation series only of an earlier one;
- from one series to a later one, as long as no LTS series lies in between; so 8.0 comes to 9.7 through 8.4 alone, and what
  is named after a month is come to from 9.7 alone;
- never back to an earlier series.

Which of the series to come are LTS series is not known here. A step that this lets pass and the server does not, it refuses
itself before it changes anything.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Series that none may be left out of on the way up, the oldest first; the first two are no LTS series by name.
ANCHORS = ((5, 7), (8, 0), (8, 4), (9, 7))
# Those in which a server takes the data of a later patch release, too.
BOTH_WAYS = frozenset({(8, 4), (9, 7)})
# In the data directory: what servers from 8.4 on write, and what those before it did.
HISTORY_FILE, INFO_FILE = "mysql_upgrade_history", "mysql_upgrade_info"
# Where in a redo log it stands who made it.
REDO_CREATOR, REDO_HEAD = 16, 64
PLAYBOOK = "barehost.django.upgrade_mysql"

SAME, PATCH, STEP, REFUSED, UNKNOWN = "same", "patch", "step", "refused", "unknown"


@dataclass(frozen=True, order=True)
class Version:
    """A version of a server; its patch release is -1 where only the series is known."""

    major: int
    minor: int
    patch: int = -1

    @property
    def series(self) -> tuple[int, int]:
        """Return what patch releases share."""
        return self.major, self.minor

    def __str__(self) -> str:
        """Return it as people write it."""
        return ".".join(str(part) for part in (self.major, self.minor, self.patch) if part >= 0)


@dataclass(frozen=True)
class Verdict:
    """What becomes of a data directory under a server, and why not where that is refused."""

    kind: str
    problem: str = ""


def parse(text: str) -> Version | None:
    """Read a version at the beginning of a text, as `9.7.4-1.el9` or `8.0.36`; None where there is none."""
    match = re.match(r"\s*(\d+)\.(\d+)(?:\.(\d+))?(?![.\d])", text)
    return Version(int(match[1]), int(match[2]), int(match[3] or -1)) if match else None


def of_history(text: str) -> Version | None:
    """Return the last version in the file that servers from 8.4 on keep; it stands there as soon as an upgrade has begun."""
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        return max(filter(None, (parse(str(entry["version"])) for entry in json.loads(text)["upgrade_history"])))
    return None


def of_redo(head: bytes) -> Version | None:
    """Return the version in the header of a redo log, which says who made it."""
    match = re.match(rb"MySQL (\d+\.\d+\.\d+)", head[REDO_CREATOR:])
    return parse(match[1].decode()) if match else None


def of_data(folder: Path) -> Version | None:
    """Return the version of a data directory; None where it does not say.

    One that 8.0 has made and no other server has seen has neither of the files, and is known by its redo log alone.
    """
    for name, read in ((HISTORY_FILE, of_history), (INFO_FILE, parse)):
        with suppress(OSError, UnicodeDecodeError):
            return read((folder / name).read_text(encoding="utf-8"))
    found = []
    for path in [*folder.glob("#innodb_redo/#ib_redo*"), *folder.glob("ib_logfile*")]:
        with suppress(OSError), path.open("rb") as file:
            found.append(of_redo(file.read(REDO_HEAD)))
    return max(filter(None, found), default=None)


def of_environment(environment: Iterable[str]) -> Version | None:
    """Return the version of an image by its environment; that of an innovation release has a word in place of its series."""
    values = dict(item.split("=", 1) for item in environment if "=" in item)
    return parse(values.get("MYSQL_VERSION", "")) or parse(values.get("MYSQL_MAJOR", ""))


def of_answer(text: str) -> Version | None:
    """Return the version in the answer of `mysqld --version`."""
    match = re.search(r"\bVer (\d\S*)", text)
    return parse(match[1]) if match else None


def of_reference(reference: str) -> Version | None:
    """Return the version in an image's tag, for an image that is not there yet; None where the tag does not say."""
    name, colon, tag = reference.partition("@")[0].rpartition("/")[2].partition(":")
    return parse(tag) if name == "mysql" and colon else None


def steps(data: Version, wanted: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the series to go through, the wanted one last."""
    return [series for series in ANCHORS if data.series < series < wanted] + [wanted]


def name(series: tuple[int, int]) -> str:
    """Return a series as people write it."""
    return f"{series[0]}.{series[1]}"


def judge(data: Version | None, image: Version | None, reference: str, *, upgrade: bool = False) -> Verdict:
    """Decide about a server of an image on a data directory; with upgrade its series may be a later one."""
    if data is None or image is None:
        return Verdict(UNKNOWN)
    if data.series == image.series:
        return _inside(data, image, reference)
    told = f"the data is of MySQL {data}, and the image {reference} is MySQL {name(image.series)}"
    if image.series < data.series:
        return Verdict(
            REFUSED,
            f"{told}: an older server must not meet it. Give an image of MySQL {name(data.series)} as mysql_image; data goes "
            "back to an earlier series only through a dump",
        )
    path = steps(data, image.series)
    if len(path) > 1:
        way = ", then ".join(name(series) for series in path)
        return Verdict(
            REFUSED,
            f"{told}: it has to pass through {' and '.join(name(series) for series in path[:-1])}. Give mysql_image an image of "
            f"{way}, and run {PLAYBOOK} for each",
        )
    if not upgrade:
        return Verdict(
            REFUSED,
            f"{told}: a deploy does not change the series, since there is no way back. Run {PLAYBOOK}, which keeps a copy of the "
            "data, or give mysql_image the earlier image again",
        )
    return Verdict(STEP)


def _inside(data: Version, image: Version, reference: str) -> Verdict:
    """Decide inside of a series."""
    if -1 in (data.patch, image.patch) or data == image:
        return Verdict(SAME)
    if data < image or data.series in BOTH_WAYS:
        return Verdict(PATCH)
    return Verdict(
        REFUSED,
        f"the data is of MySQL {data}, and the image {reference} is MySQL {image}: inside of {name(data.series)} there is no way "
        f"back to an earlier patch release. Give an image of MySQL {data} or later as mysql_image",
    )
