"""Settings as the deployment sets them, in processes of their own."""

import tempfile
from pathlib import Path

from django.db import DatabaseError, connection
from django.test import TestCase

from .support import PLAIN, TLS, manage

PRINT = "from django.conf import settings as s; print({expression})"


class CheckTests(TestCase):
    """Django's own checks."""

    def test_deploy_check_is_clean_under_tls(self) -> None:
        """No warning with the settings of a TLS deployment, database checks included."""
        done = manage("check", "--deploy", "--fail-level", "WARNING", "--database", "default", **TLS)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no issues", done.stdout + done.stderr)

    def test_plain_http(self) -> None:
        """Works without TLS; the deploy check then says what that costs."""
        self.assertEqual(manage("check", "--fail-level", "WARNING", **PLAIN).returncode, 0)
        self.assertIn("security.W012", manage("check", "--deploy", **PLAIN).stderr)

    def test_no_missing_migrations(self) -> None:
        """Models and migrations agree."""
        done = manage("makemigrations", "--check", "--dry-run")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_migrations_can_be_taken_back(self) -> None:
        """Every operation of our migrations knows its way back."""
        done = manage("sqlmigrate", "--backwards", "optimization", "0001")
        self.assertEqual(done.returncode, 0, done.stderr)


class EnvironmentTests(TestCase):
    """What single variables do."""

    def setting(self, expression: str, **changes: str) -> str:
        """Evaluate an expression over the settings in a fresh process."""
        done = manage("shell", "--no-imports", "-c", PRINT.format(expression=expression), **changes)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_secret_key_is_needed(self) -> None:
        """No key, no start."""
        self.assertIn("SECRET_KEY", manage("check", SECRET_KEY="").stderr)

    def test_secure_by_default(self) -> None:
        """What is not said is safe, except that the proxy's word is not believed unasked."""
        expression = "s.DEBUG, s.ALLOWED_HOSTS, getattr(s, 'SECURE_PROXY_SSL_HEADER', None)"
        changes = {"ALLOWED_HOSTS": "", "DEBUG": "False", "SECURE_PROXY_SSL_HEADER_ENABLED": "False"}
        self.assertEqual(self.setting(expression, **changes), "False [] None")

    def test_proxy_header(self) -> None:
        """Believed only when told so."""
        self.assertEqual(self.setting("s.SECURE_PROXY_SSL_HEADER", **TLS), "('HTTP_X_FORWARDED_PROTO', 'https')")
        self.assertEqual(self.setting("s.SECURE_CROSS_ORIGIN_OPENER_POLICY", **PLAIN), "None")

    def test_password_is_taken_literally(self) -> None:
        """No quoting, no interpolation, no conversion on the way."""
        password = """p$a'b"c%(x)s #\\ {{é"""
        expression = "s.DATABASES['default']['PASSWORD']"
        self.assertEqual(self.setting(expression, DB_PASSWORD=password), password)

    def test_a_secret_may_come_as_a_file(self) -> None:
        """The environment then has its path; a line break that an editor has put at the end is none of it."""
        expression = "[s.DATABASES['default']['PASSWORD'], s.SECRET_KEY]"
        with tempfile.TemporaryDirectory() as directory:
            for name, text in (("DB_PASSWORD", " p$a'b\\n\"c "), ("SECRET_KEY", "key of a file\n")):
                (Path(directory) / name).write_text(text, encoding="utf-8")
            files = {f"{name}_FILE": f"{directory}/{name}" for name in ("DB_PASSWORD", "SECRET_KEY")}
            seen = self.setting(expression, **files)
        self.assertEqual(seen, str([" p$a'b\\n\"c ", "key of a file"]))

    def test_log_file(self) -> None:
        """Written to if it can be; otherwise a word on standard error and no more."""
        with tempfile.TemporaryDirectory() as directory:
            log = Path(directory) / "backend.log"
            code = "import logging; logging.getLogger('x').warning('needle')"
            done = manage("shell", "--no-imports", "-c", code, LOG_LEVEL="warning", LOG_FILE=str(log))
            self.assertIn("needle", done.stdout)
            self.assertIn("needle", log.read_text())
            done = manage(
                "shell", "--no-imports", "-c", code, LOG_LEVEL="warning", LOG_FILE=f"{directory}/no/such/place.log"
            )
            self.assertEqual(done.returncode, 0)
            self.assertIn("needle", done.stdout)
            self.assertIn("is not used", done.stderr)


class DatabaseTests(TestCase):
    """The session that Django opens in MySQL."""

    def value(self, expression: str) -> str:
        """Ask the server."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {expression}")
            return str(cursor.fetchone()[0])

    def test_session(self) -> None:
        """The real server, utf8mb4, strict, read committed."""
        self.assertRegex(self.value("VERSION()"), r"^9\.7\.")
        self.assertEqual(self.value("@@character_set_client"), "utf8mb4")
        self.assertIn("STRICT_TRANS_TABLES", self.value("@@sql_mode"))
        self.assertEqual(self.value("@@transaction_isolation"), "READ-COMMITTED")

    def test_values_are_not_cut(self) -> None:
        """Too long is an error, not a shorter value."""
        with self.assertRaises(DatabaseError), connection.cursor() as cursor:
            cursor.execute("INSERT INTO django_content_type (app_label, model) VALUES (%s, 'x')", ["x" * 101])
