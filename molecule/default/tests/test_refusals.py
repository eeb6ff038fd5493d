# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bad input is refused by name, and nothing on the host changes."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from conftest import INVENTORY, ROOT, STACK_DIR, request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# What is set -> what the message must name.
INPUT = [
    ({"nginx_htp_port": 80}, ["nginx_htp_port", "nginx_http_port"]),
    ({"django_web_threads": "many"}, ["django_web_threads", "many"]),
    ({"mysql_image": ["mysql:9.7"]}, ["mysql_image"]),
    ({"stack_name": "My Stack"}, ["stack_name", "My Stack"]),
    ({"stack_domain": "not a domain"}, ["stack_domain", "not a domain"]),
    ({"django_secret_key": "changeme"}, ["django_secret_key"]),
    ({"django_secret_key": "short-but-otherwise-fine-1234567890"}, ["django_secret_key", "50"]),
    ({"django_debug": True}, ["django_debug", "production"]),
    ({"django_source_path": "/nowhere"}, ["django_source_path", "/nowhere"]),
    ({"django_source_path": ""}, ["django_source_path is empty"]),
    ({"stack_name": "shop-"}, ["stack_name", "shop-"]),
    ({"redis_cache_db": "0"}, ["redis_cache_db"]),
    ({"django_dockerfile": "Dockerfile.missing"}, ["Dockerfile.missing"]),
    ({"mysql_root_password": "it's"}, ["mysql_root_password"]),
    ({"django_env": {"LINES": "a\u0000b"}}, ["LINES"]),
    ({"django_env": {"SECRET_KEY": "short"}}, ["django_env.SECRET_KEY", "50"]),
    ({"django_env": {"DEBUG": "True", "HOSTS": "{{ django_database_host }}"}}, ["django_env.DEBUG", "production"]),
    ({"django_processes": {"ticker": "python tick.py"}}, ["django_processes.ticker", "list of words"]),
    ({"django_processes": {"web": ["sleep", "9"]}}, ["django_processes.web", "stack uses itself"]),
    ({"stack_service_overrides": {"mysqll": {"memory_mb": 512}}}, ["mysqll is no service", "did you mean mysql?"]),
    ({"ngnix_http_port": 80}, ["ngnix_http_port", "nginx_http_port"]),
    ({"uninstall_delete_dta": "app"}, ["uninstall_delete_dta", "uninstall_delete_data"]),
]
HOST = [
    ({"preflight_supported_os": ["debian 99"]}, ["Debian GNU/Linux 13", "debian 99"]),
    ({"preflight_min_memory_mb": 99999999}, ["MiB of memory", "99999999"]),
    ({"preflight_min_disk_mb": 999999999}, ["MiB free", "999999999"]),
    ({"mysql_database": "other"}, ["mysql_database is other", "set up with"]),
    ({"mysql_backup_user": "app"}, ["mysql_backup_user is app", "another account"]),
    ({"nginx_http_port": 22}, ["port 22 by sshd", "nginx_http_port"]),
]


def state(root: Any) -> str:
    """Return what must not change: files, containers, images. Which module was at work last is no part of it."""
    files = root.check_output(
        f"find {STACK_DIR} -type f ! -path '*/beat/*' ! -path '*/lock/*' -exec md5sum {{}} + | sort"
    )
    return str(
        files + root.check_output("docker ps -aq --no-trunc | sort") + root.check_output("docker images -q | sort")
    )


@pytest.mark.parametrize(
    ("values", "names"), INPUT + HOST, ids=lambda item: "-".join(item) if isinstance(item, dict) else ""
)
def test_it_is_refused_by_name_and_nothing_changes(
    root: Any, playbook: Callable[..., Any], values: dict[str, Any], names: list[str]
) -> None:
    before = state(root)
    run = playbook("site", "-e", json.dumps(values))
    assert run.code != 0
    assert run.changed == []
    for name in names:
        assert name in run.output, run.message
    assert state(root) == before
    assert request("/health/").status == 200


