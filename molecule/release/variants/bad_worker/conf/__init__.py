"""The worker of this release does not start; everything else does."""

import sys

from .celery import app as celery_app

__all__ = ["celery_app"]

if "worker" in sys.argv:
    raise RuntimeError("this release has no worker")
