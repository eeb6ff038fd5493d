# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cause of a failed start is shown, wherever it stands in the log."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _logs

# gunicorn 27 with five workers, restarted again and again: each try prints the cause five times.
RECORDED = (Path(__file__).resolve().parents[2] / "fixtures" / "gunicorn_boot_failure.txt").read_text()
LINES = RECORDED.strip().split("\n")


@pytest.mark.parametrize("seen", [len(LINES), len(LINES) - 40, len(LINES) - 130])
def test_the_cause_of_a_failed_boot_is_shown_and_not_what_the_server_says_of_it(seen: int) -> None:
    shown = _logs.excerpt("\n".join(LINES[:seen])).split("\n")
    assert shown[0] == "Traceback (most recent call last):"
    assert '  File "/app/shop/wsgi.py", line 7, in settings' in shown
    assert "KeyError: 'PAYMENT_KEY'" in shown[: _logs.TRACEBACK_LINES]
    assert shown[-1] == LINES[seen - 1]
    assert len(shown) <= _logs.TRACEBACK_LINES + _logs.LAST_LINES + 1


def test_a_consequence_is_passed_over_even_where_it_comes_first() -> None:
    start = LINES.index("During handling of the above exception, another exception occurred:")
    window = LINES[start : start + 90]
    assert "KeyError: 'PAYMENT_KEY'" in window
    shown = _logs.excerpt("\n".join(window))
    assert shown.split("\n")[_logs.TRACEBACK_LINES - 1] == "KeyError: 'PAYMENT_KEY'"


def test_where_there_is_only_a_consequence_it_is_shown() -> None:
    shown = _logs.excerpt("a\nTraceback (most recent call last):\n  File\ngunicorn.errors.HaltServer: no\nb")
    assert shown == "Traceback (most recent call last):\n  File\ngunicorn.errors.HaltServer: no\nb"


def test_without_a_traceback_the_last_lines_are_shown() -> None:
    lines = [f"line {number}" for number in range(300)]
    assert _logs.excerpt("\n".join(lines)) == "\n".join(lines[-25:])
    assert _logs.excerpt("") == ""


def test_what_lies_between_is_counted() -> None:
    text = "\n".join(["Traceback (most recent call last):", "  File", "KeyError: 1", *("x" * 20)])
    assert _logs.excerpt(text).split("\n")[2:5] == ["KeyError: 1", "  … 10 lines …", "x"]


# What the programs really said, by the line that a person has to see of it.
SAID = {
    "unknown variable 'no_such_option=1'": (
        "2026-11-26T13:07:29.1Z 0 [Warning] [MY-000081] [Server] option 'max_connections': adjusted to 1.\n"
        "2026-11-26T13:07:29.412085Z 0 [ERROR] [MY-000067] [Server] unknown variable 'no_such_option=1'.\n"
        "2026-11-26T13:07:29.412135Z 0 [ERROR] [MY-010119] [Server] Aborting\n"
    ),
    '"worker_processes" directive invalid value in /etc/nginx/stack/nginx.conf:3': (
        'nginx: [warn] the "user" directive makes sense only if the master process runs with super-user privileges\n'
        'nginx: [emerg] "worker_processes" directive invalid value in /etc/nginx/stack/nginx.conf:3\n'
        "nginx: configuration file /etc/nginx/stack/nginx.conf test failed\n"
    ),
    'invalid number in "x" in /a:3': '2026/11/26 13:07:29 [emerg] 1#1: invalid number in "x" in /a:3\n',
    ">>> 'maxmemory-samples abc'; argument couldn't be parsed into an integer": (
        "\n*** FATAL CONFIG FILE ERROR (Redis 8.0.2) ***\nReading the configuration file, at line 9\n"
        ">>> 'maxmemory-samples abc'\nargument couldn't be parsed into an integer\n"
    ),
    ">>> 'no_such_option 1'; Module Configuration detected without loadmodule directive: aborting": (
        "1:M 26 Nov 2026 13:07:37.200 # WARNING Memory overcommit must be enabled! Without it ...\n"
        "1:M 26 Nov 2026 13:07:37.200 # Unresolved Configuration(s) Detected:\n"
        "1:M 26 Nov 2026 13:07:37.200 # >>> 'no_such_option 1'\n"
        "1:M 26 Nov 2026 13:07:37.200 # Module Configuration detected without loadmodule directive: aborting\n"
    ),
    "Error loading ACL rule '+@nosuch' for the user named 'bob': Unknown command or category name in ACL": (
        "1:C 26 Nov 2026 13:07:39.564 # WARNING Memory overcommit must be enabled! Without it ...\n"
        "1:C 26 Nov 2026 13:07:39.564 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n"
        "1:M 26 Nov 2026 13:07:39.564 # Error loading ACL rule '+@nosuch' for the user named 'bob': Unknown command or "
        "category name in ACL\n"
        "1:M 26 Nov 2026 13:07:39.565 # Critical error while loading ACLs. Exiting.\n"
    ),
    "Error response from daemon: pull access denied for mysql": (
        "Unable to find image 'mysql:1' locally\ndocker: Error response from daemon: pull access denied for mysql.\n"
        "See 'docker run --help'.\n"
    ),
    "services.web additional properties 'foo' not allowed": (
        'time="2026" level=warning msg="old"\nservices.web additional properties \'foo\' not allowed\n'
    ),
    "nothing": "",
}


