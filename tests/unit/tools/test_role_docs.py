# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tables of variables: what a spec says arrives in Markdown, and a stale table is noticed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import role_docs

SPEC = """
argument_specs:
  main:
    short_description: Describes a service
    description: [It owns, "its files."]
    options:
      app_name: {type: str, required: true, description: "Name, for example V(shop)."}
      app_key: {type: str, no_log: true, default: !unsafe "{{ a | default('x') }}", description: The key.}
      app_mode: {type: str, choices: [fast, slow], default: fast, description: How.}
      app_mounts:
        type: list
        elements: dict
        default: []
        description: Mounts.
        options:
          source: {type: path, description: From where.}
"""
TABLE = """<!-- variables:begin -->
| Variable | Type | Default | Meaning |
| --- | --- | --- | --- |
| `app_name` | str | **required** | Name, for example `shop`. |
| `app_key` | str | `{{ a \\| default('x') }}` | The key. Secret. |
| `app_mode` | str | `fast` | How. One of `fast`, `slow`. |
| `app_mounts` | list of dict | `[]` | Mounts. |
| `app_mounts[].source` | path | - | From where. |
<!-- variables:end -->"""


@pytest.fixture
def role(tmp_path: Path) -> Path:
    folder = tmp_path / "roles" / "app"
    (folder / "meta").mkdir(parents=True)
    (folder / "meta" / "argument_specs.yml").write_text(SPEC)
    return folder


def test_a_missing_readme_is_written_from_the_spec(role: Path, tmp_path: Path) -> None:
    assert role_docs.main(["--root", str(tmp_path)]) == 0
    text = (role / "README.md").read_text()
    assert text == f"# app\n\nDescribes a service.\n\nIt owns its files.\n\n## Variables\n\n{TABLE}\n"


def test_check_writes_nothing_and_fails_until_the_table_is_current(role: Path, tmp_path: Path) -> None:
    assert role_docs.main(["--root", str(tmp_path), "--check"]) == 1
    assert not (role / "README.md").exists()
    role_docs.main(["--root", str(tmp_path)])
    assert role_docs.main(["--root", str(tmp_path), "--check"]) == 0


def test_what_people_wrote_around_the_table_stays(role: Path) -> None:
    text = f"# Mine\n\n{role_docs.BEGIN}\nold\n{role_docs.END}\n\n## Examples\n"
    assert role_docs.render(role, text) == f"# Mine\n\n{TABLE}\n\n## Examples\n"


@pytest.mark.parametrize("text", ["# no markers\n", f"{role_docs.END}\n{role_docs.BEGIN}\n", role_docs.BEGIN])
def test_a_readme_without_its_markers_is_an_error(role: Path, text: str) -> None:
    with pytest.raises(ValueError, match="must have the lines"):
        role_docs.render(role, text)


def test_a_backtick_does_not_end_the_code() -> None:
    assert role_docs.code("a`b") == "``a`b``"
    assert role_docs.code("") == '`""`'
