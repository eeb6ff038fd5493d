# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Stacks that differ in their secrets alone, rendered by the roles' own templates and variables, hundreds of them in one process."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
from values import key_of

ROOT = Path(__file__).resolve().parents[2]
# Before anything of the collection is imported: whoever comes first finds its filters for all that follows.
init_plugin_loader([str(ROOT / "collections")])

from ansible_collections.barehost.django.plugins.action.input_check import closure, words  # noqa: E402 - as it says above

ROLES = ("mysql", "redis", "django")
TEMPLATES = {
    ".env": "django/templates/.env",
    "migrate.env": "django/templates/.env",
    "client.cnf": "mysql/templates/mysql/secrets/client.cnf",
    "backup.cnf": "mysql/templates/mysql/secrets/backup.cnf",
    "root_password": "mysql/templates/mysql/secrets/root_password",
    "init.sql": "mysql/templates/mysql/init/10-application.sql",
    "password": "redis/templates/redis/password",
}


@dataclass(frozen=True)
class Stack:
    """One of them: its number, its secrets by name, and the text of its files."""

    number: int
    secrets: dict[str, str]
    files: dict[str, str]


@cache
def _collection() -> tuple[DataLoader, dict[str, Any]]:
    """Return a loader, and what the roles say where nobody says otherwise, as templates that are trusted."""
    loader = DataLoader()
    variables: dict[str, Any] = {
        "stack_name": "app",
        "django_settings_module": "settings.settings",
        "ansible_managed": "Managed",
    }
    for place in ("defaults", "vars"):
        for role in ROLES:
            path = ROOT / "roles" / role / place / "main.yml"
            found = loader.load_from_file(str(path), trusted_as_template=True)
            variables.update({name: item for name, item in found.items() if name not in variables or place == "vars"})
    templar = Templar(loader, {**variables, **own_of(0, "")})
    return loader, {name: settled(name, value, variables, templar) for name, value in variables.items()}


def settled(name: str, value: Any, variables: dict[str, Any], templar: Templar) -> Any:
    """Return what a variable is in every stack, or its template where it depends on what differs: most do not."""
    reached = {word for found in words(value) for word in closure(found, variables)} | {name}
    if reached & set(own_of(0, "")):
        if isinstance(value, dict):
            return {key: settled(name, item, variables, templar) for key, item in value.items()}
        return value
    try:
        return templar.template(value)
    except AnsibleError:
        # Some are only there while a deploy lasts; nothing here reads them.
        return value


def secrets_of(value: str) -> dict[str, str]:
    """Return the secrets of a stack in which all are the same."""
    names = (
        "mysql_password",
        "mysql_migration_password",
        "mysql_backup_password",
        "mysql_root_password",
        "redis_password",
    )
    return {**dict.fromkeys(names, value), "django_secret_key": key_of(value)}


def own_of(number: int, value: str) -> dict[str, Any]:
    """Return the variables of one stack."""
    return {
        "stack_secrets": secrets_of(value),
        "mysql_user": f"u{number}",
        "mysql_migration_user": f"m{number}",
        "mysql_backup_user": f"b{number}",
        "django_email_host_password": value,
    }


def render_all(values: list[str]) -> list[Stack]:
    """Render a stack for each value, on all processors."""
    with multiprocessing.Pool() as pool:
        return pool.starmap(render, list(enumerate(values)), chunksize=16)


def render(number: int, value: str) -> Stack:
    """Render the files of a stack whose secrets are all the same value, as far as they can be."""
    loader, known = _collection()
    own = own_of(number, value)
    templar = Templar(loader, {**known, **own})
    files = {}
    for name, path in TEMPLATES.items():
        engine = templar
        if name == "migrate.env":
            replaced = known["django__of_migrations"].items()
            changed = {key: templar.template(trust_as_template(f"{{{{ {other} }}}}")) for key, other in replaced}
            engine = Templar(loader, {**known, **own, **changed})
        text = trust_as_template((ROOT / "roles" / f"{path}.j2").read_text(encoding="utf-8"))
        made = engine.template(text, escape_backslashes=False, overrides={"trim_blocks": True, "lstrip_blocks": True})
        files[name] = "" if made is None else str(made)
    return Stack(number, {**own["stack_secrets"], "django_email_host_password": value}, files)
