"""Four pages."""

import os
from pathlib import Path

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.urls import path
from shop.models import Visit


def up(_: HttpRequest) -> HttpResponse:
    """Say that the process serves."""
    return HttpResponse("up")


def home(_: HttpRequest) -> HttpResponse:
    """Write to the database and the cache, and read from both."""
    Visit.objects.create()
    cache.set("visits", Visit.objects.count())
    return HttpResponse(f"visits: {cache.get('visits')}")


def greeting(_: HttpRequest) -> HttpResponse:
    """Return a value that came through the environment."""
    return HttpResponse(os.environ["SHOP_GREETING"], content_type="text/plain")


def ticks(_: HttpRequest) -> HttpResponse:
    """Return what the further process wrote into the volume that both share."""
    file = Path("/srv/uploads/tick")
    return HttpResponse(file.read_text() if file.exists() else "nothing yet")


urlpatterns = [path("up", up), path("", home), path("greeting", greeting), path("ticks", ticks)]
