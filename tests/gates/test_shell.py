# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""shellcheck over every text that a shell reads, in the repository and in what is rendered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from findings import Finding, problems, program, said, tracked, unexplained
from shells import COMMANDS, Shell, documents, modules_with_a_shell, of_the_repository, scripts, words_after_c

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Rendered


def look(found: list[Shell], folder: Path) -> list[Finding]:
    """Return what shellcheck finds, down to matters of style."""
    names: dict[str, Shell] = {}
    for number, one in enumerate(dict.fromkeys(found)):
        path = folder / f"{number:04}"
        path.write_text(one.text, encoding="utf-8")
        names[str(path)] = one
    findings = []
    for shell in sorted({one.shell for one in found}):
        # The mktemp of the documented scripts is no file to follow.
        argv = [program("shellcheck"), f"--shell={shell}", "--norc", "--severity=style", "--format=json1"]
        paths = [path for path, one in names.items() if one.shell == shell]
        findings += [
            Finding(names[item["file"]].path, item["line"], f"SC{item['code']}", item["message"])
            for item in json.loads(said([*argv, *paths]))["comments"]
        ]
    return findings


def of_the_result(rendered: Rendered) -> list[Shell]:
    """Return what is handed to a shell on a host or in a container of the stack."""
    paths = [path for _mode, path in rendered.files()]
    return [*scripts(paths), *documents(paths)]


def test_nothing_that_a_shell_reads_is_unexplained(rendered: Rendered, tmp_path: Path) -> None:
    result = of_the_result(rendered)
    assert {"rendered/mysql/init/99-initialised.sh", "rendered/compose.yaml", "rendered/described.json"} == {
        one.path for one in result
    }
    assert problems("shellcheck", look([*of_the_repository(), *result], tmp_path)) == []


def test_every_module_that_uses_a_shell_is_looked_at() -> None:
    assert modules_with_a_shell() == {name.partition(",")[0] for name in COMMANDS}
    with_text = [name for name, argv in COMMANDS.items() if list(words_after_c(argv))]
    # What is written on the standard input of a shell has no text on its command line.
    assert set(COMMANDS) - set(with_text) == {"_validate"}


def test_no_warning_is_switched_off_in_a_script() -> None:
    word = "shellcheck" + " disable="
    assert [path for path in tracked() if word in path.read_text(encoding="utf-8", errors="replace")] == []


def test_a_flaw_is_found_wherever_it_is(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "run").write_text("#!/bin/sh\nrm -rf $1\n")
    (tmp_path / "in" / "x.sh").write_text("read line\n")
    (tmp_path / "in" / "y.yml").write_text(
        'services: {a: {healthcheck: {test: [CMD-SHELL, "cd $X"]}, command: [sh, -c, "echo `id`"]}}\n'
    )
    paths = sorted((tmp_path / "in").iterdir())
    found = unexplained("shellcheck", look([*scripts(paths), *documents(paths)], tmp_path / "out"))
    rules = {line.split()[1] for line in found}
    assert {"SC2086", "SC2162", "SC2164", "SC2006"} <= rules, found
