"""Settings, read from the environment by python-decouple. README.md lists the names."""

from pathlib import Path
from typing import Any

from celery.schedules import crontab
from decouple import Csv, config
from django.core.exceptions import ImproperlyConfigured
from redis.backoff import NoBackoff
from redis.retry import Retry

from .logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent


def secret(name: str, **options: str) -> str:
    """Read a secret: from the file whose path the environment has (NAME_FILE), or from the environment itself."""
    path = config(f"{name}_FILE", default="")
    return Path(path).read_text(encoding="utf-8").removesuffix("\n") if path else config(name, **options)


RELEASE_ID: str = config("RELEASE_ID", default="")
DEBUG: bool = config("DEBUG", default=False, cast=bool)
SECRET_KEY: str = secret("SECRET_KEY")
if not SECRET_KEY:
    # Django itself notices at the first request that needs it.
    message = "SECRET_KEY is empty"
    raise ImproperlyConfigured(message)
ALLOWED_HOSTS: list[str] = config("ALLOWED_HOSTS", default="", cast=Csv())

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "optimization",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "settings.urls"
WSGI_APPLICATION = "settings.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database and cache -------------------------------------------------------------------------------------------
DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.mysql",
        "NAME": config("DB_NAME", default="app"),
        "USER": config("DB_USER", default="app"),
        "PASSWORD": secret("DB_PASSWORD", default=""),
        "HOST": config("DB_HOST", default="mysql"),
        "PORT": config("DB_PORT", default="3306"),
        "CONN_MAX_AGE": 60,
        # The database may have been restarted between two requests.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "charset": "utf8mb4",
            "connect_timeout": 3,
            # Without strict mode MySQL cuts values that do not fit, and says nothing.
            "init_command": "SET sql_mode='STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE'",
        },
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        # A database of its own: clearing the cache is FLUSHDB, and must not reach the queue.
        "LOCATION": secret("REDIS_URL", default="redis://redis:6379/2"),
        "KEY_PREFIX": "backend",
        # Fail fast: the client's default, three retries with back-off, would hold a request for seconds.
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2, "retry": Retry(NoBackoff(), 1)},
    },
}

# --- Celery -------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL: str = secret("CELERY_BROKER_URL", default="redis://redis:6379/0")
CELERY_RESULT_BACKEND: str = secret("CELERY_RESULT_BACKEND", default="redis://redis:6379/1")
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_RESULT_EXPIRES = 24 * 3600
CELERY_TIMEZONE = "UTC"
# Every task here can run twice without harm, so a task lost with its worker goes back to the queue.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_TASK_SOFT_TIME_LIMIT = 45
CELERY_TASK_TIME_LIMIT = 60
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# For ever: a worker that gives up on a broker that is away for long would stay down.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Longer than the longest task, short enough that what a killed host held is done again in minutes.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 300, "socket_connect_timeout": 2, "socket_timeout": 30}
# A request that queues a task must not hang on a broker that is away; beat queues the job again.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
CELERY_BEAT_SCHEDULE_FILENAME: str = config("CELERY_BEAT_SCHEDULE_FILE", default="/tmp/celerybeat-schedule")  # noqa: S108
CELERY_BEAT_SCHEDULE: dict[str, Any] = {
    # `expires`: ticks that nobody took must not pile up while the worker is away.
    "beat-tick": {"task": "optimization.tasks.beat_tick", "schedule": 10.0, "options": {"expires": 10}},
    "requeue-lost-jobs": {
        "task": "optimization.tasks.requeue_lost_jobs",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    # Hourly: a daily time that falls into a deploy would be missed for a day.
    "delete-old-jobs": {
        "task": "optimization.tasks.delete_old_jobs",
        "schedule": crontab(minute="17"),
        "options": {"expires": 3600},
    },
}

JOB_RETENTION_DAYS: int = config("JOB_RETENTION_DAYS", default=30, cast=int)
JOB_REQUEUE_AFTER_SECONDS: int = config("JOB_REQUEUE_AFTER_SECONDS", default=120, cast=int)

# --- API ----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    # Basic first: an anonymous client then gets 401 and not 403.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.BasicAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["optimization.parsers.BoundedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 50,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- Static files and media ---------------------------------------------------------------------------------------
STATIC_URL: str = config("STATIC_URL", default="/static/")
STATIC_ROOT: str = config("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
MEDIA_URL: str = config("MEDIA_URL", default="/media/")
MEDIA_ROOT: str = config("MEDIA_ROOT", default=str(BASE_DIR / "media"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # Hashed names: a file may then be cached for ever, and pages of two releases do not mix their assets.
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
# The web server runs as another user and hands these out.
FILE_UPLOAD_PERMISSIONS = 0o644
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o755

# --- Security: all of it follows the TLS mode of the deployment ------------------------------------------------------
SECURE_SSL_REDIRECT: bool = config("SECURE_SSL_REDIRECT", default=not DEBUG, cast=bool)
CSRF_COOKIE_SECURE: bool = config("CSRF_COOKIE_SECURE", default=not DEBUG, cast=bool)
SESSION_COOKIE_SECURE: bool = config("SESSION_COOKIE_SECURE", default=not DEBUG, cast=bool)
SECURE_CONTENT_TYPE_NOSNIFF: bool = config("SECURE_CONTENT_TYPE_NOSNIFF", default=True, cast=bool)
SECURE_HSTS_SECONDS: int = config("SECURE_HSTS_SECONDS", default=0, cast=int)
SECURE_HSTS_INCLUDE_SUBDOMAINS: bool = config("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=False, cast=bool)
SECURE_HSTS_PRELOAD: bool = config("SECURE_HSTS_PRELOAD", default=False, cast=bool)
CSRF_TRUSTED_ORIGINS: list[str] = config("CSRF_TRUSTED_ORIGINS", default="", cast=Csv())
# Only behind a proxy that overwrites the header: otherwise anybody can claim to have come over TLS.
if config("SECURE_PROXY_SSL_HEADER_ENABLED", default=False, cast=bool):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Probes inside the network speak plain http.
SECURE_REDIRECT_EXEMPT = [r"^health/"]
# Browsers ignore this header on plain http, and complain about it in the console.
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin" if SECURE_SSL_REDIRECT else None
# HSTS for subdomains and preload are hard to take back; to leave them off is a decision, not an oversight.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# --- Mail ---------------------------------------------------------------------------------------------------------
EMAIL_BACKEND: str = config("EMAIL_BACKEND", default="django.core.mail.backends.smtp.EmailBackend")
EMAIL_HOST: str = config("EMAIL_HOST", default="localhost")
EMAIL_PORT: int = config("EMAIL_PORT", default=25, cast=int)
EMAIL_USE_TLS: bool = config("EMAIL_USE_TLS", default=False, cast=bool)
EMAIL_HOST_USER: str = config("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD: str = secret("EMAIL_HOST_PASSWORD", default="")
EMAIL_TIMEOUT = 10

USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logging_config(config("LOG_LEVEL", default="INFO").upper(), config("LOG_FILE", default=""))
