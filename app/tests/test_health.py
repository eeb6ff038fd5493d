"""Health endpoints in each state."""

import time
from typing import Any
from unittest.mock import patch

from django.core.cache import cache
from django.db import OperationalError
from django.test import SimpleTestCase, TestCase, override_settings
from redis.exceptions import ConnectionError as RedisConnectionError

from optimization import heartbeat, tasks

URL = "/health/"
DEAD_REDIS = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://:hunter2@127.0.0.1:1/2",
    },
}


@override_settings(ALLOWED_HOSTS=["testserver"], RELEASE_ID="0123456789ab")
class HealthTests(TestCase):
    """/health/ and /health/beat/."""

    def setUp(self) -> None:
        """Start without any trace of a worker."""
        cache.clear()

    def get(self, url: str = URL) -> tuple[int, Any]:
        """Ask."""
        response = self.client.get(url)
        self.assertIn("no-store", response["Cache-Control"])
        return response.status_code, response.json()

    def test_ok(self) -> None:
        """All three, and the release; one query and no redirect to https."""
        heartbeat.WorkerHeart().beat()
        with self.assertNumQueries(1):
            answer = self.get()
        checks = {"database": "ok", "redis": "ok", "celery": "ok"}
        self.assertEqual(answer, (200, {"status": "ok", "checks": checks, "release": "0123456789ab"}))

    def test_no_worker(self) -> None:
        """503, and the others are ok."""
        checks = {"database": "ok", "redis": "ok", "celery": "no worker heartbeat for 20 seconds"}
        self.assertEqual(self.get(), (503, {"status": "error", "checks": checks, "release": "0123456789ab"}))

    def test_redis_down(self) -> None:
        """503 without the address and its password."""
        with override_settings(CACHES=DEAD_REDIS), self.assertLogs("optimization.health", "WARNING"):
            status, answer = self.get()
            self.assertEqual(self.get("/health/beat/")[0], 503)
        self.assertEqual((status, answer["checks"]["database"]), (503, "ok"))
        self.assertEqual(answer["checks"]["redis"], "unreachable (ConnectionError)")
        self.assertEqual(answer["checks"]["celery"], "unknown: redis is unreachable")
        self.assertNotIn("hunter2", str(answer))

    def test_database_down(self) -> None:
        """503 with the error's number, without its text."""
        error = OperationalError(1045, "Access denied for user 'app'@'10.0.0.7' (using password: YES)")
        with (
            patch("django.db.backends.utils.CursorWrapper.execute", side_effect=error),
            self.assertLogs("optimization.health", "WARNING"),
        ):
            status, answer = self.get()
        self.assertEqual((status, answer["checks"]["database"]), (503, "unreachable (OperationalError 1045)"))

    def test_only_reading(self) -> None:
        """405 for anything but GET and HEAD."""
        for url in (URL, "/health/live/", "/health/beat/"):
            self.assertEqual(self.client.post(url).status_code, 405)

    def test_beat(self) -> None:
        """No tick, a fresh one, an old one."""
        url = "/health/beat/"
        self.assertEqual(self.get(url)[0], 503)
        tasks.beat_tick()
        self.assertEqual(self.get(url), (200, {"status": "ok", "age_seconds": 0, "ticks": 1}))
        cache.set(tasks.BEAT_TIME_KEY, int(time.time()) - 75, timeout=None)
        status, answer = self.get(url)
        self.assertEqual((status, answer["status"], answer["ticks"]), (503, "error", 1))
        self.assertGreaterEqual(answer["age_seconds"], 75)

    @override_settings(SECURE_SSL_REDIRECT=True)
    def test_no_redirect(self) -> None:
        """Probes speak plain http; pages are redirected."""
        self.assertEqual(self.client.get("/health/live/").status_code, 200)
        self.assertEqual(self.client.get("/api/").status_code, 301)


@override_settings(ALLOWED_HOSTS=["testserver"], CACHES=DEAD_REDIS)
class LiveTests(SimpleTestCase):
    """/health/live/ answers with nothing behind it: this class may not even ask the database."""

    def test_live(self) -> None:
        """200."""
        self.assertEqual(self.client.get("/health/live/").json()["status"], "ok")


class HeartTests(SimpleTestCase):
    """The worker's sign of life."""

    def test_expires_and_is_not_written_each_time(self) -> None:
        """Every 5 s is enough for an expiry of 20 s."""
        heart = heartbeat.WorkerHeart()
        with patch("optimization.heartbeat.cache.set") as write:
            heart.beat()
            heart.beat()
            write.assert_called_once()
            self.assertEqual(write.call_args.kwargs["timeout"], 20)
            heart.written -= 6
            heart.beat()
            self.assertEqual(write.call_count, 2)

    def test_worker_survives_redis(self) -> None:
        """An error in here would take the worker down."""
        with (
            patch("optimization.heartbeat.cache.set", side_effect=RedisConnectionError("away")),
            self.assertLogs("optimization.heartbeat", "WARNING"),
        ):
            heartbeat.WorkerHeart().beat()
