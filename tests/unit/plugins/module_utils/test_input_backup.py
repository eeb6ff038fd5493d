# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values of backups that the program on the host would refuse are refused before it gets them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.action.input_check import ROOT, load_known
from ansible_collections.barehost.django.plugins.module_utils import _input, _input_backup, _input_rules

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudlvqtqs5xlpgz"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"backup_keep_least": "-3"}, "backup_keep_least is -3: it must be 1 or more"),
        ({"backup_keep_days": 0}, "backup_keep_days is 0: it must be 1 or more"),
        ({"backup_timeout_seconds": -1}, "backup_timeout_seconds is -1: it must be 1 or more"),
        ({"backup_zstd_level": 20}, "backup_zstd_level is 20: it must be within 1 to 19"),
        ({"backup_offsite_check_percent": 101}, "backup_offsite_check_percent is 101: it must be within 1 to 100"),
        ({"backup_offsite_keep_daily": -1}, "backup_offsite_keep_daily is -1: it must be 0 or more"),
        ({"backup_drill_memory_mb": 64}, "backup_drill_memory_mb is 64: it must be 512 or more"),
        ({"backup_drill_cpus": "0.05"}, "backup_drill_cpus is 0.05: it must be 0.1 or more"),
        ({"backup_drill_id": "latest"}, "backup_drill_id is 'latest', and no id of a backup"),
        ({"restore_parts": ["media", "redis"]}, "restore_parts is 'redis': name one or both of database, media"),
        ({"restore_parts": []}, "restore_parts is empty"),
        ({"restore_keep_old": "no", "restore_dump_first": False}, "are both false: nothing would be left of the data"),
    ],
)
def test_what_cannot_be_is_refused_once(values: dict[str, Any], said: str) -> None:
    (problem,) = _input_rules.rule_problems(values)
    assert said in problem


def test_a_key_that_is_no_public_one_is_not_shown() -> None:
    (problem,) = _input_backup.problems({"backup_age_recipients": [AGE, "AGE-" + "SECRET-KEY-1X"]})
    assert problem == "backup_age_recipients[1] is no public key of age (age1…) or SSH (value not shown)"


def test_what_may_be_is_not_refused() -> None:
    assert _input_backup.problems({}) == []
    good = {
        "backup_wait_seconds": 0, "backup_zstd_level": "19", "backup_drill_id": "20261126T030000Z", "backup_age_recipients": [AGE],
        "restore_parts": ["media"], "restore_keep_old": False, "backup_keep_days": "{{ days }}",
    }  # fmt: skip
    assert _input_backup.problems(good) == []


def test_every_limit_is_of_an_option_and_lets_its_default_through() -> None:
    known = load_known(ROOT)
    names = {*_input_backup.LEAST, *_input_backup.MOST, *_input_backup.PLAYBOOK_OPTIONS.values()}
    assert sorted(names - known.options.keys()) == []
    assert set(_input_backup.PLAYBOOK_OPTIONS) == {
        name for name in _input.PLAYBOOK_VARIABLES if name.startswith("restore_")
    }
    defaults = {name: spec.get("default") for name, spec in known.options.items() if name.startswith("backup_")}
    assert _input_backup.problems(defaults) == []


def test_what_some_roles_know_is_their_own_and_what_their_defaults_refer_to() -> None:
    known = _input.narrowed(load_known(ROOT), ["backup"])
    assert {"backup_keep_least", "stack_name", "stack_dir", "mysql_database"} <= set(known.options)
    assert not {"django_source_path", "stack_domain", "preflight_ports"} & set(known.options)
    assert _input.unknown_variables(["backup_keep_lest", "stack_nmae", "nginx_htp_port", "mine"], known) == [
        "backup_keep_lest is unknown: did you mean backup_keep_least? (if it is yours, name it in preflight_allowed_variables)",
        "stack_nmae is not read by any role: did you mean stack_name? (if it is yours, name it in preflight_allowed_variables)",
    ]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "*-*-* 03:00:00",
            "daily",
            "Weekly",
            "Mon..Fri 02:30",
            "Sat,Sun *-*-* 03:00",
            "Mon *-*-1..7 04:00",
            "*:0/15",
            "2026-11-27",
        ),
        *(
            "daily CET",
            "*-*-* 03:00 Japan",
            "Mon-Fri 02:00",
            "05:40:23.42/3.17",
            "@1395716396",
            "*-*-* 4:00 EST5EDT",
            "Fri-Sun 12:00:10/20",
        ),
        *(
            "Mon,Thu *-*-* 03:00:00 Europe/Madrid",
            "*-*-* 02:00 UTC",
            "daily UTC",
            "*-*~01 03:00",
            "00/6:00",
            "Mon..Wed,Fri",
            "Sun",
        ),
    ],
)
@pytest.mark.parametrize("name", _input_backup.CALENDARS)
def test_a_time_of_systemd_is_taken(name: str, text: str) -> None:
    assert _input_backup.problems({name: text}) == []


@pytest.mark.parametrize(
    "text", ["nonsense", "", "every day", "25", "3am", "0 3 * * *", "*-*-* 03:00:00; rm", "daily at 3"]
)
@pytest.mark.parametrize("name", _input_backup.CALENDARS)
def test_what_is_no_time_of_systemd_is_refused(name: str, text: str) -> None:
    found = _input_backup.problems({name: text})
    assert len(found) == 1
    assert found[0].startswith(f"{name} is '{text}', and no time as systemd reads it")
