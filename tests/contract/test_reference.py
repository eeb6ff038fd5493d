# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The deployment text that this collection automates ("Punto 6"): nothing that it configures is lost.

The lists are that text's own; the text itself is not part of the repository.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import repo
from ansible_collections.barehost.django.plugins.module_utils import _ignore

ENVIRONMENT = """
DEBUG SECRET_KEY ALLOWED_HOSTS
DATABASE_URL DB_NAME DB_USER DB_PASSWORD DB_HOST DB_PORT
REDIS_URL REDIS_HOST REDIS_PORT REDIS_PASSWORD
CELERY_BROKER_URL CELERY_RESULT_BACKEND
EMAIL_BACKEND EMAIL_HOST EMAIL_PORT EMAIL_USE_TLS EMAIL_HOST_USER EMAIL_HOST_PASSWORD
CSRF_COOKIE_SECURE SESSION_COOKIE_SECURE SECURE_BROWSER_XSS_FILTER SECURE_CONTENT_TYPE_NOSNIFF
SECURE_HSTS_SECONDS SECURE_HSTS_INCLUDE_SUBDOMAINS SECURE_HSTS_PRELOAD
LOG_LEVEL LOG_FILE STATIC_ROOT MEDIA_ROOT
""".split()  # noqa: SIM905 - read side by side with the text
# What the text leaves out and a deployment behind a proxy cannot do without.
ENVIRONMENT_BESIDE = ("SECURE_SSL_REDIRECT", "CSRF_TRUSTED_ORIGINS", "STATIC_URL", "MEDIA_URL")
# Django 4 dropped the setting behind it: it is still handed over, and the sample has nothing to read it into.
OBSOLETE = {"SECURE_BROWSER_XSS_FILTER"}
LOCATIONS = ("/static/", "/media/", "/api/", "/admin/", "/health/")
NGINX = (
    "user nginx", "worker_processes", "error_log", "worker_connections", "mime.types", "default_type",
    "log_format main",
    "access_log", "sendfile on", "tcp_nopush on", "tcp_nodelay on", "keepalive_timeout", "types_hash_max_size",
    "gzip on", "gzip_vary on", "gzip_min_length", "gzip_proxied any", "gzip_comp_level", "text/plain", "text/css",
    "text/xml", "text/javascript", "application/json", "application/javascript", "application/xml+rss",
    "application/atom+xml", "image/svg+xml", "limit_req_zone", "limit_req zone=", "burst=", "nodelay",
    "upstream django",
    "X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy", "Cache-Control",
    "proxy_set_header Host", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "proxy_connect_timeout",
    "proxy_send_timeout", "proxy_read_timeout", "location / {", "limit_req_status 429",
)  # fmt: skip
SERVICES = {"mysql": "mysql", "redis": "redis", "web": "django", "worker": "celery", "beat": "celery", "nginx": "nginx"}
IGNORED = (
    "venv/bin/python", "env/bin/python", ".venv/bin/python", "views.pyc", "__pycache__/views.pyc", ".pytest_cache/x",
    ".coverage", "htmlcov/index.html", ".DS_Store", "Thumbs.db", ".git/config", ".gitignore", ".vscode/settings.json",
    ".idea/x.xml", "views.py.swp", "views.py.swo", "Dockerfile", "Dockerfile.prod", "docker-compose.yml",
    "docker-compose.prod.yml", ".dockerignore", ".env", ".env.local", ".env.prod", "backend.log", "logs/backend.txt",
    "tmp/x", "backup.sql", "media/upload.png", "key.pem",
)  # fmt: skip


def text_of(role: str, *folders: str) -> str:
    """Return everything that a role's folders say, comments left out."""
    root = repo.ROOT / "roles" / role
    files = [path for folder in folders for path in sorted((root / folder).rglob("*")) if path.is_file()]
    lines = [line for path in files for line in repo.read(path).splitlines()]
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


@pytest.mark.parametrize("name", [*ENVIRONMENT, *ENVIRONMENT_BESIDE])
def test_every_environment_variable_reaches_the_application(name: str) -> None:
    assert re.search(rf"(?<![A-Z_]){name}(?![A-Z_])\s*[:=]", text_of("django", "defaults", "vars", "templates"))


@pytest.mark.parametrize("name", [name for name in ENVIRONMENT if name not in OBSOLETE])
def test_every_environment_variable_is_read_by_the_sample(name: str) -> None:
    # A server is given as a URL and in parts, for projects of either kind; the sample needs one of them.
    kinds = [("DATABASE_URL", "DB_"), ("REDIS_URL", "REDIS_"), ("CELERY_", "CELERY_")]
    words = [name, *(word for kind in kinds if name.startswith(kind) for word in ENVIRONMENT if word.startswith(kind))]
    settings = "\n".join(repo.read(path) for path in (repo.ROOT / "app" / "settings").rglob("*.py"))
    assert any(re.search(rf"\b{word}\b", settings) for word in words)


@pytest.mark.parametrize("location", LOCATIONS)
def test_every_location_is_served(location: str) -> None:
    assert location in text_of("nginx", "defaults", "vars", "templates")


@pytest.mark.parametrize("directive", NGINX)
def test_every_directive_of_nginx_is_there(directive: str) -> None:
    assert directive in text_of("nginx", "defaults", "vars", "templates")


@pytest.mark.parametrize(("service", "role"), SERVICES.items())
def test_every_service_is_described_by_its_role(service: str, role: str) -> None:
    assert re.search(rf"^\s*{service}:|['\"]{service}['\"]\s*:", text_of(role, "defaults", "vars"), re.MULTILINE)


@pytest.mark.parametrize("path", IGNORED)
def test_what_stays_out_of_the_image_stays_out_in_subfolders(path: str) -> None:
    text = (repo.ROOT / "app" / ".dockerignore").read_text(encoding="utf-8")
    matcher = _ignore.Matcher(_ignore.read_patterns(text))
    # A folder that is left out takes along what is in it.
    places = [prefix + part for prefix in ("", "sub/folder/") for part in _parents(path)]
    left_out = {place for place in places if matcher.check(place)[0]}
    assert any(not place.startswith("sub/") for place in left_out)
    assert any(place.startswith("sub/") for place in left_out)


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


@pytest.mark.parametrize("word", ["mysqladmin ping", "default.prod.conf", ":latest", "MYSQL_ROOT_PASSWORD:"])
def test_what_did_not_work_in_the_text_is_not_taken_over(word: str) -> None:
    places = [path for role in repo.ROLES for path in role.rglob("*") if path.suffix in (".yml", ".j2")]
    assert repo.matching_lines(re.escape(word), [Path(place) for place in places]) == []
