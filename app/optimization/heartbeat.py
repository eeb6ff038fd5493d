"""Signs of life of the Celery processes: a key in Redis for /health/, a file for the container's own probe."""

import logging
import tempfile
import time
from pathlib import Path
from typing import Any

from celery.signals import beat_init, before_task_publish, heartbeat_sent, worker_ready
from django.core.cache import cache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

WORKER_KEY = "celery:heartbeat"
WRITE_EVERY_SECONDS = 5
EXPIRES_SECONDS = 20
FILES = Path(tempfile.gettempdir())


class WorkerHeart:
    """Writes the key, but not at each of the worker's heartbeats (every 2 s)."""

    def __init__(self) -> None:
        """Start with a write that is due."""
        self.written = 0.0

    def beat(self, **_: Any) -> None:
        """Write if it is due. The worker goes on without Redis, hence so does this."""
        if time.monotonic() - self.written < WRITE_EVERY_SECONDS:
            return
        self.written = time.monotonic()
        touch("worker")
        try:
            cache.set(WORKER_KEY, int(time.time()), timeout=EXPIRES_SECONDS)
        except RedisError as error:
            logger.warning("worker heartbeat not written: %s", type(error).__name__)


def touch(process: str) -> None:
    """Mark the process as alive for probe.py in the same container."""
    try:
        (FILES / f"{process}.heartbeat").touch()
    except OSError as error:
        logger.warning("heartbeat file not written: %s", error.strerror)


def beat_published(**_: Any) -> None:
    """Count every message that beat sends; the tick comes every 10 s."""
    touch("beat")


def on_beat_init(**_: Any) -> None:
    """Watch publishing in the beat process only."""
    touch("beat")
    before_task_publish.connect(beat_published, weak=False)


heart = WorkerHeart()
heartbeat_sent.connect(heart.beat)
worker_ready.connect(heart.beat)
beat_init.connect(on_beat_init, weak=False)
