"""Files of jobs leave the disk together with the job."""

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from .models import Job


@receiver(post_delete, sender=Job)
def delete_attachment(instance: Job, **_: Any) -> None:
    """Remove the file once the deletion is certain."""
    if instance.attachment:
        transaction.on_commit(partial(instance.attachment.storage.delete, instance.attachment.name))


def replace_attachment(job: Job, upload: Any) -> None:
    """Store the upload; the file that it replaces goes once the new one is recorded."""
    old = job.attachment.name
    job.attachment = upload
    job.save(update_fields=["attachment"])
    if old:
        transaction.on_commit(partial(job.attachment.storage.delete, old))
