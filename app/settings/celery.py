"""The Celery app: `celery -A settings worker`, `celery -A settings beat`."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.settings")

app = Celery("backend_optimizacion")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def use_django_logging(**_: Any) -> None:
    """Log like the web processes do; without this Celery installs handlers of its own beside ours."""
    from django.conf import settings  # noqa: PLC0415  (settings import this package)

    logging.config.dictConfig(settings.LOGGING)
