# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How an application gets its secrets: in its environment, or as files whose paths are there (`NAME_FILE`).

The files lie in a folder that is named after their content. So a container keeps those that it was started with, and what
is put back with the Compose file of before finds its own.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import shutil
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _dotenv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FOLDER = "app_secrets"
# Where a container finds them.
MOUNT = "/run/secrets"
SUFFIX = "_FILE"


def environment(values: Mapping[str, object], names: Sequence[str]) -> dict[str, object]:
    """Return an environment in which the paths of files stand for some of its values.

    Where the other form of a name is there as well, somebody has put it there: it stays.
    """
    kept = {name: value for name, value in values.items() if name not in names}
    paths = {f"{name}{SUFFIX}": f"{MOUNT}/{name}" for name in names if name in values}
    return {**paths, **kept}


def digest(values: Mapping[str, object], names: Sequence[str], further: Sequence[object]) -> str:
    """Name the content of the files; among what is further is a secret that nobody can guess, since the name can be seen."""
    chosen = {name: _dotenv.text_of(values[name]) for name in names if name in values}
    text = json.dumps([chosen, [str(item) for item in further]], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def problems(values: Mapping[str, object], names: Sequence[str]) -> list[str]:
    """Say which names are none of the environment: misspelt, a secret would stay in it."""
    found = []
    for name in names:
        if name not in values:
            near = difflib.get_close_matches(str(name), list(values), n=1)
            hint = f"did you mean {near[0]}?" if near else "name it in django_env, or leave it out."
            found.append(f"django_secret_names has {name}, which is no name of the application's environment: {hint}")
    return found


def prune(root: Path, compose_texts: Sequence[str]) -> list[str]:
    """Remove the folders that no Compose file names any more; return their names."""
    folder = root / FOLDER
    unused = (
        [path for path in sorted(folder.iterdir()) if not _named(path.name, compose_texts)] if folder.is_dir() else []
    )
    for path in unused:
        shutil.rmtree(path)
    return [path.name for path in unused]


def _named(name: str, texts: Sequence[str]) -> bool:
    return any(f"{FOLDER}/{name}/" in text for text in texts)
