"""The Celery app is loaded with Django, so that the web process finds the broker."""

from .celery import app as celery_app

__all__ = ["celery_app"]
