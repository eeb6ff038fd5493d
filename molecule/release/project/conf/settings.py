"""Settings, read from the plain environment."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent


def secret(name: str, default: str | None = None) -> str:
    """Read a secret: from the file whose path the environment has, or from the environment itself."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        return Path(path).read_text(encoding="utf-8")
    return os.environ[name] if default is None else os.environ.get(name, default)


RELEASE_ID = os.environ.get("RELEASE_ID", "")
# Only where no web server stands in front: with one, it would hide that the web server does not find a file.
SERVE_STATIC = os.environ.get("SERVE_STATIC") == "1"
# Two ways to a release that never gets healthy: one of the deployment, one of the image.
BROKEN = os.environ.get("BREAK_HEALTH") == "1" or (BASE_DIR / "broken").exists()

SECRET_KEY = secret("SECRET_KEY")
ALLOWED_HOSTS = [host for host in os.environ.get("ALLOWED_HOSTS", "").split(",") if host]
INSTALLED_APPS = ["django.contrib.staticfiles", "traffic"]
MIDDLEWARE = ["traffic.views.release_header"]
ROOT_URLCONF = "conf.urls"
WSGI_APPLICATION = "conf.wsgi.application"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.mysql",
        "NAME": os.environ.get("DB_NAME", "app"),
        "USER": os.environ.get("DB_USER", "app"),
        "PASSWORD": secret("DB_PASSWORD", ""),
        "HOST": os.environ.get("DB_HOST", "mysql"),
        "PORT": os.environ.get("DB_PORT", "3306"),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"charset": "utf8mb4", "connect_timeout": 3},
    },
}

STATIC_URL = os.environ.get("STATIC_URL", "/static/")
STATIC_ROOT = os.environ.get("STATIC_ROOT", str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}

CELERY_BROKER_URL = secret("CELERY_BROKER_URL", "redis://redis:6379/0")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 60, "socket_connect_timeout": 2}
CELERY_BEAT_SCHEDULE_FILENAME = "/tmp/celerybeat-schedule"  # noqa: S108
# They do not expire: a tick that no worker has run yet was sent all the same.
CELERY_BEAT_SCHEDULE = {"tick": {"task": "traffic.tasks.tick", "schedule": 2.0}}
