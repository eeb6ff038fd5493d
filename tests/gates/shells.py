# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every text that a shell reads: scripts, recipes of make, what stands behind `sh -c` in code, in YAML and in what is rendered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from ansible_collections.barehost.django.plugins.module_utils import (
    _dump,
    _fifo,
    _mysql_accounts,
    _restore,
    _restore_mysql,
    _validate,
)
from findings import ROOT, short, tracked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SHELLS = ("sh", "bash")
UTILS = ROOT / "plugins" / "module_utils"
# Each function that makes a command line with a shell in it, called as its callers do.
COMMANDS = {
    "_dump": _dump.as_root_cmd("c", ["mysqldump", "--", "app"], 9),
    "_fifo": _fifo.writing_cmd("/dev/shm/x.fifo", ["mysqldump"]),  # noqa: S108 - the name of a place in a container
    "_mysql_accounts": _mysql_accounts.as_root_cmd("c"),
    "_restore": _restore.flush_cmd("c", "/usr/local/etc/redis/password", 2),
    "_restore_mysql": _restore_mysql.client_cmd("c", _restore_mysql.AS_ROOT, 9, "app"),
    "_restore_mysql, as its own account": _restore_mysql.load_cmd("c", 9, "app"),
    "_restore_mysql, through a pipe": _restore_mysql.load_cmd("c", 9, "app", "/dev/shm/x.fifo"),  # noqa: S108 - as above
    "_validate": _validate.exec_cmd(_validate.Question("nginx", ("nginx", "-t")), "c"),
}
# And what a running container is asked, which comes on the standard input of a shell.
SCRATCH = "/dev/shm/barehost-x"  # noqa: S108 - as above
ASKED = _validate.Question("nginx", ("nginx", "-t", "{scratch}"), mounts={"nginx": "/etc/nginx/stack"})
FILES = {"nginx/it's.conf": "a 'b' $c\n"}


@dataclass(frozen=True)
class Shell:
    """One text, where it is from, and which shell reads it."""

    path: str
    text: str
    shell: str = "sh"


class SpecLoader(yaml.SafeLoader):
    """Plain YAML, with Ansible's own tags taken for what they hold."""


SpecLoader.add_multi_constructor("!", lambda loader, _tag, node: loader.construct_scalar(node))


def scripts(paths: list[Path]) -> Iterator[Shell]:
    """Yield the files that are scripts: by what they are called, or by their first line."""
    for path in paths:
        first = path.read_bytes()[:80].split(b"\n", 1)[0].decode("utf-8", "replace")
        found = re.match(r"#!.*?\b(sh|bash)\b", first)
        if found or path.suffix == ".sh":
            # What an image's entrypoint reads has no first line, and is read by bash.
            yield Shell(short(path), path.read_text(encoding="utf-8"), found[1] if found else "bash")


def recipes(makefile: Path) -> Iterator[Shell]:
    """Yield the lines that make hands to bash, with the options that are set for all of them."""
    text = makefile.read_text(encoding="utf-8").replace("\\\n", " ")
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("\t"):
            # A variable of make is a word by then; of the shell's own one dollar sign is left.
            command = re.sub(r"\$\(?[A-Za-z_*<@]+\)?", "word", line.strip().lstrip("@-").replace("$$", "\0")).replace(
                "\0", "$"
            )
            yield Shell(f"{short(makefile)}:{number}", command, "bash")


def words_after_c(words: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the shell and the text behind each `sh -c` of a command line."""
    for index, word in enumerate(words[:-2]):
        if word in SHELLS and words[index + 1] == "-c":
            yield word, words[index + 2]


def in_yaml(value: object, path: str) -> Iterator[Shell]:
    """Yield what stands behind `sh -c` in a document, and healthchecks of the form that hands all to a shell."""
    if isinstance(value, dict):
        for item in value.values():
            yield from in_yaml(item, path)
    elif isinstance(value, list):
        yield from (Shell(path, str(text), shell) for shell, text in words_after_c(value))
        if value[:1] == ["CMD-SHELL"]:
            yield Shell(path, str(value[1]))
        for item in value:
            yield from in_yaml(item, path)


def documents(paths: list[Path]) -> Iterator[Shell]:
    """Yield what stands in the YAML and JSON files."""
    for path in paths:
        if path.suffix in {".yml", ".yaml", ".json"}:
            for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader=SpecLoader):
                yield from in_yaml(document, short(path))


def in_code() -> Iterator[Shell]:
    """Yield what the command lines of our modules hand to a shell."""
    for argv in COMMANDS.values():
        yield from (Shell("plugins/module_utils", text, shell) for shell, text in words_after_c(argv))
    yield Shell("plugins/module_utils/_validate.py", _validate.script(ASKED, FILES, SCRATCH, ["/entry.sh", "-x"]))


def modules_with_a_shell() -> set[str]:
    """Return the names of the modules that hand something to one."""
    word = re.compile(rf'"({"|".join(SHELLS)})"')
    return {path.stem for path in UTILS.glob("_*.py") if word.search(path.read_text(encoding="utf-8"))}


def of_the_repository() -> list[Shell]:
    """Return all that is tracked."""
    return [*scripts(tracked()), *recipes(ROOT / "Makefile"), *documents(tracked()), *in_code()]
