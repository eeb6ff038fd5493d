"""What the worker does."""

import logging
import time
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.cache import cache
from django.db import InterfaceError, OperationalError
from django.db.models import F, Q
from django.utils import timezone

from . import limits
from .dispatch import enqueue
from .models import Job
from .solver import Item, solve

logger = logging.getLogger(__name__)

BEAT_TIME_KEY = "beat:time"
BEAT_TICKS_KEY = "beat:ticks"
BATCH = 500


def claim(job_id: int, *, redelivered: bool) -> Job | None:
    """Take the job for this worker; None if another one has it or it is finished.

    One UPDATE decides, so of two messages for one job the second finds nothing. A message that comes again because
    its worker died may take a job that is marked as running.
    """
    free = Q(status=Job.Status.QUEUED)
    if redelivered:
        free |= Q(status=Job.Status.RUNNING)
    claimed = Job.objects.filter(free, pk=job_id).update(
        status=Job.Status.RUNNING, started=timezone.now(), attempts=F("attempts") + 1
    )
    return Job.objects.filter(pk=job_id).first() if claimed else None


def finish(job: Job, *, result: dict[str, Any] | None = None, error: str = "") -> None:
    """Record the outcome, unless somebody has put the job back into the queue meanwhile."""
    status = Job.Status.FAILED if error else Job.Status.DONE
    Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, attempts=job.attempts).update(
        status=status, result=result, error=error, finished=timezone.now()
    )
    logger.info("job %d: %s", job.pk, status)


@shared_task(
    bind=True,
    # The outcome is in the database. Without a result, queueing does not depend on the result backend either.
    ignore_result=True,
    autoretry_for=(OperationalError, InterfaceError),
    retry_backoff=True,
    retry_backoff_max=30,
    max_retries=5,
)
def solve_job(self: Any, job_id: int) -> None:
    """Solve one job. Running it twice does no harm."""
    # A retry finds its own job marked as running, like a redelivered message does.
    redelivered = bool(self.request.retries or (self.request.delivery_info or {}).get("redelivered"))
    job = claim(job_id, redelivered=redelivered)
    if job is None:
        return
    if job.attempts > limits.MAX_ATTEMPTS:
        finish(job, error=f"given up after {limits.MAX_ATTEMPTS} attempts")
        return
    try:
        solution = solve(job.capacity, [Item(**item) for item in job.items])
    except SoftTimeLimitExceeded:
        finish(job, error=f"not solved within {settings.CELERY_TASK_SOFT_TIME_LIMIT} seconds")
    except Exception as error:
        logger.exception("job %d cannot be solved", job_id)
        finish(job, error=f"cannot be solved ({type(error).__name__})")
    else:
        finish(job, result={"value": solution.value, "items": solution.items})


@shared_task
def requeue_lost_jobs() -> int:
    """Queue again what the broker lost or never got, and what its worker left behind."""
    now = timezone.now()
    waiting_since = now - timedelta(seconds=settings.JOB_REQUEUE_AFTER_SECONDS)
    # After the hard limit no worker can be at it any more.
    dead_since = now - timedelta(seconds=2 * settings.CELERY_TASK_TIME_LIMIT)
    Job.objects.filter(status=Job.Status.RUNNING, started__lt=dead_since).update(
        status=Job.Status.QUEUED, enqueued=None
    )
    lost = Job.objects.filter(
        Q(enqueued__isnull=True) | Q(enqueued__lt=waiting_since), status=Job.Status.QUEUED, created__lt=waiting_since
    )
    queued = 0
    for job_id in list(lost.order_by("id").values_list("pk", flat=True)[:BATCH]):
        if not enqueue(job_id):
            break
        queued += 1
    if queued:
        logger.warning("%d lost jobs queued again", queued)
    return queued


@shared_task
def delete_old_jobs() -> int:
    """Delete jobs that ended JOB_RETENTION_DAYS ago, with their files."""
    before = timezone.now() - timedelta(days=settings.JOB_RETENTION_DAYS)
    deleted = 0
    while batch := list(Job.objects.filter(finished__lt=before)[:BATCH]):
        Job.objects.filter(pk__in=[job.pk for job in batch]).delete()
        deleted += len(batch)
    if deleted:
        logger.info("%d old jobs deleted", deleted)
    return deleted


@shared_task(ignore_result=True)
def beat_tick() -> None:
    """Leave a trace of beat and worker together, for /health/beat/."""
    cache.add(BEAT_TICKS_KEY, 0, timeout=None)
    cache.incr(BEAT_TICKS_KEY)
    cache.set(BEAT_TIME_KEY, int(time.time()), timeout=None)
