# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the variables of backups, drills and restores can still get wrong: the limits of the program on the host, before it is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _backup_settings,
    _drill,
    _input,
    _manifest,
    _restic,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

# Variables that a playbook reads, and the option of a role that each becomes.
PLAYBOOK_OPTIONS = {
    name.replace("backup_", "", 1): name
    for name in (
        "backup_restore_allow_schema_mismatch",
        "backup_restore_confirm",
        "backup_restore_dump_first",
        "backup_restore_flush_cache",
        "backup_restore_from",
        "backup_restore_keep_old",
        "backup_restore_parts",
    )
}
LEAST: Mapping[str, float] = {
    **{f"backup_{name}": least for name, least in _backup_settings.LEAST.items()},
    **{f"backup_offsite_{name}": least for name, least in _restic.LEAST.items()},
    **{f"backup_drill_{name}": least for name, least in _drill.LEAST.items()},
    "backup_drill_cpus": _drill.LEAST_CPUS,
    "backup_timer_rest_percent": 0,
}
MOST: Mapping[str, float] = {"backup_zstd_level": _backup_settings.LEVELS[1], "backup_offsite_check_percent": 100}
PARTS = ("database", "media")
CALENDARS = ("backup_on_calendar", "backup_drill_on_calendar")
# What the words of a time may be, see systemd.time(7), CALENDAR EVENTS. Wider than what systemd takes, and never narrower: only a host
# knows its systemd and its time zones, and what is no time at all is refused before any host is touched.
CALENDAR_WORDS = frozenset(
    {
        *("minutely", "hourly", "daily", "weekly", "monthly", "yearly", "annually"),
        *("quarterly", "semiannually", "semi-annually"),
    }
)
DAY = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*"
DAYS = re.compile(rf"{DAY}(?:(?:,|\.\.|-){DAY})*,?", re.IGNORECASE)
DATE_OR_TIME = re.compile(r"(?=.*[-~:@])@?[0-9*][0-9*.,/:~T-]*")
ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]*")


def problems(values: Mapping[str, Any]) -> list[str]:
    """Return what cannot be, a sentence each."""
    return [*_numbers(values), *_words(values), *_of_restore(values)]


def _numbers(values: Mapping[str, Any]) -> list[str]:
    found = []
    for name, least in LEAST.items():
        try:
            number = float(values[name])
        except (KeyError, TypeError, ValueError):
            # Not given; or no number, which its type says already.
            continue
        most = MOST.get(name)
        if number < least or (most is not None and number > most):
            limits = f"{least:g} or more" if most is None else f"within {least:g} to {most:g}"
            found.append(f"{name} is {values[name]}: it must be {limits}")
    return found


def is_calendar(text: str) -> bool:
    """Whether a text may be what OnCalendar takes: times, and after them a time zone."""
    words = text.split()
    if len(words) > 1 and ZONE.fullmatch(words[-1]) and not _is_time(words[-1]):
        words.pop()
    return bool(words) and all(map(_is_time, words))


def _is_time(word: str) -> bool:
    return word.lower() in CALENDAR_WORDS or any(form.fullmatch(word) for form in (DAYS, DATE_OR_TIME))


def _words(values: Mapping[str, Any]) -> list[str]:
    found = []
    wanted = str(values.get("backup_drill_id") or "")
    if wanted and not _manifest.ID.fullmatch(wanted):
        found.append(
            f"backup_drill_id is {_input.shown(wanted)}, and no id of a backup, such as 20261126T030000Z: `barehost-backup list` on "
            "the host has them"
        )
    for name in CALENDARS:
        given = values.get(name)
        if isinstance(given, str) and not is_calendar(given):
            found.append(
                f"{name} is {_input.shown(given)}, and no time as systemd reads it, such as '*-*-* 03:00:00' or 'daily': "
                "`systemd-analyze calendar` tries one"
            )
    keys = values.get("backup_age_recipients")
    for number, key in enumerate(keys if isinstance(keys, (list, tuple)) else []):
        if not _backup_settings.RECIPIENT.fullmatch(str(key)):
            # It may be the private one.
            found.append(f"backup_age_recipients[{number}] is no public key of age (age1…) or SSH (value not shown)")
    return found


def _of_restore(values: Mapping[str, Any]) -> list[str]:
    found = []
    for name in ("restore_parts", "backup_restore_parts"):
        given = values.get(name)
        if given is None:
            continue
        parts = as_list(given)
        wrong = [part for part in parts if part not in PARTS]
        if wrong or not parts:
            said = _input.shown(wrong[0]) if wrong else "empty"
            found.append(f"{name} is {said}: name one or both of {', '.join(PARTS)}")
    kept = [_is_false(values, name) for name in ("restore_dump_first", "restore_keep_old")]
    if all(kept):
        found.append("restore_dump_first and restore_keep_old are both false: nothing would be left of the data")
    return found


def as_list(value: object) -> list[Any]:
    """Return the elements of a list, which `-e name=a,b` gives as one word."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _is_false(values: Mapping[str, Any], name: str) -> bool:
    value = values.get(name, values.get(f"backup_{name}", True))
    return str(value).strip().lower() in ("false", "no", "off", "0", "n", "f")
