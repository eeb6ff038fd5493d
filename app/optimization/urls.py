"""URLs below /api/."""

from rest_framework.permissions import AllowAny
from rest_framework.routers import APIRootView, DefaultRouter

from .views import JobViewSet


class RootView(APIRootView):
    """What there is. Open to everybody, so that a probe needs no account."""

    permission_classes = (AllowAny,)


class Router(DefaultRouter):
    """Router with the open root and without `.json` suffixes."""

    APIRootView = RootView
    include_format_suffixes = False


router = Router()
router.register("jobs", JobViewSet, basename="job")
urlpatterns = router.urls
