"""The API."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from .attachments import replace_attachment
from .dispatch import enqueue_on_commit
from .models import Job
from .serializers import AttachmentSerializer, JobSerializer


class JobViewSet(
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.ListModelMixin,
    viewsets.GenericViewSet,
):
    """Jobs of the caller; staff sees those of everybody."""

    serializer_class = JobSerializer
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Job]:
        """Leave out what belongs to others: they are 404 and not 403, so that ids tell nothing."""
        jobs = Job.objects.select_related("owner")
        return jobs if self.request.user.is_staff else jobs.filter(owner=self.request.user)

    def perform_create(self, serializer: JobSerializer) -> None:
        """Store the job, and queue it once it is stored."""
        with transaction.atomic():
            enqueue_on_commit(serializer.save(owner=self.request.user).pk)

    @action(detail=True, methods=["put"], parser_classes=[MultiPartParser])
    def attachment(self, request: Request, **_: Any) -> Response:
        """Attach a file to the job, in the place of an earlier one."""
        job = self.get_object()
        upload = AttachmentSerializer(data=request.data)
        upload.is_valid(raise_exception=True)
        replace_attachment(job, upload.validated_data["file"])
        return Response(self.get_serializer(job).data)