@pytest.mark.parametrize("line", SAID)
def test_of_all_that_a_program_says_its_complaint_is_shown(line: str) -> None:
    assert _logs.complaint(SAID[line]) == line


@pytest.mark.parametrize(
    "directive", ["requirepass", "masterauth", "user", "tls-key-file-pass", "USER", '"RequirePass"', "requirepas"]
)
def test_a_line_with_a_password_is_not_repeated(directive: str) -> None:
    said = _logs.complaint(f">>> '{directive} bob >sesame'\nwrong number of arguments\n")
    directive = directive.removesuffix('"')
    assert said == f">>> '{directive} ********'; wrong number of arguments"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            ">>> 'user bob on >sesame ~* bogus'\nError in user declaration '>sesame': Syntax error\n",
            ">>> 'user ********'; Error in user declaration '********': Syntax error",
        ),
        (
            ">>> 'requirepass \"se;sesame'\nUnbalanced quotes in configuration line\n",
            ">>> 'requirepass ********'; Unbalanced quotes in configuration line",
        ),
        (
            ">>> 'USER bob on >sesame'\nError in user declaration 'bob': Duplicate user found. A user can only be ...\n",
            ">>> 'USER ********'; Error in user declaration '********': Duplicate user found. A user can only be",
        ),
        # A word that goes on behind a line's end, and holds what looks like its own end.
        (
            (
                ">>> 'user bob on \">ses\\nsesame': sesame\" ~* bogus'\n"
                "Error in user declaration '>ses\nsesame': sesame': Syntax error\n"
            ),
            ">>> 'user ********'; Error in user declaration '********': Syntax error",
        ),
        (
            (
                "1:M 26 Nov 2026 14:39:47.671 # >>> 'usr bob on >sesame ~*'\n"
                "1:M 26 Nov 2026 14:39:47.671 # Module Configuration detected without loadmodule directive: aborting\n"
            ),
            ">>> 'usr bob on ********'; Module Configuration detected without loadmodule directive: aborting",
        ),
        (
            "1:M 26 Nov 2026 13:07:39.564 # Error loading ACL rule '>sesame' for the user named 'bob': Syntax error\n",
            "Error loading ACL rule '********' for the user named 'bob': Syntax error",
        ),
    ],
    ids=["word", "semicolon", "capitals", "lines", "misspelt", "rule"],
)
def test_no_password_of_redis_is_repeated_wherever_it_stands(said: str, shown: str) -> None:
    """What Redis 8 really says."""
    assert _logs.complaint(said) == shown
    assert "sesame" not in _logs.excerpt(_logs.masked(said))


@pytest.mark.parametrize("line", ["Server initialized", "Configuration loaded"])
def test_what_redis_always_says_is_no_complaint(line: str) -> None:
    assert _logs.cause(f"1:M 26 Nov 2026 13:07:39.564 # {line}\n") == ""


def test_what_an_app_logs_is_no_cause_of_a_server() -> None:
    assert _logs.cause("[2026-11-26 13:07:29 +0000] [7] [ERROR] Exception in worker process\nImportError: x\n") == ""
