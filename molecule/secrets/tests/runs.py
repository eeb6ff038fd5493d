# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything that people do with a stack, and all that goes wrong with it, once and loudly."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from world import FOLDER, ROOT, pair

from tests.canary.finder import AWKWARD

if TYPE_CHECKING:
    from pathlib import Path

    from world import World

LOUD = ("-vvv", "--diff")
NOWHERE = "127.0.0.1:9"
# A migration that fails, of an application whose error is its own.
BROKEN = """
from django.db import migrations


def fail(apps, schema_editor):
    raise RuntimeError("this migration fails")


class Migration(migrations.Migration):
    dependencies = [("optimization", "0001_initial")]
    operations = [migrations.RunPython(fail)]
"""


def source(name: str, *, broken: bool = False) -> Path:
    """Return another version of the sample project."""
    folder = FOLDER / "kept" / name
    shutil.copytree(ROOT / "app", folder, ignore=shutil.ignore_patterns("__pycache__", ".*cache*"))
    (folder / "VERSION").write_text(f"{name}\n")
    if broken:
        (folder / "optimization" / "migrations" / "0002_broken.py").write_text(BROKEN)
    return folder


def every_run(world: World) -> None:
    """Do all of it."""
    first(world)
    day_two(world)
    as_files(world)
    refused_inputs(world)
    failures(world)
    # Whatever has gone wrong, the next run converges.
    world.run("site after all failures", "site", *LOUD)


def first(world: World) -> None:
    """Deploy to a bare host, once as a dry run, and look at what is there."""
    world.plant()
    world.run("dry run on a bare host", "site", *LOUD, "--check")
    world.run("site on a bare host", "site", *LOUD, pipelining=False)
    world.plant_in_engine()
    world.run("second run", "site", "-v")
    world.run("dry run", "site", *LOUD, "--check")
    world.run("status", "status", *LOUD)
    world.run("status as JSON", "status", "-e", "status_format=json", "-vvv")
    world.run("verify", "verify", *LOUD)
    world.run("superuser", "superuser", *LOUD)


def day_two(world: World) -> None:
    """Back up and restore, release and go back, and replace every secret."""
    world.run("backup", "backup", *LOUD, "-e", "backup_offsite_init=true")
    world.run("restore drill", "restore_drill", *LOUD)
    world.run("dry run of a restore", "restore", *LOUD, "--check", "-e", "restore_from=latest")
    world.run("restore", "restore", *LOUD, "-e", "restore_from=latest")
    later = {"django_source_path": str(source("later"))}
    world.run_by_program("a later release", "deploy", *LOUD, **later)
    world.run("rollback", "rollback", *LOUD)
    world.variables.update(world.rotated)
    world.run("dry run with other secrets", "deploy", *LOUD, "--check", **world.rotated)
    world.run("other secrets", "deploy", *LOUD, **world.rotated)
    world.keep("vault", world.variables)
    world.run("second run with other secrets", "deploy", *LOUD, pipelining=False)
    world.run("unlock", "unlock", *LOUD)


def as_files(world: World) -> None:
    """Deliver the secrets of the application as files, and in its environment again."""
    world.look("env_file")
    world.run("secrets as files", "deploy", *LOUD, django_env_delivery="secret_file", **SECRET_NAMES)
    world.look("secret_file")
    world.run("secrets in the environment again", "deploy", *LOUD)


SECRET_NAMES: dict[str, Any] = {
    "django_secret_names": [
        "API_TOKEN",
        "CELERY_BROKER_URL",
        "CELERY_RESULT_BACKEND",
        "DATABASE_URL",
        "DB_PASSWORD",
        "EMAIL_HOST_PASSWORD",
        "REDIS_PASSWORD",
        "REDIS_URL",
        "SECRET_KEY",
    ]
}


