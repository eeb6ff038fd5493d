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
