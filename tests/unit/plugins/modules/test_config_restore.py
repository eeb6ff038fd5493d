# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""config_restore: which services it is about, and what it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _before
from ansible_collections.barehost.django.plugins.modules import config_restore
from support.modules import CHANGES, Call, Engine, Reply, run

if TYPE_CHECKING:
    from pathlib import Path

TIERS = {"mysql": "data", "nginx": "edge", "web": "app"}


def container(service: str, definition: str) -> dict[str, Any]:
    """Return what the engine says of a container."""
    labels = {"com.docker.compose.service": service, "barehost.django.definition": definition}
    return {
        "Id": f"{service}-id",
        "Name": f"/shop-{service}-1",
        "Image": "sha256:1",
        "Config": {"Labels": {**labels, "barehost.django.tier": TIERS[service]}, "Image": service},
        "State": {"Status": "running"},
    }


def engine_of(definition: str) -> Engine:
    """Return an engine whose services were all made from one definition, and that makes them anew from `1`."""
    made = {"from": definition}

    def up(_call: Call) -> Reply:
        made["from"] = "1"
        return 0, "", ""

    def inspect(_call: Call) -> Reply:
        return 0, json.dumps([container(name, made["from"]) for name in TIERS]), ""

    services = {name: {"image": f"{name}:1", "labels": {"barehost.django.definition": "1"}} for name in TIERS}
    images = [{"Id": "sha256:1", "RepoTags": [f"{name}:1" for name in TIERS]}]
    engine = Engine().on("config", reply=(0, json.dumps({"services": services}), ""))
    engine.on("image", "inspect", reply=(0, json.dumps(images), "")).on("up", reply=up)
    engine.on("ps", reply=(0, " ".join(f"{name}-id" for name in TIERS), ""))
    return engine.on("container", "inspect", reply=inspect)


@pytest.fixture
def args(tmp_path: Path) -> dict[str, Any]:
    """Return the parameters for a stack whose files a run has changed."""
    (tmp_path / "compose.yaml").write_text("old\n")
    _before.note(tmp_path, ["compose.yaml"])
    (tmp_path / "compose.yaml").write_text("new\n")
    return {"project_dir": str(tmp_path), "project": "shop", "timeout": 5}


def test_data_services_and_the_edge_go_back_and_the_app_is_left_to_the_switch(
    args: dict[str, Any], tmp_path: Path
) -> None:
    engine = engine_of("2")
    result = run(config_restore.main, args, engine)
    assert (result["changed"], result["files"], result["left"]) == (True, ["compose.yaml"], "")
    assert result["services"] == ["mysql", "nginx"]
    (made,) = [call.argv for call in engine.calls if "up" in call.argv]
    assert made[-2:] == ["mysql", "nginx"]
    assert (tmp_path / "compose.yaml").read_text() == "old\n"


def test_a_dry_run_has_replaced_nothing(args: dict[str, Any], tmp_path: Path) -> None:
    engine = engine_of("2")
    assert run(config_restore.main, args, engine, check=True)["changed"] is False
    assert engine.calls == []
    assert (tmp_path / "compose.yaml").read_text() == "new\n"


def test_where_nothing_was_replaced_nothing_is_done(args: dict[str, Any], tmp_path: Path) -> None:
    _before.forget(tmp_path)
    engine = engine_of("2")
    result = run(config_restore.main, args, engine)
    assert (result["changed"], result["files"], result["services"], result["left"]) == (False, [], [], "")
    assert not [call.argv for call in engine.calls if CHANGES & set(call.argv)]
