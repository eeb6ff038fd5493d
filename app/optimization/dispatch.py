"""The way of a job to the broker."""

import logging
from functools import partial

from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from .models import Job

logger = logging.getLogger(__name__)


def enqueue(job_id: int) -> bool:
    """Send the job to the worker; False if the broker is away.

    The job is not lost then: it is stored as queued, and `requeue_lost_jobs` sends it again.
    """
    from .tasks import solve_job  # noqa: PLC0415  (tasks import this module)

    # First the note, then the message: the other way round a fast worker would be done before the note is written.
    Job.objects.filter(pk=job_id).update(enqueued=timezone.now())
    try:
        solve_job.delay(job_id)
    except (OperationalError, RedisError, OSError) as error:
        Job.objects.filter(pk=job_id).update(enqueued=None)
        logger.warning("job %d is stored, but the broker is away (%s): beat will queue it again", job_id, error)
        return False
    return True


def enqueue_on_commit(job_id: int) -> None:
    """Send the job once its row is visible to the worker."""
    transaction.on_commit(partial(enqueue, job_id))
