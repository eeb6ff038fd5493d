# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which secrets there are, and a canary for each: all that the argument specs mark as such, and those that have no spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .finder import AWKWARD, PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from .finder import Canaries

# What may stand between the marks of a text.
TEXTS = {
    "backup_offsite_password": AWKWARD,
    "backup_offsite_secret_access_key": AWKWARD,
    "django_email_host_password": AWKWARD,
    "django_git_token": AWKWARD,
    "django_registry_password": AWKWARD,
    "django_secret_key": AWKWARD,
    "django_superuser_password": AWKWARD,
    "mysql_backup_password": AWKWARD,
    "mysql_migration_password": AWKWARD,
    "mysql_password": AWKWARD,
    # The image pastes it into SQL.
    "mysql_root_password": PLAIN,
    "redis_password": AWKWARD,
}
# Whole keys.
SSH_KEYS = ("backup_offsite_ssh_key", "django_git_ssh_key")
TLS_KEYS = ("tls_private_key",)
# Dictionaries of secrets.
BUILD = "release_build_secrets"
# What has its value from one of those above where nobody gives it another.
DERIVED = {
    "django_database_password": "mysql_password",
    "django_migration_database_password": "mysql_migration_password",
    "django_redis_password": "redis_password",
    "release_git_ssh_key": "django_git_ssh_key",
    "release_git_token": "django_git_token",
    "release_registry_password": "django_registry_password",
    "release_superuser_password": "django_superuser_password",
    "stack_kept_secrets": "all that lie on the host",
    "superuser_password": "django_superuser_password",
}
# Secrets that no spec of ours marks: what an inventory has in it besides.
FURTHER = ("ansible_become_password", "django_env", "own_stack_secrets", "vault", "verify_checks")


def covered() -> set[str]:
    """Return the names of all variables that hold a canary."""
    return {*TEXTS, *SSH_KEYS, *TLS_KEYS, BUILD, *DERIVED}


def texts(canaries: Canaries) -> dict[str, Any]:
    """Return the variables whose canaries are texts."""
    found: dict[str, Any] = {name: canaries.make(name, middle) for name, middle in TEXTS.items()}
    # pip reads its configuration from the first; the other one is mounted by nobody.
    found[BUILD] = {
        "pip_conf": f"[global]\n# {canaries.make(BUILD)}\n",
        "unused": canaries.make(f"{BUILD} unused"),
    }
    found["django_env"] = {"API_TOKEN": canaries.make("django_env")}
    # As a role of somebody's own would have one.
    found["own_stack_secrets"] = {"own": {"value": canaries.make("own_stack_secrets")}}
    return found


def keys(canaries: Canaries, ssh_key: Callable[[], str], tls_key: str) -> dict[str, str]:
    """Return the variables that are keys."""
    found = {name: canaries.add_key(name, ssh_key()) for name in SSH_KEYS}
    return {**found, **{name: canaries.add_key(name, tls_key) for name in TLS_KEYS}}
