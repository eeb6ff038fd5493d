# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the application gets: rendered files, through the real Compose, to the sample's own settings and to readers of URLs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import dj_database_url
import pytest
import redis
from conftest import HERE, ROOT
from kombu.utils.url import parse_url
from support import compose

if TYPE_CHECKING:
    from pathlib import Path

    from stacks import Stack

FILES = (".env", "migrate.env")
REDIS_URLS = ("REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")


@pytest.fixture(scope="module", params=FILES)
def environments(
    request: pytest.FixtureRequest, rendered: list[Stack], tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, str]]:
    """Return the environment that a container of each stack gets from one of its files, by every Compose at hand."""
    folder = tmp_path_factory.mktemp("compose")
    services = {}
    for stack in rendered:
        (folder / f"{stack.number}.env").write_text(stack.files[request.param], encoding="utf-8", newline="")
        services[f"s{stack.number}"] = {"image": "i", "env_file": [f"{stack.number}.env"]}
    # JSON is YAML, and nothing in it can be taken for something else.
    (folder / "compose.yaml").write_text(json.dumps({"name": "matrix", "services": services}))
    clis = compose.find_all(ROOT / ".state" / "bin")
    assert clis, compose.HELP
    found = [read(cli, folder, len(rendered)) for cli in clis]
    assert all(one == found[0] for one in found)
    return found[0]


def read(cli: compose.Compose, folder: Path, count: int) -> list[dict[str, str]]:
    """Return the environments of all services; in its own output Compose doubles each dollar sign."""
    services = cli.config(folder)["services"]
    return [
        {name: value.replace("$$", "$") for name, value in services[f"s{number}"]["environment"].items()}
        for number in range(count)
    ]


def differing(rendered: list[Stack], found: list[dict[str, str]], name: str) -> list[tuple[str, str]]:
    """Return the secrets that did not arrive, each with what arrived."""
    pairs = [(stack.secrets[name], one["it"]) for stack, one in zip(rendered, found, strict=True)]
    return [(wanted, got) for wanted, got in pairs if wanted != got]


def test_each_secret_is_in_the_environment_as_it_was_given(
    rendered: list[Stack], environments: list[dict[str, str]]
) -> None:
    for variable, secret in (
        ("DB_PASSWORD", "mysql_password"),
        ("REDIS_PASSWORD", "redis_password"),
        ("SECRET_KEY", "django_secret_key"),
        ("EMAIL_HOST_PASSWORD", "django_email_host_password"),
    ):
        found = [{"it": environment[variable]} for environment in environments]
        assert differing(rendered, found, secret) == [], variable


def test_each_url_says_the_password_to_whoever_reads_urls(
    rendered: list[Stack], environments: list[dict[str, str]]
) -> None:
    for stack, environment in zip(rendered, environments, strict=True):
        database, password = stack.secrets["mysql_password"], stack.secrets["redis_password"]
        assert unquote(urlsplit(environment["DATABASE_URL"]).password or "") == database
        assert dj_database_url.parse(environment["DATABASE_URL"])["PASSWORD"] == database
        for name in REDIS_URLS:
            assert unquote(urlsplit(environment[name]).password or "") == password
            assert redis.connection.parse_url(environment[name])["password"] == password
            assert parse_url(environment[name])["password"] == password


def test_the_samples_settings_hold_each_secret(rendered: list[Stack], environments: list[dict[str, str]]) -> None:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "app"), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, str(HERE / "settings_seen.py")]
    given = json.dumps(environments)
    done = subprocess.run(argv, input=given, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    for stack, seen in zip(rendered, json.loads(done.stdout), strict=True):
        assert seen["database"] == stack.secrets["mysql_password"]
        assert seen["key"] == stack.secrets["django_secret_key"]
        assert seen["mail"] == stack.secrets["django_email_host_password"]
        assert {unquote(urlsplit(url).password or "") for url in seen["urls"]} == {stack.secrets["redis_password"]}
