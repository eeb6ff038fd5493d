# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The READMEs: a first screen that is enough, two languages that say the same, links that lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import repo

if TYPE_CHECKING:
    from pathlib import Path

FIRST_SCREEN = 40
README, SPANISH = repo.ROOT / "README.md", repo.ROOT / "README.es.md"
OPERATIONS = repo.ROOT / "docs" / "operations.md"
PAGES = [path for path in repo.tracked() if path.suffix == ".md" and "app" not in path.parts]
# Imported by other playbooks; nobody calls them.
PARTS = {"require_hosts", "settle"}


def code_blocks(text: str) -> list[str]:
    """Return the content of the fenced blocks."""
    return re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def headings(text: str) -> list[str]:
    """Return the level of each heading, in order."""
    without_code = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^(#+) ", without_code, re.MULTILINE)


def test_two_commands_stand_on_the_first_screen() -> None:
    screen = "\n".join(README.read_text(encoding="utf-8").splitlines()[:FIRST_SCREEN])
    blocks = code_blocks(screen)
    assert blocks, "no code block on the first screen"
    commands = [line for line in blocks[0].splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(commands) == 2, commands
    assert any("make demo" in command for command in commands)


def test_the_table_names_every_playbook() -> None:
    rows = [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    playbooks = [path.stem for path in (repo.ROOT / "playbooks").glob("*.yml") if path.stem not in PARTS]
    assert [name for name in playbooks if not any(re.search(rf"[`.]{name}`", row.split("|")[1]) for row in rows)] == []


@pytest.mark.parametrize("page", [README, SPANISH], ids=lambda path: path.name)
def test_the_scenarios_that_ci_leaves_out_are_named(page: Path) -> None:
    made = re.search(r"^TEST := (.*)$", (repo.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert made
    tested = {path.parent.name for path in (repo.ROOT / "molecule").glob("*/tests")}
    left_out = {name for name in tested if f"molecule-{name}" not in made[1].split()}
    text = re.split(r"^## (?:Tests|Pruebas)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    assert set(re.findall(r"`(\w+)` \(", text)) == left_out


def test_both_languages_have_the_same_headings() -> None:
    assert headings(SPANISH.read_text(encoding="utf-8")) == headings(README.read_text(encoding="utf-8"))


def test_both_languages_have_the_same_commands() -> None:
    english, spanish = (code_blocks(path.read_text(encoding="utf-8")) for path in (README, SPANISH))
    strip = [[re.sub(r"\s*#.*", "", block) for block in blocks] for blocks in (english, spanish)]
    assert strip[1] == strip[0]


@pytest.mark.parametrize("page", PAGES, ids=[repo.short(path) for path in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    relative = [target for target in targets if target and not re.match(r"[a-z]+:", target)]
    assert [target for target in relative if not (page.parent / target).exists()] == []


def test_the_lines_for_a_program_run_as_they_are_printed_and_say_why_a_run_failed(tmp_path: Path) -> None:
    """Only the folder is another one; that they deploy is tested on the demo host, in tests/runner."""
    (lines,) = re.findall(r"^```python\n(.*?)^```", repo.read(OPERATIONS), re.MULTILINE | re.DOTALL)
    inventory = tmp_path / "inventories" / "production"
    inventory.mkdir(parents=True)
    (inventory / "hosts").write_text("web1 ansible_host=192.0.2.1\n[all:vars]\nnginx_htp_port=80\n")
    # As from a desktop or a service: nothing of the virtual environment is on the path.
    env = {"PATH": os.defpath, "HOME": str(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(repo.ROOT / "collections")}
    argv = [sys.executable, "-c", lines]
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("failed 2 {"), done.stdout
    assert "nginx_htp_port is unknown: did you mean nginx_http_port?" in done.stdout


def test_the_time_of_the_demo_stands_where_it_is_started() -> None:
    for page, words in ((README, "two to six minutes"), (SPANISH, "de dos a seis minutos")):
        assert words in page.read_text(encoding="utf-8")
