# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an uninstall says of what it did, or would do."""

from __future__ import annotations

from typing import Any

from ansible_collections.barehost.django.plugins.module_utils import _uninstall

STACK: dict[str, Any] = {
    "name": "shop",
    "dir": "/opt/shop",
    "dir_present": True,
    "present": True,
    "containers": ["shop-mysql-1", "shop-web-1"],
    "volumes": ["shop_mysql", "shop_redis"],
}


def test_what_was_kept_is_named_with_the_way_to_delete_it() -> None:
    assert _uninstall.report(STACK, delete_data=False, dry_run=False) == [
        "Removed: containers shop-mysql-1, shop-web-1",
        "Kept: volumes shop_mysql, shop_redis and /opt/shop with secrets, settings, backups and uploaded files; Docker and its images",
        "The playbook site brings the stack back on this data",
        "To delete the data for good: the same again with -e uninstall_delete_data=shop",
    ]


def test_a_dry_run_names_what_would_go() -> None:
    lines = _uninstall.report(STACK, delete_data=True, dry_run=True)
    assert lines[0].startswith("Would remove: containers shop-mysql-1")
    assert lines[1].startswith("Would remove for good: volumes shop_mysql, shop_redis and /opt/shop")
    assert lines[2].startswith("Would keep: Docker and its images, the audit log")
    assert "Would keep: " in _uninstall.report(STACK, delete_data=False, dry_run=True)[1]


def test_where_nothing_is_there_nothing_is_claimed() -> None:
    stack = {"name": "shop", "dir": "/opt/shop", "dir_present": False}
    expected = ["No container of the stack is there", "Nothing else of the stack is there"]
    assert _uninstall.report(stack, delete_data=True, dry_run=False) == expected


def test_what_cannot_be_taken_down_is_not_called_removed() -> None:
    lines = _uninstall.report({**STACK, "present": False}, delete_data=True, dry_run=False)
    assert lines[0].startswith("Left alone with all data, since /opt/shop/compose.yaml is missing")
    assert lines[1:] == ["docker rm --force shop-mysql-1 shop-web-1", "docker volume rm shop_mysql shop_redis"]
