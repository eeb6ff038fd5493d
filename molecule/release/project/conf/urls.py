"""What the load generator asks for."""

from django.conf import settings
from django.urls import path, re_path
from django.views.static import serve
from traffic import views

urlpatterns = [
    path("health/", views.health),
    path("health/live/", views.live),
    path("page/", views.page),
    path("slow/", views.slow),
    path("upload/", views.upload),
    path("ledger/", views.ledger),
    path("tasks/", views.tasks),
    path("ticks/", views.ticks),
]
if settings.SERVE_STATIC:
    urlpatterns += [re_path(r"^static/(?P<path>.+)$", serve, {"document_root": settings.STATIC_ROOT})]
