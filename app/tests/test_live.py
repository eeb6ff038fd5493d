"""The whole way: gunicorn, a real Celery worker, a real beat, MySQL and Redis."""

import base64
import json
import os
import signal
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import redis
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import TransactionTestCase

from optimization import tasks
from optimization.models import Job
from probe import BEAT_MAX_AGE_SECONDS, WORKER_MAX_AGE_SECONDS, probe_file
from settings import celery_app

from .support import PLAIN, Process, wait_for

PORT = 8012
PROBLEM = {
    "capacity": 50,
    "items": [
        {"name": "a", "weight": 10, "value": 60},
        {"name": "b", "weight": 20, "value": 100},
        {"name": "c", "weight": 30, "value": 120},
    ],
}
SOLUTION = {"value": 220, "items": ["b", "c"]}


class LiveTests(TransactionTestCase):
    """Each test starts with empty tables; the processes stay."""

    web: Process
    worker: Process
    beat: Process

    @classmethod
    def setUpClass(cls) -> None:
        """Start the processes of a deployment."""
        super().setUpClass()
        cache.clear()
        cls.web = cls.start("gunicorn", "--bind", f"127.0.0.1:{PORT}", "--threads", "4", "settings.wsgi:application")
        cls.worker = cls.start("celery", "-A", "settings", "worker", "--concurrency", "2")
        cls.beat = cls.start("celery", "-A", "settings", "beat")
        wait_for("health", lambda: cls.request("GET", "/health/")[0] == 200, 60, cls.processes())

    @classmethod
    def start(cls, *command: str, **changes: str) -> Process:
        """Start one, and see to its end."""
        process = Process(*command, **{**PLAIN, **changes})
        cls.addClassCleanup(process.stop)
        return process

    @classmethod
    def processes(cls) -> tuple[Process, ...]:
        """Name those whose output explains a failure."""
        return cls.web, cls.worker, cls.beat

    @classmethod
    def request(cls, method: str, path: str, data: Any = None, port: int = PORT) -> tuple[int, Any]:
        """Ask over HTTP; status 0 while nobody listens."""
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {
            "Authorization": "Basic " + base64.b64encode(b"ana:secret").decode(),
            "Content-Type": "application/json",
        }
        try:
            connection.request(method, path, json.dumps(data) if data is not None else None, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        except OSError:
            return 0, None
        finally:
            connection.close()

    def setUp(self) -> None:
        """Make the user."""
        self.user = User.objects.create_user("ana", password="secret")

    def wait_until_done(self, job_id: int, seconds: float = 30) -> Job:
        """Wait for the job's end."""
        ended = Job.objects.filter(pk=job_id, status__in=("done", "failed"))
        job: Job = wait_for(f"job {job_id}", ended.first, seconds, self.processes())
        return job

    def post(self, port: int = PORT) -> int:
        """Hand in the problem."""
        status, answer = self.request("POST", "/api/jobs/", PROBLEM, port)
        self.assertEqual(status, 201, answer)
        return int(answer["id"])

    def test_job(self) -> None:
        """A job is solved, and the API says so."""
        job_id = self.post()
        self.wait_until_done(job_id)
        status, answer = self.request("GET", f"/api/jobs/{job_id}/")
        self.assertEqual((status, answer["status"], answer["result"]), (200, "done", SOLUTION))

    def test_many_jobs_and_a_cleared_cache(self) -> None:
        """The queue is not in the cache's database: clearing the cache loses no job."""
        ids = [Job.objects.create(owner=self.user, **PROBLEM).pk for _ in range(50)]
        for job_id in ids:
            tasks.solve_job.delay(job_id)
        cache.clear()
        for job_id in ids:
            self.assertEqual(self.wait_until_done(job_id).result, SOLUTION)

    def test_broker_away(self) -> None:
        """The job is taken all the same, quickly, and solved once the broker is back."""
        port = PORT + 1
        web = self.start(
            "gunicorn",
            "--bind",
            f"127.0.0.1:{port}",
            "settings.wsgi:application",
            CELERY_BROKER_URL="redis://127.0.0.1:1/0",
            CELERY_RESULT_BACKEND="redis://127.0.0.1:1/1",
        )
        wait_for("web", lambda: self.request("GET", "/health/live/", port=port)[0] == 200, 30, (web,))
        started = time.monotonic()
        job_id = self.post(port)
        self.assertLess(time.monotonic() - started, 8)
        self.assertIsNone(Job.objects.get(pk=job_id).enqueued)
        with self.settings(JOB_REQUEUE_AFTER_SECONDS=0):
            # Through the worker, as beat does it; its result shows that the result backend works too.
            self.assertEqual(tasks.requeue_lost_jobs(), 1)
        self.assertEqual(self.wait_until_done(job_id).result, SOLUTION)

    def test_result_backend(self) -> None:
        """What beat's tasks return can be read."""
        self.assertEqual(tasks.requeue_lost_jobs.delay().get(timeout=20), 0)

    def test_worker_process_killed(self) -> None:
        """A job whose process is killed is solved by another one."""
        # The largest problem takes about a second: time enough to hit it.
        items = [{"name": str(i), "weight": 1000 + i, "value": 1000 + i * 7 % 50} for i in range(100)]
        job = Job.objects.create(owner=self.user, capacity=100_000, items=items)
        tasks.solve_job.delay(job.pk)
        wait_for("running", lambda: Job.objects.filter(pk=job.pk, status="running").exists(), 20, self.processes())
        for child in self.children(self.worker.process.pid):
            os.kill(child, signal.SIGKILL)
        done = self.wait_until_done(job.pk, 60)
        self.assertEqual((done.status, done.attempts), ("done", 2), done.error)

    @staticmethod
    def children(parent: int) -> list[int]:
        """List the child processes."""
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]

    def test_connections_cut(self) -> None:
        """Worker and web find their way back to Redis."""
        broker = redis.Redis.from_url(celery_app.conf.broker_url)
        for kind in ("normal", "pubsub"):
            broker.client_kill_filter(_type=kind)
        self.assertEqual(self.wait_until_done(self.post(), 60).result, SOLUTION)
        wait_for("health", lambda: self.request("GET", "/health/")[0] == 200, 30, self.processes())

    def test_signs_of_life(self) -> None:
        """Beat ticks, and both processes are healthy for the container's probe."""
        first = wait_for("tick", self.tick, 30, self.processes())
        wait_for("next tick", lambda: self.tick() > first, 30, self.processes())
        self.assertEqual(probe_file("worker", WORKER_MAX_AGE_SECONDS), "")
        self.assertEqual(probe_file("beat", BEAT_MAX_AGE_SECONDS), "")

    def tick(self) -> int:
        """Read the counter of /health/beat/."""
        status, answer = self.request("GET", "/health/beat/")
        return int(answer["ticks"]) if status == 200 else 0

    def test_log_is_ours(self) -> None:
        """The worker logs in the format of the web processes."""
        self.wait_until_done(self.post())
        self.assertRegex(self.worker.output(), r"INFO optimization\.tasks \[\d+\] job \d+: done")

    def test_health_is_cheap(self) -> None:
        """Fifty requests one after the other, on a machine that may be busy; test_health.py counts the queries."""
        started = time.monotonic()
        for _ in range(50):
            self.assertEqual(self.request("GET", "/health/")[0], 200)
        self.assertLess(time.monotonic() - started, 5)


class StopTests(TransactionTestCase):
    """Stopping, as Docker does it."""

    def test_warm_shutdown(self) -> None:
        """On SIGTERM the worker finishes what it has, and leaves with 0."""
        user = User.objects.create_user("ana")
        items = [{"name": str(i), "weight": 1000 + i, "value": 1000 + i * 7 % 50} for i in range(100)]
        job = Job.objects.create(owner=user, capacity=100_000, items=items)
        worker = Process("celery", "-A", "settings", "worker", "--concurrency", "1", **PLAIN)
        tasks.solve_job.delay(job.pk)
        try:
            wait_for("running", lambda: Job.objects.filter(pk=job.pk, status="running").exists(), 30, (worker,))
        finally:
            code = worker.stop()
        job.refresh_from_db()
        self.assertEqual((code, job.status, job.attempts), (0, "done", 1))
