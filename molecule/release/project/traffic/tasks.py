"""What the worker does."""

import socket
import time
from typing import Any

from celery import shared_task
from django.conf import settings

from .models import Execution, Tick

TASK_SECONDS = 0.2


@shared_task(bind=True)
def numbered(self: Any, number: int) -> None:
    """Work for a moment, then record it: an execution that is cut off in between leaves nothing."""
    time.sleep(TASK_SECONDS)
    Execution.objects.create(
        number=number, task_id=self.request.id, release=settings.RELEASE_ID, worker=socket.gethostname()
    )


@shared_task(bind=True)
def tick(self: Any) -> None:
    """Record what beat has sent."""
    Tick.objects.create(
        sent_ms=self.request.sent_ms,
        beat=self.request.sent_host,
        release=self.request.sent_release,
        task_id=self.request.id,
        worker=socket.gethostname(),
    )
