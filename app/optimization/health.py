"""Health endpoints. Cheap enough to be asked 50 times a second: one query, one cache read."""

import logging
import time

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from .heartbeat import EXPIRES_SECONDS, WORKER_KEY
from .tasks import BEAT_TICKS_KEY, BEAT_TIME_KEY

logger = logging.getLogger(__name__)

OK = "ok"
BEAT_MAX_AGE_SECONDS = 60


def check_database() -> str:
    """Ask the database for a row. The answer names the error's kind and number only: its text may hold account data."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError as error:
        logger.warning("health: database: %s", error)
        number = next((arg for arg in error.args if isinstance(arg, int)), "")
        return f"unreachable ({type(error).__name__} {number}".rstrip() + ")"
    return OK


def check_redis_and_celery() -> tuple[str, str]:
    """Read the heartbeat: that it can be read is about Redis, that it is there is about the worker."""
    try:
        heartbeat = cache.get(WORKER_KEY)
    except RedisError as error:
        logger.warning("health: redis: %s", error)
        return f"unreachable ({type(error).__name__})", "unknown: redis is unreachable"
    return OK, OK if heartbeat else f"no worker heartbeat for {EXPIRES_SECONDS} seconds"


@never_cache
@require_safe
def health(_request: HttpRequest) -> HttpResponse:
    """Say whether all that a job needs is there."""
    redis, celery = check_redis_and_celery()
    checks = {"database": check_database(), "redis": redis, "celery": celery}
    healthy = all(check == OK for check in checks.values())
    answer = {"status": OK if healthy else "error", "checks": checks, "release": settings.RELEASE_ID}
    return JsonResponse(answer, status=200 if healthy else 503)


@never_cache
@require_safe
def live(_request: HttpRequest) -> HttpResponse:
    """Say that the process answers; touches nothing."""
    return JsonResponse({"status": OK, "release": settings.RELEASE_ID})


@never_cache
@require_safe
def beat(_request: HttpRequest) -> HttpResponse:
    """Say how old the last beat tick is that a worker has run."""
    try:
        values = cache.get_many([BEAT_TIME_KEY, BEAT_TICKS_KEY])
    except RedisError as error:
        logger.warning("health: redis: %s", error)
        return JsonResponse({"status": "error", "error": "redis is unreachable"}, status=503)
    if BEAT_TIME_KEY not in values:
        return JsonResponse({"status": "error", "error": "no tick yet", "age_seconds": None, "ticks": 0}, status=503)
    age = max(0, int(time.time()) - values[BEAT_TIME_KEY])
    answer = {"status": OK, "age_seconds": age, "ticks": values.get(BEAT_TICKS_KEY, 0)}
    if age <= BEAT_MAX_AGE_SECONDS:
        return JsonResponse(answer)
    problem = f"the last tick is older than {BEAT_MAX_AGE_SECONDS} seconds"
    return JsonResponse({**answer, "status": "error", "error": problem}, status=503)
