"""The Celery app: `celery -A conf worker`, `celery -A conf beat`."""

import os
import socket
import time
from typing import Any

from celery import Celery
from celery.signals import before_task_publish

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "conf.settings")

app = Celery("traffic")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@before_task_publish.connect
def say_who_sends(headers: dict[str, Any], **_: Any) -> None:
    """Let a message say when and by whom it was sent: when a worker gets round to it says nothing about beat."""
    headers["sent_ms"] = int(time.time() * 1000)
    headers["sent_host"] = socket.gethostname()
    headers["sent_release"] = os.environ.get("RELEASE_ID", "")
