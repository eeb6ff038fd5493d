"""The API: what it takes, what it refuses, and who sees what."""

import json
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings
from kombu.exceptions import OperationalError
from rest_framework.test import APIClient, APITestCase

from optimization.limits import MAX_ATTACHMENT_BYTES, MAX_BODY_BYTES, MAX_CAPACITY, MAX_ITEMS, MAX_NUMBER
from optimization.models import Job

ITEM = {"name": "a", "weight": 10, "value": 60}
PROBLEM: dict[str, Any] = {"capacity": 50, "items": [ITEM, {"name": "b", "weight": 20, "value": 100}]}
# The tests are about the API; test_settings.py and test_live.py are about TLS.
PLAIN_HTTP = override_settings(SECURE_SSL_REDIRECT=False, ALLOWED_HOSTS=["testserver"])


@PLAIN_HTTP
class JobApiTests(APITestCase):
    """Jobs through the API, with the broker replaced."""

    def setUp(self) -> None:
        """Log in, and catch what goes to the broker."""
        self.user = User.objects.create_user("ana", password="secret")
        self.client.force_authenticate(self.user)
        patcher = patch("optimization.tasks.solve_job.delay")
        self.delay = patcher.start()
        self.addCleanup(patcher.stop)

    def post(self, data: Any, **kwargs: Any) -> Any:
        """Post a job, and run what waits for the commit."""
        with self.captureOnCommitCallbacks(execute=True):
            return self.client.post("/api/jobs/", data, **kwargs)

    def test_create(self) -> None:
        """201, the id, and a message after the commit."""
        response = self.post(PROBLEM)
        self.assertEqual(response.status_code, 201, response.content)
        job = Job.objects.get(pk=response.json()["id"])
        self.assertEqual((job.owner, job.status, job.items), (self.user, "queued", PROBLEM["items"]))
        self.assertIsNotNone(job.enqueued)
        self.delay.assert_called_once_with(job.pk)

    def test_nothing_is_queued_before_the_commit(self) -> None:
        """A worker must not look for a row that is not there yet."""
        self.client.post("/api/jobs/", PROBLEM)
        self.delay.assert_not_called()

    def test_broker_down(self) -> None:
        """Still 201: the job is stored, marked as not sent, and beat sends it."""
        self.delay.side_effect = OperationalError("away")
        with self.assertLogs("optimization.dispatch", "WARNING"):
            response = self.post(PROBLEM)
        self.assertEqual(response.status_code, 201)
        self.assertIsNone(Job.objects.get(pk=response.json()["id"]).enqueued)

    def test_unicode(self) -> None:
        """Names of four-byte characters survive the database."""
        response = self.post({"capacity": 1, "items": [{"name": "café 🎒", "weight": 1, "value": 1}]})
        self.assertEqual(response.status_code, 201, response.content)
        stored = self.client.get(f"/api/jobs/{response.json()['id']}/").json()
        self.assertEqual(stored["items"][0]["name"], "café 🎒")

    def test_limits_are_allowed(self) -> None:
        """The largest problem is taken."""
        items = [{"name": f"{i:0100d}", "weight": MAX_NUMBER, "value": MAX_NUMBER} for i in range(MAX_ITEMS)]
        response = self.post({"capacity": MAX_CAPACITY, "items": items})
        self.assertEqual(response.status_code, 201, response.content)

    def test_bad_input(self) -> None:
        """400, the field, and nothing stored."""
        for data, field in (
            ({}, "capacity"),
            ({"capacity": 1}, "items"),
            ({"items": [ITEM]}, "capacity"),
            ({"capacity": None, "items": [ITEM]}, "capacity"),
            ({"capacity": -1, "items": [ITEM]}, "capacity"),
            ({"capacity": MAX_CAPACITY + 1, "items": [ITEM]}, "capacity"),
            ({"capacity": 10**30, "items": [ITEM]}, "capacity"),
            ({"capacity": True, "items": [ITEM]}, "capacity"),
            ({"capacity": "50", "items": [ITEM]}, "capacity"),
            ({"capacity": 1.0, "items": [ITEM]}, "capacity"),
            ({"capacity": [1], "items": [ITEM]}, "capacity"),
            ({"capacity": 1, "items": []}, "items"),
            ({"capacity": 1, "items": {"name": "a"}}, "items"),
            ({"capacity": 1, "items": "abc"}, "items"),
            ({"capacity": 1, "items": [ITEM, ITEM]}, "items"),
            ({"capacity": 1, "items": [ITEM, {**ITEM, "name": " a "}]}, "items"),
            ({"capacity": 1, "items": [{**ITEM, "name": str(i)} for i in range(MAX_ITEMS + 1)]}, "items"),
            ([], "non_field_errors"),
            ("text", "non_field_errors"),
        ):
            with self.subTest(data=str(data)[:80]):
                response = self.post(data)
                self.assertEqual(response.status_code, 400, response.content)
                self.assertIn(field, response.json())
        self.assertFalse(Job.objects.exists())
        self.delay.assert_not_called()

    def test_bad_items(self) -> None:
        """The error names the item's field."""
        for change, field in (
            ({"weight": -1}, "weight"),
            ({"value": -1}, "value"),
            ({"weight": True}, "weight"),
            ({"value": False}, "value"),
            ({"weight": 1.5}, "weight"),
            ({"weight": "1"}, "weight"),
            ({"weight": None}, "weight"),
            ({"weight": MAX_NUMBER + 1}, "weight"),
            ({"name": ""}, "name"),
            ({"name": " "}, "name"),
            ({"name": None}, "name"),
            ({"name": ["a"]}, "name"),
            ({"name": "x" * 101}, "name"),
            ({"name": "a\0b"}, "name"),
        ):
            with self.subTest(change=change):
                response = self.post({"capacity": 1, "items": [{**ITEM, "name": "good"}, {**ITEM, **change}]})
                self.assertEqual(response.status_code, 400, response.content)
                self.assertIn(field, response.json()["items"]["1"])
        for key in ITEM:
            with self.subTest(missing=key):
                item = {name: value for name, value in ITEM.items() if name != key}
                response = self.post({"capacity": 1, "items": [item]})
                self.assertEqual(response.status_code, 400, response.content)
                self.assertEqual(response.json()["items"]["0"], {key: ["This field is required."]})

    def test_bad_bodies(self) -> None:
        """What is no JSON, too long or too deep is refused before it costs anything."""
        for body, status in (
            ("", 400),
            ("{", 400),
            ("[" * 100_000, 400),
            ('{"capacity": NaN, "items": []}', 400),
            ('{"capacity": ' + "9" * 5000 + ', "items": []}', 400),
            (json.dumps({"capacity": 1, "items": [{**ITEM, "name": "x" * MAX_BODY_BYTES}]}), 400),
            ('{"capacity": 1, "items": [{"name": "\\ud800", "weight": 1, "value": 1}]}', 400),
            (b"\xff\xfe", 400),
        ):
            with self.subTest(body=body[:40]):
                response = self.post(body, content_type="application/json")
                self.assertEqual(response.status_code, status, response.content)
        response = self.post("capacity=1", content_type="application/x-www-form-urlencoded")
        self.assertEqual(response.status_code, 415)

    def test_read_only_fields_are_ignored(self) -> None:
        """Nobody hands in a result."""
        data = {**PROBLEM, "status": "done", "result": {"value": 1}, "owner": "root", "id": 77, "error": "x"}
        response = self.post(data)
        self.assertEqual(response.status_code, 201)
        job = Job.objects.get(pk=response.json()["id"])
        self.assertEqual((job.status, job.result, job.owner, job.error), ("queued", None, self.user, ""))
        self.assertNotEqual(job.pk, 77)

    def test_owner_or_staff(self) -> None:
        """Others get 404; staff sees all."""
        job = Job.objects.create(owner=self.user, capacity=1, items=[])
        url = f"/api/jobs/{job.pk}/"
        self.assertEqual(self.client.get(url).json()["status"], "queued")
        self.client.force_authenticate(User.objects.create_user("bea"))
        self.assertEqual(self.client.get(url).status_code, 404)
        self.assertEqual(self.client.put(url + "attachment/").status_code, 404)
        self.assertEqual(self.client.get("/api/jobs/").json()["count"], 0)
        self.client.force_authenticate(User.objects.create_user("staff", is_staff=True))
        self.assertEqual(self.client.get(url).json()["owner"], "ana")
        self.assertEqual(self.client.get("/api/jobs/").json()["count"], 1)

    def test_strange_ids(self) -> None:
        """No server error for an id that is no id."""
        for job_id in ("0", "999999999999999999", "9" * 30, "-1", "abc", "1.5", "%00"):
            with self.subTest(job_id=job_id):
                self.assertEqual(self.client.get(f"/api/jobs/{job_id}/").status_code, 404)

    def test_list_is_paginated(self) -> None:
        """Newest first, 50 a page, the same number of queries for any length."""
        Job.objects.bulk_create(Job(owner=self.user, capacity=1, items=[]) for _ in range(60))
        with self.assertNumQueries(2):
            page = self.client.get("/api/jobs/").json()
        self.assertEqual((page["count"], len(page["results"])), (60, 50))
        self.assertGreater(page["results"][0]["id"], page["results"][1]["id"])

    def test_jobs_are_not_changed_or_deleted(self) -> None:
        """The API has no such methods."""
        job = Job.objects.create(owner=self.user, capacity=1, items=[])
        for method in ("put", "patch", "delete"):
            with self.subTest(method=method):
                self.assertEqual(getattr(self.client, method)(f"/api/jobs/{job.pk}/").status_code, 405)


