"""What a numbered task leaves."""

from django.db import models


class Execution(models.Model):
    """One execution that came to its end."""

    number = models.BigIntegerField()
    task_id = models.CharField(max_length=64)
    release = models.CharField(max_length=100)
    worker = models.CharField(max_length=100)
    at = models.DateTimeField(auto_now_add=True)
