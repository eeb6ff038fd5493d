"""What a POST to /ledger/ leaves, without the agent that older code still writes."""

from django.db import models


class Entry(models.Model):
    """One request that was carried out."""

    uid = models.CharField(max_length=64)
    release = models.CharField(max_length=100)
    at = models.DateTimeField(auto_now_add=True)

    @classmethod
    def record(cls, uid: str, release: str, _agent: str) -> None:
        """Add a row."""
        cls.objects.create(uid=uid, release=release)