@pytest.mark.parametrize(
    ("verb", "values", "names"),
    [
        ("backup", {"backup_keep_lest": 3}, ["backup_keep_lest", "backup_keep_least"]),
        ("backup", {"backup_keep_least": -3}, ["backup_keep_least is -3"]),
        ("restore_drill", {"backup_dril_id": "x"}, ["backup_dril_id", "backup_drill_id"]),
        ("restore_drill", {"backup_drill_id": "x"}, ["backup_drill_id is 'x'"]),
        ("restore", {"restore_from": "latest", "restore_parts": "medai"}, ["restore_parts is 'medai'"]),
        (
            "restore",
            {"restore_from": "latest", "restore_keep_old": "maybe"},
            ["restore_keep_old must be true or false"],
        ),
    ],
)
def test_a_verb_refuses_its_input_before_the_host_is_touched(
    root: Any, playbook: Callable[..., Any], verb: str, values: dict[str, Any], names: list[str]
) -> None:
    look = f"find {STACK_DIR}/lock {STACK_DIR}/backups /var/log/barehost -printf '%p %T@ %s\\n' | sort"
    before = root.check_output(look)
    run = playbook(verb, "-e", json.dumps(values))
    assert run.code != 0
    for name in names:
        assert name in run.output, run.message
    assert root.check_output(look) == before


def test_what_only_a_deploy_installs_is_said_to_have_no_effect(playbook: Callable[..., Any]) -> None:
    run = playbook("backup", "--check", "-e", "backup_keep_least=3")
    assert run.code == 0, run.message
    assert "this has no effect before a deploy" in run.output
    assert "backup_keep_least (3, and 7 here)" in run.output
    assert "no effect" not in playbook("backup", "--check", "-e", "backup_keep_least=7").output


def test_all_problems_are_reported_at_once(playbook: Callable[..., Any]) -> None:
    values = {"nginx_htp_port": 80, "stack_domain": "not a domain", "django_web_threads": "many"}
    run = playbook("site", "-e", json.dumps(values))
    for name in ("nginx_htp_port", "stack_domain", "django_web_threads"):
        assert name in run.message


def test_a_secret_is_not_shown_in_the_refusal(playbook: Callable[..., Any]) -> None:
    run = playbook("site", "-vvv", "--diff", "-e", json.dumps({"mysql_root_password": "tell'tale"}))
    assert run.code != 0
    assert "tell'tale" not in run.output.replace('"mysql_root_password": "tell\'tale"', "", 1)


def test_a_port_that_another_program_holds_is_named_and_the_program_goes_on(
    root: Any, playbook: Callable[..., Any]
) -> None:
    server = "import socket,time;s=socket.socket();s.bind(('0.0.0.0',8099));s.listen();time.sleep(120)"
    unit = "barehost-test-port"
    root.check_output(f'systemd-run --quiet --unit={unit} python3 -c "{server}"')
    process = root.check_output(f"systemctl show --property=MainPID --value {unit}")
    run = playbook("site", "-e", "nginx_http_port=8099")
    assert run.code != 0
    assert f"port 8099 by python3 (pid {process})" in run.message
    assert root.check_output(f"systemctl is-active {unit}") == "active"
    root.check_output(f"systemctl stop {unit}")


def test_no_host_is_an_error(playbook: Callable[..., Any], tmp_path: Path) -> None:
    empty = tmp_path / "hosts.yml"
    empty.write_text("all:\n  hosts: {}\n")
    run = playbook("site", inventory=empty)
    assert run.code != 0
    assert "no host matches" in run.output


def test_a_wrong_vault_password_is_an_error_without_the_ciphertext(
    playbook: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "right").write_text("right")
    (tmp_path / "wrong").write_text("wrong")
    vault = ["ansible-vault", "encrypt_string", "--vault-password-file", str(tmp_path / "right"), "s" * 60]
    done = subprocess.run([*vault, "--name", "django_secret_key"], cwd=ROOT, capture_output=True, text=True, check=True)
    extra = tmp_path / "extra.yml"
    extra.write_text(done.stdout)
    run = playbook("site", "-e", f"@{extra}", "--vault-password-file", str(tmp_path / "wrong"), inventory=INVENTORY)
    assert run.code != 0
    assert run.changed == []
    assert "django_secret_key" in run.output
    assert "Traceback" not in run.output
