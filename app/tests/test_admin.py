"""The admin."""

from unittest.mock import patch

from django.contrib.auth.models import Permission, User
from django.test import TestCase, override_settings

from optimization.models import Job


@override_settings(SECURE_SSL_REDIRECT=False, ALLOWED_HOSTS=["testserver"])
class JobAdminTests(TestCase):
    """Jobs in the admin."""

    def setUp(self) -> None:
        """Log in as a superuser."""
        self.user = User.objects.create_superuser("root", password="secret")
        self.client.force_login(self.user)

    def job(self, **fields: object) -> Job:
        """Make a job."""
        job: Job = Job.objects.create(**{"owner": self.user, "capacity": 1, "items": [], **fields})
        return job

    def test_pages(self) -> None:
        """List with filters and search, and the page of a job; none to add one."""
        job = self.job(status="done", result={"value": 4711, "items": []})
        self.job(owner=User.objects.create_user("ana"))
        page = self.client.get("/admin/optimization/job/", {"status": "done", "q": "root"})
        self.assertContains(page, "4711")
        for word in ("By status", "By created", "By owner", "Run selected jobs again"):
            self.assertContains(page, word)
        self.assertContains(self.client.get(f"/admin/optimization/job/{job.pk}/change/"), "4711")
        self.assertEqual(self.client.get("/admin/optimization/job/add/").status_code, 403)

    def test_hashed_static_files(self) -> None:
        """The login page names its style sheet by content."""
        self.client.logout()
        self.assertRegex(self.client.get("/admin/login/").content.decode(), r"admin/css/base\.[0-9a-f]{12}\.css")

    def test_run_again(self) -> None:
        """Finished and waiting jobs go back to the queue as if new; running ones are left alone."""
        done = self.job(status="done", result={"value": 1, "items": []}, attempts=3)
        failed = self.job(status="failed", error="x")
        running = self.job(status="running")
        with (
            patch("optimization.tasks.solve_job.delay") as delay,
            self.captureOnCommitCallbacks(execute=True),
        ):
            page = self.client.post(
                "/admin/optimization/job/",
                {"action": "run_again", "_selected_action": [done.pk, failed.pk, running.pk]},
                follow=True,
            )
        self.assertContains(page, "2 jobs queued again.")
        self.assertContains(page, "1 jobs are running and were left alone.")
        self.assertEqual(sorted(call.args[0] for call in delay.call_args_list), [done.pk, failed.pk])
        done.refresh_from_db()
        self.assertEqual((done.status, done.result, done.attempts, done.finished), ("queued", None, 0, None))

    def test_run_again_needs_the_permission(self) -> None:
        """Who may only look cannot run anything."""
        viewer = User.objects.create_user("viewer", is_staff=True)
        viewer.user_permissions.add(Permission.objects.get(codename="view_job"))
        self.client.force_login(viewer)
        job = self.job(status="done")
        self.assertNotContains(self.client.get("/admin/optimization/job/"), "Run selected jobs again")
        self.client.post("/admin/optimization/job/", {"action": "run_again", "_selected_action": [job.pk]})
        job.refresh_from_db()
        self.assertEqual(job.status, "done")
