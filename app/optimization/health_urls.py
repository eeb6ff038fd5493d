"""URLs below /health/."""

from django.urls import path

from . import health

urlpatterns = [
    path("", health.health, name="health"),
    path("live/", health.live, name="health-live"),
    path("beat/", health.beat, name="health-beat"),
]
