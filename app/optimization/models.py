"""The job: a knapsack problem, its state and its result."""

import uuid
from pathlib import PurePosixPath

from django.conf import settings
from django.db import models


def attachment_path(job: "Job", filename: str) -> str:
    """Name the stored file; the random part makes the public address impossible to guess."""
    return f"attachments/{job.pk}/{uuid.uuid4().hex}/{PurePosixPath(filename).name}"


class Job(models.Model):
    """A problem somebody handed in."""

    class Status(models.TextChoices):
        """Where the job is on its way."""

        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="jobs")
    capacity = models.PositiveIntegerField()
    items = models.JSONField()
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    result = models.JSONField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    attachment = models.FileField(upload_to=attachment_path, max_length=255, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    enqueued = models.DateTimeField(null=True, blank=True, help_text="When the broker last accepted a message for it.")
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Newest first."""

        ordering = ("-id",)
        indexes = (
            models.Index(fields=("status", "enqueued"), name="job_status_enqueued"),
            models.Index(fields=("finished",), name="job_finished"),
        )

    def __str__(self) -> str:
        """Name the job in the admin."""
        return f"Job {self.pk}"
