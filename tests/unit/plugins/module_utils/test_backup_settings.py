# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the settings of the backup program must be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _backup_settings

if TYPE_CHECKING:
    from pathlib import Path

GOOD: dict[str, Any] = {"stack": "shop", "dir": "/opt/shop", "database": "shop"}


def test_what_is_not_said_has_its_default() -> None:
    settings = _backup_settings.parse(json.dumps(GOOD), "x")
    assert (settings.keep_least, str(settings.backups)) == (7, "/opt/shop/backups")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stack": "../x"}, "stack is '../x'"),
        ({"dir": "opt"}, "dir is 'opt', and has to be an absolute path"),
        ({"media": "../etc"}, "media is '../etc'"),
        ({"media": "/etc"}, "media is '/etc'"),
        ({"keep_least": 0}, "keep_least is 0, and has to be a whole number from 1 on"),
        ({"keep_days": "30"}, "keep_days is '30'"),
        ({"zstd_level": 22}, "zstd_level is 22"),
        ({"age_recipients": ["AGE-SECRET-KEY-1X"]}, "holds 'AGE-SECRET-KEY-1X', which is no public key"),
        ({"surprise": 1}, "settings that this program does not know: surprise"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(_backup_settings.SettingsError) as refused:
        _backup_settings.parse(json.dumps({**GOOD, **change}), "settings.json")
    assert message in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stack": "a"}'])
def test_what_are_no_settings_is_refused(text: str) -> None:
    with pytest.raises(_backup_settings.SettingsError, match=r"^settings\.json"):
        _backup_settings.parse(text, "settings.json")


def test_a_stack_that_was_never_deployed_is_named(tmp_path: Path) -> None:
    with pytest.raises(_backup_settings.SettingsError, match="deploy the stack first"):
        _backup_settings.load(tmp_path)


def test_what_a_run_sets_and_no_deploy_has_installed_is_named() -> None:
    offsite = {"repository": "sftp:a@b:/c", "password": "x", "keep_daily": 7}
    drill = {"memory_mb": 1024, "cpus": 0.5}
    there = _backup_settings.Settings("shop", "/opt/shop", "shop", keep_least=7, offsite=offsite, drill=drill)
    same = {
        "backup_keep_least": "7", "backup_media": "yes", "backup_hook": [], "backup_drill_cpus": "0.50", "backup_offsite_keep_daily": 7,
        "backup_offsite_repository": "sftp:a@b:/c", "backup_on_calendar": "daily", "backup_drill_id": "x", "stack_name": "other",
        "backup_enabled": False,
    }  # fmt: skip
    assert _backup_settings.not_deployed(there, same) == ""
    other = {
        "backup_keep_least": "3", "backup_media": "no", "backup_hook": ["tell"], "backup_drill_cpus": 1, "backup_offsite_keep_daily": "8",
        "backup_offsite_repository": "sftp:a@b:/d",
    }  # fmt: skip
    assert _backup_settings.not_deployed(there, other) == (
        "this has no effect before a deploy, which installs the settings that count on this host: backup_drill_cpus (1, and 0.5 here), "
        "backup_hook, backup_keep_least (3, and 7 here), backup_media (no, and true here), backup_offsite_keep_daily (8, and 7 here), "
        "backup_offsite_repository"
    )
    # Where nothing goes off-site, how long it stays there is no setting.
    alone = _backup_settings.not_deployed(_backup_settings.Settings("shop", "/opt/shop", "shop"), other)
    assert "backup_offsite_repository" in alone
    assert "keep_daily" not in alone
