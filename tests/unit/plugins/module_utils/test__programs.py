# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The programs that run inside a container, with the real Django and a database in a file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _oneshot,
    _program_collectstatic,
    _program_migrate,
    _program_superuser,
)

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
EMAIL_USER = """
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models

class Manager(BaseUserManager):
    def create_superuser(self, email, phone, password=None):
        user = self.model(email=self.normalize_email(email), phone=phone, is_superuser=True, is_staff=True)
        user.set_password(password)
        user.save()
        return user

class Person(AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(unique=True)
    phone = models.CharField(max_length=20)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    objects = Manager()
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["phone"]
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
USER = {
    "username": "admin", "email": "admin@example.org", "password": "p'\"\\\\$ñ", "fields": {}, "renew_password": True, "apply": True,
}  # fmt: skip


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


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Make a small project without a schema."""
    return write_app(tmp_path)


def ask(app: Path, program: ModuleType, **parameters: Any) -> _oneshot.Answer:
    defaults = {"mark": "m:", "settings_module": "site_settings", "database": "default", "apply": True}
    text = _oneshot.program_text(program, {**defaults, **parameters})
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-"], input=text, cwd=app, env=env, capture_output=True, text=True, check=False
    )
    return _oneshot.parse_answer("m:", done.returncode, done.stdout, done.stderr)


def done(app: Path, program: ModuleType, **parameters: Any) -> dict[str, Any]:
    answer = ask(app, program, **parameters)
    event = answer.first("done")
    assert event is not None, answer
    return event


def failed(app: Path, program: ModuleType, **parameters: Any) -> dict[str, Any]:
    answer = ask(app, program, **parameters)
    event = answer.first("failed")
    assert event is not None, answer
    assert answer.first("done") is None
    assert answer.code == 1
    return event


