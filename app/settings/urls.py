"""URLs of the project."""

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView


def favicon(_request: HttpRequest) -> HttpResponse:
    """Answer what every browser asks for; a 404 would be an error in its console."""
    return HttpResponse(status=204)


urlpatterns = [
    path("", RedirectView.as_view(pattern_name="api-root")),
    path("favicon.ico", favicon),
    path("admin/", admin.site.urls),
    path("api/", include("optimization.urls")),
    path("health/", include("optimization.health_urls")),
    # Only with DEBUG: in production the web server hands out media.
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]
