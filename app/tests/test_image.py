"""The image these tests run in is the one that goes to production."""

import json
import os
import re
import shutil
import sys
from functools import partial
from importlib.metadata import distributions
from pathlib import Path

from django.conf import settings
from django.test import SimpleTestCase

import probe

from .support import APP, PLAIN, TLS, Process, wait_for


class ImageTests(SimpleTestCase):
    """What is in it, and what is not."""

    def test_user(self) -> None:
        """Not root, with three places to write to and the code out of reach."""
        self.assertEqual((os.getuid(), os.getgid()), (10001, 10001))
        for name in ("staticfiles", "media", "logs"):
            self.assertTrue(os.access(APP / name, os.W_OK), name)
        for place in (APP, APP / "settings", APP / "manage.py", Path(sys.prefix)):
            self.assertFalse(os.access(place, os.W_OK), str(place))

    def test_no_build_tools(self) -> None:
        """No compiler, and no pip in the environment of the app."""
        for tool in ("gcc", "cc", "c++", "make", "mariadb_config"):
            self.assertIsNone(shutil.which(tool), tool)
        self.assertFalse((Path(sys.prefix) / "bin" / "pip").exists())

    def test_everything_is_pinned(self) -> None:
        """What is installed is what requirements.txt says."""
        lines = (APP / "requirements.txt").read_text().splitlines()
        pins = dict(line.lower().replace("_", "-").split("==") for line in lines if line and not line.startswith("#"))
        path = [entry for entry in sys.path if entry.startswith(sys.prefix)]
        installed = {
            re.sub(r"[-_.]+", "-", distribution.metadata["Name"].lower()): distribution.version
            for distribution in distributions(path=path)
        }
        self.assertEqual(installed, pins)

    def test_nothing_private_is_in_it(self) -> None:
        """run-tests plants files like these into the context, in subfolders too."""
        bait = os.environ["BAIT"].split(":")
        self.assertGreater(len(bait), 10)
        self.assertEqual([name for name in bait if (APP / name).exists()], [])

    def test_static_files_are_baked_in(self) -> None:
        """Templates find the manifest without any mount."""
        manifest = json.loads((Path(settings.STATIC_ROOT) / "staticfiles.json").read_text())
        self.assertIn("admin/css/base.css", manifest["paths"])


class ProbeTests(SimpleTestCase):
    """The container's healthcheck."""

    def test_process_of(self) -> None:
        """By the command line of PID 1, also below an init."""
        for line, process in (
            ("gunicorn --bind 0.0.0.0:8000 settings.wsgi:application", "web"),
            ("/opt/venv/bin/python /opt/venv/bin/celery -A settings worker --concurrency 2", "worker"),
            ("/sbin/docker-init -- celery -A settings beat --schedule /data/beat", "beat"),
            ("python manage.py something", "web"),
        ):
            with self.subTest(line=line):
                self.assertEqual(probe.process_of(line.split()), process)

    def test_host_header(self) -> None:
        """A name Django accepts for each way to write ALLOWED_HOSTS."""
        for allowed, host in (
            ("", "localhost"),
            ("*", "localhost"),
            (" app.example.com , b", "app.example.com"),
            (".example.com", "example.com"),
        ):
            with self.subTest(allowed=allowed):
                self.assertEqual(probe.host_header(allowed), host)

    def test_web(self) -> None:
        """Healthy over TLS settings and over plain ones; unhealthy where nothing listens or the Host is wrong."""
        port = "8011"
        self.assertFalse(self.is_healthy(PORT=port))
        for changes in (TLS, PLAIN):
            web = Process("gunicorn", "settings.wsgi:application", PORT=port, **changes)
            healthy = partial(self.is_healthy, PORT=port, ALLOWED_HOSTS=changes["ALLOWED_HOSTS"])
            try:
                wait_for("probe", healthy, processes=(web,))
                self.assertFalse(self.is_healthy(PORT=port, ALLOWED_HOSTS="wrong.example.com"))
                self.assertNotIn("[ERROR]", web.output())
            finally:
                self.assertEqual(web.stop(), 0)

    @staticmethod
    def is_healthy(**changes: str) -> bool:
        """Run the probe as Docker does."""
        process = Process("python", "probe.py", "web", **changes)
        try:
            return process.process.wait(10) == 0
        finally:
            process.log.close()