def refused_inputs(world: World) -> None:
    """Give what is refused before anything is touched, a secret among it or beside it."""

    def refused(name: str, playbook: str = "deploy", **variables: Any) -> None:
        world.run(f"refused: {name}", playbook, *LOUD, fails=True, **variables)

    def secret(name: str, middle: str = AWKWARD) -> str:
        return world.canaries.make(name, middle)

    refused("a wrong port beside the secrets", nginx_http_port="http")
    refused("a secret under a misspelt name", mysql_pasword=secret("mysql_pasword"))
    refused("a secret with a line break", redis_password=secret("line break", "\n"))
    refused("a secret that is a list", mysql_password=[secret("list")])
    refused("a secret that is a dictionary", django_secret_key={"key": secret("dictionary")})
    refused("a secret that is read as a template", mysql_password=secret("template", "{{ nobody.has }}"))
    refused("a secret that is a broken template", redis_password=secret("broken template", "{{ "))
    refused("a secret that is a comment of a template", redis_password=secret("comment", "{# "))
    refused("a quote in the password of root", mysql_root_password=secret("quote", "'"))
    refused("a key of another certificate", tls_private_key=world.canaries.add_key("other key", pair(3)[1]))
    refused("a key that is cut off", tls_private_key=world.variables["tls_private_key"][:150])
    refused("a key that is none", tls_private_key=secret("no key"))
    refused("an environment that cannot be", django_env={"A TOKEN": secret("environment")})
    refused("an environment with a line break", django_env={"TOKEN": secret("environment line", "\n\0")})
    refused("a secret of a build with a bad name", release_build_secrets={"a b": secret("bad name")}, **fresh("bad"))
    refused("a secret of a role that is none", own_stack_secrets={"own": {"value": [secret("own")]}})
    refused("a secret file without a value", django_env_delivery="secret_file", django_secret_names=["SECRT_KEY"])
    refused(
        "a repository with a password in it",
        backup_offsite_repository=f"rest:https://me:{secret('repository', '')}@a.test/",
    )
    refused(
        "a git repository with a password in it", **git(f"https://me:{secret('git repository', '')}@{NOWHERE}/x.git")
    )
    refused("a superuser without a name", "superuser", superuser_username="other")


def fresh(name: str) -> dict[str, str]:
    """Return the variable of a project whose image nobody has."""
    return {"django_source_path": str(source(name))}


def git(url: str, **others: str) -> dict[str, str]:
    """Return the variables of a project in a git repository."""
    return {"django_source_path": "", "django_git_repository": url, "django_git_revision": "main", **others}


def failures(world: World) -> None:
    """Let it fail on the way, at each place where a secret is used."""

    def failing(name: str, playbook: str = "deploy", *options: str, **variables: Any) -> None:
        world.run(f"fails: {name}", playbook, *LOUD, *options, fails=True, **variables)

    canary = world.canaries.make
    soon = {"release_health_timeout_seconds": 15}
    failing("a wrong password of the database", django_database_password=canary("wrong database password"), **soon)
    failing("a wrong password of Redis", django_redis_password=canary("wrong Redis password"), **soon)
    failing("a registry that does not answer", django_source_path="", django_image=f"{NOWHERE}/team/shop:1")
    failing("a git server that does not answer", **git(f"https://{NOWHERE}/shop.git"))
    failing("a git server over SSH", **git(f"ssh://git@{NOWHERE}/shop.git", django_git_token=""))
    failing("a build that fails", django_source_path=str(no_build()))
    failing("a migration that fails", django_source_path=str(source("broken", broken=True)))
    failing("settings that are not there", django_settings_module="settings.nowhere")
    failing("a health page that is none", django_health_path="/nope/", release_health_timeout_seconds=15)
    failing(
        "a check that fails",
        verify_checks=[*world.variables["verify_checks"][:1], teapot(world)],
        verify_timeout_seconds=2,
    )
    failing("a wrong configuration", mysql_stack_problems=["nothing can be deployed"])
    # A deploy does not ask there: the next backup does.
    world.run("another off-site repository", "deploy", *LOUD, backup_offsite_repository=f"s3:http://{NOWHERE}/backups")
    failing("a repository that does not answer", "backup")
    world.run("another password of the repository", "deploy", *LOUD, backup_offsite_password=canary("wrong repository"))
    failing("a repository that has another password", "backup")
    failing("a wrong password of sudo", "status", ansible_become_password=canary("wrong sudo"))
    failing(
        "a certificate that nobody gives",
        tls_mode="acme",
        tls_acme_agree_tos=True,
        tls_acme_server=f"https://{NOWHERE}/",
    )
    failing("a host that does not answer", ansible_port=9)


def no_build() -> Path:
    """Return a project whose image cannot be built."""
    folder = source("no-build")
    file = folder / "Dockerfile"
    file.write_text(file.read_text().replace("    set -eu; \\\n", "    set -eux; env; false; \\\n"))
    return folder


def teapot(world: World) -> dict[str, Any]:
    """Return a check that fails."""
    return {**world.variables["verify_checks"][1], "status": 418}
