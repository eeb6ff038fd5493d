# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The app of a drill: what it takes over from the one that serves, and what its answer means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _drill, _drill_app, _oneshot
from test_drill import MANIFEST, SERVER

# What it may not do where it serves it may not do here.
BOX: dict[str, Any] = {
    "read_only": True,
    "tmpfs": ["/tmp:rw,size=64m"],  # noqa: S108 - a text
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "pids_limit": 256,
}
# As `docker compose config --format json` of 2.26 prints it.
SERVICE: dict[str, Any] = {
    "command": ["gunicorn"],
    "entrypoint": None,
    "environment": {"DB_PASSWORD": "a$$b"},
    "healthcheck": {"test": ["CMD", "true"]},
    "image": "shop/app:ffff",
    "init": True,
    "labels": {"barehost.django.generation": "9edd"},
    "networks": {"backend": {"aliases": ["web-9edd"]}},
    "ports": [{"target": 8000}],
    "restart": "unless-stopped",
    **BOX,
    "mem_limit": "3221225472",
    "volumes": [
        {"type": "bind", "source": "/opt/shop/media", "target": "/app/media", "bind": {}},
        {"type": "volume", "source": "scratch", "target": "/scratch"},
    ],
}
DONE = [{"event": "pending", "migrations": []}, {"event": "read", "models": 4, "rows": 3}]


def answer(*events: dict[str, Any], done: bool = True) -> _oneshot.Answer:
    return _oneshot.Answer(0 if done else 1, [*events, *([{"event": "done"}] if done else [])])


def test_it_reaches_the_throw_away_server_and_nothing_else() -> None:
    found = json.loads(_drill_app.compose_text(SERVICE, "shop/app:0a1b", SERVER))["services"]["app"]
    assert found == {
        **BOX,
        "environment": {"DB_PASSWORD": "a$$b"},
        "image": "shop/app:0a1b",
        "network_mode": f"container:{SERVER.name}",
        "pull_policy": "never",
        "init": True,
        # Read-only, or it would write into what serves.
        "volumes": [
            {"type": "bind", "source": "/opt/shop/media", "target": "/app/media", "bind": {}, "read_only": True}
        ],
        "mem_limit": "1024m",
        "cpus": 1.0,
        "cpu_shares": 128,
    }


def test_its_container_can_be_found_by_the_label() -> None:
    argv = _drill_app.run_cmd("/opt/shop/lock/drill.json", "/opt/shop/lock", SERVER, "python3")
    assert argv[argv.index("run") :] == [
        *["run", "--rm", "--no-deps", "-T", "--name", f"{SERVER.name}-app"],
        *["--label", "barehost.django.drill=/opt/shop", "app", "python3", "-"],
    ]


def test_rows_that_the_app_reads_are_proof() -> None:
    counted = {"event": "counted", "table": "item", "rows": 3}
    found = _drill_app.judge(answer(*DONE, counted), MANIFEST, same_release=True, seconds=9)
    assert found == ("a row of each of 4 models", [])


def test_another_count_than_that_of_the_manifest_is_none() -> None:
    counted = {"event": "counted", "table": "item", "rows": 2}
    with pytest.raises(_drill.DrillError, match="the app counts 2 rows of item and the manifest says 3"):
        _drill_app.judge(answer(*DONE, counted), MANIFEST, same_release=True, seconds=9)


def test_migrations_are_missing_only_in_a_backup_of_the_same_release() -> None:
    pending = {"event": "pending", "migrations": ["shop.0002_more"]}
    with pytest.raises(_drill.DrillError, match=r"misses migrations in it: shop\.0002_more"):
        _drill_app.judge(answer(pending), MANIFEST, same_release=True, seconds=9)
    read, warnings = _drill_app.judge(answer(pending), MANIFEST, same_release=False, seconds=9)
    assert read == "nothing"
    assert "wants 1 later migrations, shop.0002_more first" in warnings[0]


def test_a_model_that_cannot_be_read_is_named() -> None:
    failed = {"event": "failed", "stage": "query", "error": "OperationalError", "message": "no such column"}
    with pytest.raises(
        _drill.DrillError, match=r"the app, reading shop\.Item, failed: OperationalError: no such column"
    ):
        _drill_app.judge(
            answer(DONE[0], {**failed, "model": "shop.Item"}, done=False), MANIFEST, same_release=True, seconds=9
        )


def test_what_compose_says_has_to_be_json() -> None:
    assert _drill_app.services('{"services": {"web": {}}}') == {"web": {}}
    for text in ("", "[]", "{}"):
        with pytest.raises(_drill.DrillError, match="cannot be read"):
            _drill_app.services(text)
