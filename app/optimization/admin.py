"""Admin of jobs."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from .dispatch import enqueue_on_commit
from .models import Job

FRESH: dict[str, Any] = {
    "status": Job.Status.QUEUED,
    "result": None,
    "error": "",
    "attempts": 0,
    "enqueued": None,
    "started": None,
    "finished": None,
}


@admin.register(Job)
class JobAdmin(admin.ModelAdmin):
    """Jobs to look at and to run again. They are made by the API, which checks what is handed in."""

    list_display = ("id", "owner", "status", "capacity", "value", "created", "finished")
    list_filter = ("status", "created", ("owner", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("owner",)
    search_fields = ("=id", "owner__username")
    actions = ("run_again",)
    readonly_fields = (
        "owner",
        "status",
        "capacity",
        "items",
        "result",
        "error",
        "attempts",
        "attachment",
        "created",
        "enqueued",
        "started",
        "finished",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Leave adding to the API."""
        return False

    @admin.display(description="value")
    def value(self, job: Job) -> Any:
        """Show the value reached."""
        return job.result["value"] if job.result else None

    @admin.action(description="Run selected jobs again", permissions=["change"])
    def run_again(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        """Queue the jobs again, except those that a worker has at the moment."""
        count = 0
        selected = list(jobs.values_list("pk", flat=True))
        for job_id in selected:
            # One statement: a worker may take the job at this very moment.
            if Job.objects.filter(pk=job_id).exclude(status=Job.Status.RUNNING).update(**FRESH):
                enqueue_on_commit(job_id)
                count += 1
        self.message_user(request, f"{count} jobs queued again.", messages.SUCCESS)
        if skipped := len(selected) - count:
            self.message_user(request, f"{skipped} jobs are running and were left alone.", messages.WARNING)
