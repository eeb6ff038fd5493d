# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets in the environment or as files: what stands where, and which folders are still needed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.filter.delivery import delivery_files
from ansible_collections.barehost.django.plugins.module_utils import _delivery, _release

if TYPE_CHECKING:
    from pathlib import Path

VALUES = {"SECRET_KEY": "k", "DB_PASSWORD": "p", "DEBUG": False}


def test_a_path_stands_for_a_secret_and_everything_else_stays() -> None:
    assert _delivery.environment(VALUES, []) == VALUES
    assert _delivery.environment(VALUES, ["SECRET_KEY", "NOBODYS"]) == {
        "SECRET_KEY_FILE": "/run/secrets/SECRET_KEY",
        "DB_PASSWORD": "p",
        "DEBUG": False,
    }


def test_what_somebody_has_said_of_a_file_stays() -> None:
    given = {**VALUES, "SECRET_KEY_FILE": "/elsewhere"}
    assert _delivery.environment(given, ["SECRET_KEY"])["SECRET_KEY_FILE"] == "/elsewhere"


def test_the_name_of_the_folder_follows_the_secrets_and_nothing_else() -> None:
    name = _delivery.digest(VALUES, ["SECRET_KEY"], ["salt"])
    assert len(name) == 16
    assert _delivery.digest({**VALUES, "DEBUG": True, "DB_PASSWORD": "q"}, ["SECRET_KEY"], ["salt"]) == name
    others = [
        _delivery.digest({**VALUES, "SECRET_KEY": "l"}, ["SECRET_KEY"], ["salt"]),
        _delivery.digest(VALUES, ["SECRET_KEY"], ["other"]),
        _delivery.digest(VALUES, ["SECRET_KEY", "DB_PASSWORD"], ["salt"]),
        _delivery.digest(VALUES, ["SECRET_KEY"], ["salt", "migrates"]),
    ]
    assert len({name, *others}) == 5


def test_a_misspelt_name_is_refused_with_the_nearest_and_no_value() -> None:
    assert _delivery.problems(VALUES, ["SECRET_KEY"]) == []
    (problem,) = _delivery.problems({**VALUES, "SECRET_KEY": "hush-hush"}, ["SECRT_KEY"])
    assert problem.startswith("django_secret_names has SECRT_KEY, which is no name of the application's environment")
    assert problem.endswith("did you mean SECRET_KEY?")


def test_the_files_are_named_without_their_values() -> None:
    assert delivery_files(["A"], "app_secrets/0/app", "django__all", 7) == [
        {"path": "app_secrets/0/app/A", "variable": "django__all['A']", "owner": 7, "variables": {}}
    ]


def folders(root: Path, *names: str) -> None:
    for name in names:
        (root / "app_secrets" / name / "app").mkdir(parents=True)
        (root / "app_secrets" / name / "app" / "SECRET_KEY").write_text("k")


def test_folders_that_no_compose_file_names_are_removed(tmp_path: Path) -> None:
    assert _delivery.prune(tmp_path, []) == []
    folders(tmp_path, "0a", "0b", "0c")
    texts = ["source: ./app_secrets/0a/app\n", "source: ./app_secrets/0c/app\n"]
    assert _delivery.prune(tmp_path, texts) == ["0b"]
    assert sorted(path.name for path in (tmp_path / "app_secrets").iterdir()) == ["0a", "0c"]


def test_a_release_that_is_proven_keeps_what_a_way_back_needs(tmp_path: Path) -> None:
    """Those of now, and those of the release before, whose Compose file is kept with it."""
    folders(tmp_path, "now", "before", "failed", "migrates")
    (tmp_path / "migrate.yaml").write_text("source: ./app_secrets/migrates/migrate\n")
    (tmp_path / "releases").mkdir()
    (tmp_path / "compose.yaml").write_text("source: ./app_secrets/before/app\n")
    kept = _release.store_settings(str(tmp_path))
    (tmp_path / "compose.yaml").write_text("source: ./app_secrets/now/app\n")
    record = {"id": "r-2", "image": "i", "before": {"id": "r-1", "settings": kept}}
    (tmp_path / "releases" / "r-2.json").write_text(json.dumps(record))
    (tmp_path / "releases" / "current").symlink_to("r-2.json")
    _release.prove(str(tmp_path), "r-2")
    assert sorted(path.name for path in (tmp_path / "app_secrets").iterdir()) == ["before", "migrates", "now"]
