# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The programs that run inside a container, with the real Django and a database in a file."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _program_collectstatic,
    _program_migrate,
    _program_superuser,
)
from support.project import SETTINGS, done, failed, query

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

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
USER = {
    "username": "admin", "email": "admin@example.org", "password": "p'\"\\\\$ñ", "fields": {}, "renew_password": True, "apply": True,
}  # fmt: skip


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


@pytest.mark.parametrize("apply", [True, False])
@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"email": "", "fields": {"phone": "1"}}, "users of this app are named by their email: give an email address"),
        ({}, "the app's user model requires a value for phone: give it in `fields`"),
    ],
)
def test_what_a_user_model_asks_for(email_app: Path, extra: dict[str, Any], message: str, *, apply: bool) -> None:
    event = failed(email_app, _program_superuser, **{**USER, **extra, "apply": apply})
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
