"""What beat leaves."""

from django.db import models


class Tick(models.Model):
    """One message of beat's: when and by whom it was sent, and who ran it."""

    sent_ms = models.BigIntegerField()
    beat = models.CharField(max_length=100)
    release = models.CharField(max_length=100)
    task_id = models.CharField(max_length=64)
    worker = models.CharField(max_length=100)
    at = models.DateTimeField(auto_now_add=True)