@PLAIN_HTTP
class AccessTests(APITestCase):
    """Who gets in."""

    def test_anonymous(self) -> None:
        """401 with a challenge; the root is open."""
        for response in (self.client.get("/api/jobs/"), self.client.post("/api/jobs/", PROBLEM)):
            self.assertEqual(response.status_code, 401)
            self.assertIn("Basic", response["WWW-Authenticate"])
        root = self.client.get("/api/")
        self.assertEqual((root.status_code, root.json()), (200, {"jobs": "http://testserver/api/jobs/"}))
        self.assertRedirects(self.client.get("/"), "/api/")
        self.assertEqual(self.client.get("/favicon.ico").status_code, 204)

    def test_basic(self) -> None:
        """The right password, and a wrong one."""
        User.objects.create_user("ana", password="secret")
        client = APIClient()
        self.assertTrue(client.login(username="ana", password="secret"))
        for credentials, status in (("YW5hOnNlY3JldA==", 200), ("YW5hOndyb25n", 401), ("???", 401)):
            with self.subTest(credentials=credentials):
                response = self.client.get("/api/jobs/", HTTP_AUTHORIZATION=f"Basic {credentials}")
                self.assertEqual(response.status_code, status)

    def test_session_needs_csrf_token(self) -> None:
        """A page of another origin cannot post in the name of somebody who is logged in."""
        User.objects.create_user("ana", password="secret")
        client = APIClient(enforce_csrf_checks=True)
        client.login(username="ana", password="secret")
        self.assertEqual(client.get("/api/jobs/").status_code, 200)
        self.assertEqual(client.post("/api/jobs/", PROBLEM).status_code, 403)


