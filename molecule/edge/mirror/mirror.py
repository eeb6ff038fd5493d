"""Pages that the sample project has only in these tests: what the application was told, and ways in which it can fail."""

import os
import signal
import time

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def say(request: HttpRequest) -> JsonResponse:
    """Say what came of a request."""
    told = {name: value for name, value in request.META.items() if isinstance(value, str) and name.startswith("HTTP_")}
    return JsonResponse(
        {
            "word": "mirror",
            "path": request.path,
            "length": len(request.body),
            "secure": request.is_secure(),
            "address": request.build_absolute_uri("/"),
            "told": told,
        }
    )


def fail(_request: HttpRequest) -> HttpResponse:
    """Fail as a bug does."""
    raise RuntimeError("this page fails")


def die(_request: HttpRequest) -> HttpResponse:
    """End the process that was to answer."""
    os.kill(os.getpid(), signal.SIGKILL)
    return HttpResponse()


def sleep(_request: HttpRequest) -> HttpResponse:
    """Answer later than the proxy waits."""
    time.sleep(9)
    return HttpResponse()


urlpatterns = [path("mirror/", say), path("fail/", fail), path("die/", die), path("sleep/", sleep)]
