"""The tasks, called directly; test_live.py has the real worker."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

from celery.exceptions import SoftTimeLimitExceeded
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.test import TestCase, override_settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from optimization import tasks
from optimization.limits import MAX_ATTEMPTS
from optimization.models import Job

ITEMS = [{"name": "a", "weight": 10, "value": 60}, {"name": "b", "weight": 20, "value": 100}]


class TaskTestCase(TestCase):
    """Has a user and a short way to a job."""

    def setUp(self) -> None:
        """Make the owner."""
        self.user = User.objects.create_user("ana")

    def job(self, **fields: Any) -> Job:
        """Make a job; `created` is set afterwards because it is filled by itself."""
        created = fields.pop("created", None)
        job: Job = Job.objects.create(**{"owner": self.user, "capacity": 25, "items": ITEMS, **fields})
        if created:
            Job.objects.filter(pk=job.pk).update(created=created)
        return job


class SolveTests(TaskTestCase):
    """solve_job."""

    def test_done(self) -> None:
        """Result, times, attempts."""
        job = self.job()
        tasks.solve_job(job.pk)
        job.refresh_from_db()
        self.assertEqual((job.status, job.result), ("done", {"value": 100, "items": ["b"]}))
        self.assertEqual((job.attempts, job.error), (1, ""))
        self.assertTrue(job.created <= job.started <= job.finished)

    def test_second_message_does_nothing(self) -> None:
        """Finished, running or deleted jobs are left alone."""
        for status in ("running", "done", "failed"):
            job = self.job(status=status)
            tasks.solve_job(job.pk)
            job.refresh_from_db()
            self.assertEqual((job.status, job.attempts, job.result), (status, 0, None))
        tasks.solve_job(999_999_999)

    def test_claim_of_a_redelivered_message(self) -> None:
        """It takes over a job whose worker died, but no finished one."""
        running, done = self.job(status="running"), self.job(status="done")
        self.assertIsNone(tasks.claim(running.pk, redelivered=False))
        self.assertEqual(tasks.claim(running.pk, redelivered=True), running)
        self.assertIsNone(tasks.claim(done.pk, redelivered=True))

    def test_given_up(self) -> None:
        """A job that kills its workers does not go round for ever."""
        job = self.job(attempts=MAX_ATTEMPTS)
        tasks.solve_job(job.pk)
        job.refresh_from_db()
        self.assertEqual((job.status, job.error), ("failed", "given up after 3 attempts"))

    def test_time_limit_and_bug(self) -> None:
        """Both end the job with a word for the user; the details are in the log."""
        for exception, error in (
            (SoftTimeLimitExceeded(), "not solved within 45 seconds"),
            (ZeroDivisionError("secret"), "cannot be solved (ZeroDivisionError)"),
        ):
            job = self.job()
            with patch("optimization.tasks.solve", side_effect=exception), self.assertLogs("optimization", "INFO"):
                tasks.solve_job(job.pk)
            job.refresh_from_db()
            self.assertEqual((job.status, job.error, job.result), ("failed", error, None))

    def test_outcome_of_an_older_attempt_is_dropped(self) -> None:
        """A worker that comes back late must not overwrite what a later attempt says."""
        job = self.job(status="running", attempts=1)
        Job.objects.filter(pk=job.pk).update(attempts=2)
        tasks.finish(job, error="late")
        job.refresh_from_db()
        self.assertEqual(job.status, "running")


@override_settings(JOB_REQUEUE_AFTER_SECONDS=120)
class RequeueTests(TaskTestCase):
    """requeue_lost_jobs."""

    def test_what_is_lost(self) -> None:
        """Old jobs without a message or with an old one, and those of dead workers; nothing else."""
        now = timezone.now()
        old, fresh = now - timedelta(minutes=10), now - timedelta(seconds=5)
        never_sent = self.job(created=old)
        lost = self.job(created=old, enqueued=old)
        dead = self.job(created=old, enqueued=old, status="running", started=old)
        self.job(created=fresh)
        self.job(created=old, enqueued=fresh)
        self.job(created=old, enqueued=old, status="running", started=fresh)
        self.job(created=old, enqueued=old, status="done", finished=old)
        self.job(created=old, enqueued=old, status="failed", finished=old)
        with patch("optimization.tasks.solve_job.delay") as delay, self.assertLogs("optimization.tasks", "WARNING"):
            self.assertEqual(tasks.requeue_lost_jobs(), 3)
        self.assertEqual([call.args[0] for call in delay.call_args_list], [never_sent.pk, lost.pk, dead.pk])
        dead.refresh_from_db()
        self.assertEqual(dead.status, "queued")
        with patch("optimization.tasks.solve_job.delay") as delay:
            self.assertEqual(tasks.requeue_lost_jobs(), 0)

    def test_broker_still_down(self) -> None:
        """One failure is enough: the next tick tries again."""
        old = timezone.now() - timedelta(minutes=10)
        self.job(created=old)
        self.job(created=old)
        with (
            patch("optimization.tasks.solve_job.delay", side_effect=OperationalError("away")) as delay,
            self.assertLogs("optimization.dispatch", "WARNING"),
        ):
            self.assertEqual(tasks.requeue_lost_jobs(), 0)
        delay.assert_called_once()
        self.assertEqual(Job.objects.filter(enqueued=None).count(), 2)


class CleanTests(TaskTestCase):
    """delete_old_jobs."""

    @override_settings(JOB_RETENTION_DAYS=7)
    def test_old_jobs_and_their_files_go(self) -> None:
        """By the time they ended; what has not ended stays."""
        eight, six = (timezone.now() - timedelta(days=days) for days in (8, 6))
        old = self.job(status="done", finished=eight)
        old.attachment.save("old.txt", ContentFile(b"old"))
        kept = [
            self.job(status="done", finished=six, created=eight).pk,
            self.job(status="failed", finished=six).pk,
            self.job(created=eight).pk,
            self.job(status="running", started=eight).pk,
        ]
        with patch("optimization.tasks.BATCH", 1), self.captureOnCommitCallbacks(execute=True):
            self.assertEqual(tasks.delete_old_jobs(), 1)
        self.assertEqual(sorted(Job.objects.values_list("pk", flat=True)), kept)
        self.assertFalse(old.attachment.storage.exists(old.attachment.name))


class TickTests(TestCase):
    """beat_tick."""

    def test_counts(self) -> None:
        """Every tick counts one."""
        cache.clear()
        tasks.beat_tick()
        tasks.beat_tick()
        self.assertEqual(cache.get(tasks.BEAT_TICKS_KEY), 2)
        self.assertGreater(cache.get(tasks.BEAT_TIME_KEY), 1_700_000_000)
