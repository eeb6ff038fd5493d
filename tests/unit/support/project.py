# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A small Django project with a database in a file, and the programs run in it as in a container."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _oneshot

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

SETTINGS = """
SECRET_KEY = "x" * 50
INSTALLED_APPS = [
    "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.admin", "django.contrib.messages",
    "django.contrib.sessions", "django.contrib.staticfiles", "shop",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
STATIC_ROOT = "/nonexistent"
PASSWORD_HASHERS = ["hashers.Quick"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
USE_TZ = True
"""
HASHERS = """
from django.contrib.auth.hashers import PBKDF2PasswordHasher

class Quick(PBKDF2PasswordHasher):
    iterations = 10

class Slower(PBKDF2PasswordHasher):
    iterations = 20
"""
MODELS = """
from django.db import models

class Item(models.Model):
    name = models.CharField(max_length=9)
"""
FIRST = """
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [migrations.CreateModel("Item", [
        ("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=9)),
    ])]
"""
NEXT = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("shop", "%s")]
    operations = [%s]
"""


def write_app(folder: Path) -> Path:
    """Write a small project."""
    files = {
        "site_settings.py": SETTINGS,
        "hashers.py": HASHERS,
        "shop/__init__.py": "",
        "shop/models.py": MODELS,
        "shop/migrations/__init__.py": "",
        "shop/migrations/0001_initial.py": FIRST,
        "shop/static/shop/a.css": "a",
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def ask(app: Path, program: ModuleType, **parameters: Any) -> _oneshot.Answer:
    """Run a program and return its answer."""
    defaults = {"mark": "m:", "settings_module": "site_settings", "database": "default", "apply": True}
    defaults |= {"refuse_destructive": False, "lock_wait_timeout": 15}
    text = _oneshot.program_text(program, {**defaults, **parameters})
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-"], input=text, cwd=app, env=env, capture_output=True, text=True, check=False
    )
    return _oneshot.parse_answer("m:", done.returncode, done.stdout, done.stderr)


def done(app: Path, program: ModuleType, **parameters: Any) -> dict[str, Any]:
    """Run a program that ends well."""
    answer = ask(app, program, **parameters)
    event = answer.first("done")
    assert event is not None, answer
    return event


def failed(app: Path, program: ModuleType, **parameters: Any) -> dict[str, Any]:
    """Run a program that fails."""
    answer = ask(app, program, **parameters)
    event = answer.first("failed")
    assert event is not None, answer
    assert answer.first("done") is None
    assert answer.code == 1
    return event


def query(app: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask the database."""
    with sqlite3.connect(app / "db.sqlite3") as connection:
        return connection.execute(sql).fetchall()


def add_migration(app: Path, name: str, after: str, operations: str) -> None:
    """Write one more migration."""
    (app / "shop" / "migrations" / f"{name}.py").write_text(NEXT % (after, operations))