@PLAIN_HTTP
class AttachmentTests(APITestCase):
    """Files in MEDIA_ROOT."""

    def setUp(self) -> None:
        """Have a job."""
        self.user = User.objects.create_user("ana")
        self.client.force_authenticate(self.user)
        self.job = Job.objects.create(owner=self.user, capacity=1, items=[])

    def upload(self, name: str, content: bytes) -> Any:
        """Upload a file."""
        with self.captureOnCommitCallbacks(execute=True):
            return self.client.put(
                f"/api/jobs/{self.job.pk}/attachment/", {"file": SimpleUploadedFile(name, content)}, format="multipart"
            )

    def test_life_of_a_file(self) -> None:
        """Stored under a name nobody can guess, replaced, gone with its job."""
        response = self.upload("../../notes für.txt", b"one")
        self.assertEqual(response.status_code, 200, response.content)
        self.assertRegex(
            response.json()["attachment"], rf"^http://testserver/media/attachments/{self.job.pk}/[0-9a-f]{{32}}/notes_"
        )
        self.job.refresh_from_db()
        storage, first = self.job.attachment.storage, self.job.attachment.name
        self.assertEqual(storage.open(first).read(), b"one")

        self.assertEqual(self.upload("two.txt", b"two").status_code, 200)
        self.job.refresh_from_db()
        second = self.job.attachment.name
        self.assertEqual((storage.exists(first), storage.exists(second)), (False, True))

        with self.captureOnCommitCallbacks(execute=True):
            self.job.delete()
        self.assertFalse(storage.exists(second))

    def test_refused(self) -> None:
        """No file, an empty one, one that is too long."""
        url = f"/api/jobs/{self.job.pk}/attachment/"
        self.assertEqual(self.client.put(url, {}, format="multipart").status_code, 400)
        self.assertEqual(self.upload("empty.txt", b"").status_code, 400)
        self.assertEqual(self.upload("long.bin", bytes(MAX_ATTACHMENT_BYTES + 1)).status_code, 400)
