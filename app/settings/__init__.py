"""Project package. The Celery app is loaded with it, so that `shared_task` in every process means this app."""

from .celery import app as celery_app

__all__ = ("celery_app",)
