"""One view for each kind of traffic."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from kombu.exceptions import OperationalError

from .models import Entry, Execution, Tick
from .tasks import numbered

LONGEST_SECONDS = 60.0
BLOCK = 1 << 16


def release_header(respond: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Say on every answer which release gave it."""

    def with_header(request: HttpRequest) -> HttpResponse:
        response = respond(request)
        response["X-Release"] = settings.RELEASE_ID
        return response

    return with_header


@require_safe
def health(_request: HttpRequest) -> HttpResponse:
    """Say whether the database answers."""
    status = "broken" if settings.BROKEN else "ok"
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        status = "no database"
    return JsonResponse({"status": status, "release": settings.RELEASE_ID}, status=200 if status == "ok" else 503)


@require_safe
def live(_request: HttpRequest) -> HttpResponse:
    """Say that the process answers."""
    return JsonResponse({"status": "ok", "release": settings.RELEASE_ID})


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Name an asset of this release."""
    return render(request, "page.html", {"release": settings.RELEASE_ID})


@require_safe
def slow(request: HttpRequest) -> HttpResponse:
    """Take as long as asked."""
    seconds = min(float(request.GET.get("seconds", "10")), LONGEST_SECONDS)
    time.sleep(seconds)
    return JsonResponse({"seconds": seconds, "release": settings.RELEASE_ID})


@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    """Read all, and say what was read."""
    size, digest = 0, hashlib.sha256()
    while block := request.read(BLOCK):
        size += len(block)
        digest.update(block)
    return JsonResponse({"size": size, "sha256": digest.hexdigest()})


@require_http_methods(["GET", "POST"])
def ledger(request: HttpRequest) -> HttpResponse:
    """Add a row for each request, and tell how often each id came."""
    if request.method == "GET":
        return JsonResponse({"rows": Counter(Entry.objects.values_list("uid", flat=True))})
    uid = str(json.loads(request.body)["id"])
    Entry.record(uid, settings.RELEASE_ID, request.headers.get("User-Agent", "")[:200])
    return JsonResponse({"id": uid}, status=201)


@require_http_methods(["GET", "POST"])
def tasks(request: HttpRequest) -> HttpResponse:
    """Queue a numbered task for each request, and tell which were carried out."""
    if request.method == "GET":
        fields = ("number", "task_id", "release", "worker", "at")
        return JsonResponse({"rows": list(Execution.objects.order_by("id").values(*fields))})
    number = int(json.loads(request.body)["n"])
    try:
        queued = numbered.delay(number)
    except OperationalError:
        return JsonResponse({"error": "the broker is away"}, status=503)
    return JsonResponse({"n": number, "task_id": queued.id}, status=202)


@require_safe
def ticks(_request: HttpRequest) -> HttpResponse:
    """Tell what beat has sent."""
    fields = ("sent_ms", "beat", "release", "task_id", "worker", "at")
    return JsonResponse({"rows": list(Tick.objects.order_by("sent_ms").values(*fields))})
