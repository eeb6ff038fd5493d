"""App configuration."""

from django.apps import AppConfig


class OptimizationConfig(AppConfig):
    """Connects the signal receivers when the app is ready."""

    name = "optimization"
    verbose_name = "Optimization"

    def ready(self) -> None:
        """Import the modules that register receivers."""
        from . import attachments, heartbeat  # noqa: F401, PLC0415  (models must be loaded first)
