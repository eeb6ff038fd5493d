"""What a POST to /ledger/ leaves, with a note that older code need not know of."""

from django.db import models


class Entry(models.Model):
    """One request that was carried out."""

    uid = models.CharField(max_length=64)
    release = models.CharField(max_length=100)
    agent = models.CharField(max_length=200, default="")
    note = models.CharField(max_length=100, null=True)  # noqa: DJ001 - older code inserts rows without it
    at = models.DateTimeField(auto_now_add=True)

    @classmethod
    def record(cls, uid: str, release: str, agent: str) -> None:
        """Add a row."""
        cls.objects.create(uid=uid, release=release, agent=agent)