def query(app: Path, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(app / "db.sqlite3") as connection:
        return connection.execute(sql).fetchall()


def add_migration(app: Path, name: str, after: str, operations: str) -> None:
    (app / "shop" / "migrations" / f"{name}.py").write_text(NEXT % (after, operations))


@pytest.fixture(scope="module")
def migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one project with its schema, to copy from."""
    folder = write_app(tmp_path_factory.mktemp("migrated"))
    done(folder, _program_migrate)
    return folder


@pytest.fixture
def migrated(migrated_once: Path, tmp_path: Path) -> Path:
    """Make the project with its schema."""
    return shutil.copytree(migrated_once, tmp_path, dirs_exist_ok=True)


def test_a_plan_changes_nothing(app: Path) -> None:
    answer = ask(app, _program_migrate, apply=False)
    plan = answer.first("plan")
    assert plan is not None
    assert {"migration": "shop.0001_initial", "operations": ["Create model Item"]} in plan["plan"]
    assert plan["heads"]["shop"] == "0001_initial"
    assert plan["unknown"] == []
    assert answer.all("applied") == []
    assert query(app, "SELECT name FROM sqlite_master") == []


def test_applied_one_by_one_with_signals(app: Path) -> None:
    answer = ask(app, _program_migrate)
    plan = answer.first("plan")
    assert plan is not None
    assert [event["migration"] for event in answer.all("applied")] == [step["migration"] for step in plan["plan"]]
    # The permissions are made by a handler of post_migrate.
    assert query(app, "SELECT count(*) FROM auth_permission WHERE codename = 'add_item'") == [(1,)]
    again = ask(app, _program_migrate).first("plan")
    assert again is not None
    assert again["plan"] == []


def test_a_failure_names_the_migration(migrated: Path) -> None:
    add_migration(migrated, "0002_ok", "0001_initial", "migrations.RunSQL('SELECT 1')")
    add_migration(migrated, "0003_bad", "0002_ok", "migrations.RunSQL('SELECT * FROM nowhere')")
    add_migration(migrated, "0004_never", "0003_bad", "")
    answer = ask(migrated, _program_migrate)
    assert [event["migration"] for event in answer.all("applied")] == ["shop.0002_ok"]
    event = answer.first("failed")
    assert event is not None
    assert (event["stage"], event["migration"]) == ("apply", "shop.0003_bad")
    assert (event["error"], event["message"]) == ("OperationalError", "no such table: nowhere")


def test_a_migration_that_exits(migrated: Path) -> None:
    add_migration(migrated, "0002_exit", "0001_initial", "migrations.RunPython(lambda apps, editor: exit(0))")
    event = failed(migrated, _program_migrate)
    assert (event["migration"], event["error"]) == ("shop.0002_exit", "SystemExit")


def test_a_migration_that_asks(migrated: Path) -> None:
    add_migration(migrated, "0002_ask", "0001_initial", "migrations.RunPython(lambda apps, editor: input('?'))")
    assert failed(migrated, _program_migrate)["error"] == "EOFError"


def test_a_migration_that_prints(migrated: Path) -> None:
    add_migration(
        migrated, "0002_print", "0001_initial", "migrations.RunPython(lambda apps, e: print('hello', end=''))"
    )
    assert [event["migration"] for event in ask(migrated, _program_migrate).all("applied")] == ["shop.0002_print"]


def test_schema_ahead_of_the_code(migrated: Path) -> None:
    query(migrated, "INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0002_new', '2026-01-01')")
    query(migrated, "INSERT INTO django_migrations (app, name, applied) VALUES ('removed_app', '0001', '2026-01-01')")
    plan = ask(migrated, _program_migrate).first("plan")
    assert plan is not None
    assert plan["unknown"] == ["shop.0002_new"]


def test_two_last_migrations(migrated: Path) -> None:
    add_migration(migrated, "0002_a", "0001_initial", "")
    add_migration(migrated, "0002_b", "0001_initial", "")
    event = failed(migrated, _program_migrate)
    assert event["stage"] == "plan"
    assert "shop: 0002_a and 0002_b" in event["message"]


def test_a_dependency_that_was_never_applied(migrated: Path) -> None:
    query(migrated, "DELETE FROM django_migrations WHERE app = 'auth' AND name = '0001_initial'")
    event = failed(migrated, _program_migrate)
    assert (event["stage"], event["error"]) == ("plan", "InconsistentMigrationHistory")


def test_the_app_may_have_its_own_migrate_command(app: Path) -> None:
    folder = app / "shop" / "management" / "commands"
    folder.mkdir(parents=True)
    (folder / "migrate.py").write_text(
        "from django.core.management.commands.migrate import Command as Base\n"
        "class Command(Base):\n"
        "    def handle(self, *args, **options):\n"
        "        print('mine')\n"
        "        return super().handle(*args, **options)\n"
    )
    answer = ask(app, _program_migrate)
    assert "mine" in answer.noise
    assert answer.all("applied")


def test_no_database(app: Path) -> None:
    (app / "site_settings.py").write_text(SETTINGS.replace('"db.sqlite3"', '"/nonexistent/db.sqlite3"'))
    for program in (_program_migrate, _program_superuser):
        event = failed(app, program, **USER)
        assert (event["stage"], event["error"]) == ("connect", "OperationalError")


@pytest.mark.parametrize("program", [_program_migrate, _program_superuser, _program_collectstatic])
def test_settings_that_cannot_be_loaded(app: Path, program: ModuleType) -> None:
    event = failed(app, program, settings_module="nowhere")
    assert (event["stage"], event["error"]) == ("setup", "ModuleNotFoundError")


def test_superuser_is_created_once(migrated: Path) -> None:
    first = done(migrated, _program_superuser, **USER)
    assert first == {"event": "done", "username": "admin", "username_field": "username", "created": True, "changes": []}
    found = query(migrated, "SELECT username, email, is_active, is_staff, is_superuser FROM auth_user")
    assert found == [("admin", "admin@example.org", 1, 1, 1)]
    again = done(migrated, _program_superuser, **USER)
    assert (again["created"], again["changes"]) == (False, [])


def test_superuser_check_writes_nothing(migrated: Path) -> None:
    assert done(migrated, _program_superuser, **{**USER, "apply": False})["created"] is True
    assert query(migrated, "SELECT count(*) FROM auth_user") == [(0,)]
    done(migrated, _program_superuser, **USER)
    before = query(migrated, "SELECT * FROM auth_user")
    # A hasher with other settings: Django would save a new hash as soon as it had compared the password.
    (migrated / "site_settings.py").write_text(SETTINGS.replace("hashers.Quick", "hashers.Slower"))
    assert done(migrated, _program_superuser, **{**USER, "apply": False})["changes"] == []
    wanted = {**USER, "password": "other", "email": "b@example.org", "apply": False}
    assert done(migrated, _program_superuser, **wanted)["changes"] == ["email", "password"]
    assert query(migrated, "SELECT * FROM auth_user") == before


def test_superuser_is_converged(migrated: Path) -> None:
    done(migrated, _program_superuser, **USER)
    query(migrated, "UPDATE auth_user SET is_active = 0, is_staff = 0, email = 'x@example.org'")
    wanted = {**USER, "password": "new", "fields": {"first_name": "Ada"}}
    changes = ["email", "first_name", "is_active", "is_staff", "password"]
    assert done(migrated, _program_superuser, **wanted)["changes"] == changes
    assert done(migrated, _program_superuser, **wanted)["changes"] == []
    assert query(migrated, "SELECT is_active, is_staff, email, first_name FROM auth_user") == [
        (1, 1, "admin@example.org", "Ada")
    ]


def test_a_password_of_its_own_can_be_left(migrated: Path) -> None:
    done(migrated, _program_superuser, **USER)
    kept = {**USER, "password": "other", "renew_password": False, "email": ""}
    assert done(migrated, _program_superuser, **kept)["changes"] == []
    assert done(migrated, _program_superuser, **USER)["changes"] == []


def test_superuser_before_the_migrations(app: Path) -> None:
    event = failed(app, _program_superuser, **USER)
    assert (event["stage"], event["error"]) == ("user", "OperationalError")


@pytest.fixture
def email_app(app: Path) -> Path:
    """Make a project whose users are named by their email address, and must have a telephone."""
    (app / "shop" / "models.py").write_text(EMAIL_USER)
    (app / "site_settings.py").write_text(SETTINGS + 'AUTH_USER_MODEL = "shop.Person"\n')
    (app / "shop" / "migrations" / "0001_initial.py").unlink()
    env = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "site_settings"}
    # The checks are for a whole site, of which this has no more than is tested.
    argv = [sys.executable, "-m", "django", "makemigrations", "--skip-checks", "shop"]
    subprocess.run(argv, cwd=app, env=env, check=True, capture_output=True)
    done(app, _program_migrate)
    return app


def test_users_named_by_email(email_app: Path) -> None:
    wanted = {**USER, "email": "admin@EXAMPLE.org", "fields": {"phone": "1"}}
    first = done(email_app, _program_superuser, **wanted)
    assert (first["created"], first["username"], first["username_field"]) == (True, "admin@example.org", "email")
    again = done(email_app, _program_superuser, **wanted)
    assert (again["created"], again["changes"]) == (False, [])
    moved = done(email_app, _program_superuser, **{**wanted, "fields": {"phone": "2"}})
    assert moved["changes"] == ["phone"]
    assert query(email_app, "SELECT email, phone, is_staff FROM shop_person") == [("admin@example.org", "2", 1)]


def test_a_username_that_is_an_email(email_app: Path) -> None:
    wanted = {**USER, "username": "root@example.org", "email": "", "fields": {"phone": "1"}}
    assert done(email_app, _program_superuser, **wanted)["username"] == "root@example.org"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"email": "", "fields": {"phone": "1"}}, "users of this app are named by their email: give an email address"),
        ({}, "the app's user model requires a value for phone: give it in `fields`"),
    ],
)
def test_what_a_user_model_asks_for(email_app: Path, extra: dict[str, Any], message: str) -> None:
    event = failed(email_app, _program_superuser, **{**USER, **extra})
    assert event["message"] == message
    assert query(email_app, "SELECT count(*) FROM shop_person") == [(0,)]


def test_static_files_go_where_they_are_mounted(app: Path) -> None:
    done(app, _program_collectstatic, static_root=str(app / "out"))
    assert (app / "out" / "shop" / "a.css").read_text() == "a"
    assert (app / "out" / "admin" / "css" / "base.css").exists()


def test_static_files_with_hashed_names(app: Path) -> None:
    storage = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    (app / "site_settings.py").write_text(SETTINGS + f'STORAGES = {{"staticfiles": {{"BACKEND": "{storage}"}}}}\n')
    done(app, _program_collectstatic, static_root=str(app / "out"))
    assert (app / "out" / "staticfiles.json").exists()
    assert list((app / "out" / "shop").glob("a.*.css"))


def test_a_storage_that_fails(app: Path) -> None:
    storage = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    (app / "site_settings.py").write_text(SETTINGS + f'STORAGES = {{"staticfiles": {{"BACKEND": "{storage}"}}}}\n')
    (app / "shop" / "static" / "shop" / "a.css").write_text("a { background: url(missing.png) }")
    event = failed(app, _program_collectstatic, static_root=str(app / "out"))
    assert event["stage"] == "collect"
    assert "missing.png" in event["message"]


def test_an_app_without_static_files(app: Path) -> None:
    (app / "site_settings.py").write_text(SETTINGS.replace('"django.contrib.staticfiles", ', ""))
    assert "not in INSTALLED_APPS" in failed(app, _program_collectstatic, static_root=str(app / "out"))["message"]
