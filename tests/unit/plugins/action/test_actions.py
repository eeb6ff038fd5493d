# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The action plugins in real runs of ansible-playbook, against hosts that do not exist: nothing may connect."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[4]
SECRET = "hush-hush-hush-hush"
INVENTORY = "[stack]\nweb1 ansible_host=192.0.2.1\n[other]\nweb9 ansible_host=192.0.2.9\n"
SPECS = {
    "stack": """
stack_name: {type: str, required: true, description: Name.}
stack_domain: {type: str, default: localhost, description: Domain.}
stack_environment: {type: str, default: production, choices: [production, development], description: Kind.}
stack_service_overrides: {type: dict, default: {}, description: Overrides.}
""",
    "django": """
django_secret_key: {type: str, no_log: true, default: !unsafe "{{ stack_secrets.key }}", description: Key.}
django_debug: {type: bool, default: false, description: Debug.}
django_port: {type: int, default: 8000, description: Port.}
django_allowed_hosts: {type: list, elements: str, default: [!unsafe "{{ stack_domain }}"], description: Hosts.}
django_workers: {type: int, default: !unsafe "{{ stack_info.host.cpus * 2 }}", description: Workers.}
django_env: {type: dict, default: {}, description: Own.}
""",
}


class Project:
    """A collection with the real plugins and two small roles, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        """Lay out the collection."""
        self.folder = folder
        self.collection = folder / "ansible_collections" / "barehost" / "django"
        self.collection.mkdir(parents=True)
        (self.collection / "plugins").symlink_to(ROOT / "plugins")
        for name in ("galaxy.yml", "meta"):
            (self.collection / name).symlink_to(ROOT / name)
        for role, options in SPECS.items():
            self._role(role, options)
        (folder / "inventory").write_text(INVENTORY)

    def _role(self, role: str, options: str) -> None:
        for part in ("meta", "defaults", "tasks"):
            (self.collection / "roles" / role / part).mkdir(parents=True)
        indented = "".join(f"      {line}\n" for line in options.strip().splitlines())
        spec = f"argument_specs:\n  main:\n    short_description: A role.\n    options:\n{indented}"
        (self.collection / "roles" / role / "meta" / "argument_specs.yml").write_text(spec)

        class Loader(yaml.SafeLoader):
            pass

        Loader.add_constructor("!unsafe", lambda _loader, node: node.value)
        entries = yaml.load(options, Loader=Loader)  # noqa: S506 - a safe loader
        defaults = {name: entry["default"] for name, entry in entries.items() if "default" in entry}
        (self.collection / "roles" / role / "defaults" / "main.yml").write_text(yaml.safe_dump(defaults))

    def run(self, plays: list[dict[str, Any]], *args: str, variables: dict[str, Any] | None = None) -> tuple[int, str]:
        """Run plays and return exit code and output."""
        (self.folder / "play.yml").write_text(yaml.safe_dump(plays))
        (self.folder / "vars.json").write_text(json.dumps(variables or {}))
        env = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")}
        env.update(ANSIBLE_COLLECTIONS_PATH=str(self.folder), ANSIBLE_LOCALHOST_WARNING="False", HOME=str(self.folder))
        command = Path(sys.executable).with_name("ansible-playbook")
        argv = [
            str(command) if command.exists() else str(shutil.which("ansible-playbook")),
            "play.yml",
            "-e",
            "@vars.json",
        ]
        argv += args or ("-i", "inventory")
        done = subprocess.run(argv, cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


CHECK = [
    {
        "hosts": "stack",
        "gather_facts": False,
        "tasks": [{"barehost.django.input_check": {"allowed_variables": ["django_mine_*"]}}],
        "roles": [],
    }
]
WITH_ROLES = [
    {
        "hosts": "stack",
        "gather_facts": False,
        "pre_tasks": [{"barehost.django.input_check": {}}, {"meta": "end_play"}],
        "roles": ["barehost.django.django", "barehost.django.stack"],
    }
]
GUARD = [
    {
        "hosts": "all:localhost",
        "gather_facts": False,
        "tasks": [{"barehost.django.input_check": {"require_hosts": "stack"}, "run_once": True}],
    }
]


def test_right_variables_pass_and_values_that_come_later_are_skipped(project: Project) -> None:
    code, output = project.run(WITH_ROLES, variables={"stack_name": "demo", "django__result": 1})
    assert code == 0, output


def test_all_problems_are_reported_at_once_without_a_secret(project: Project) -> None:
    variables = {
        "stack_name": "My App",
        "django_secret_key": f"{{{{ {SECRET} '",
        "django_debug": True,
        "django_port": "abc",
        "django_allowed_hosts": "a.example",
        "django_prot": 3,
        "django_mine_x": 1,
        "stack_domain": "{{ my_domian }}",
    }
    code, output = project.run(CHECK, variables=variables)
    assert code == 2, output
    for part in (
        "7 problems with the inventory, nothing was changed:",
        "stack_name 'My App' is not usable",
        "django_secret_key cannot be templated",
        "django_debug is on in a production inventory",
        "django_port must be an integer, not 'abc' (default: 8000)",
        "django_allowed_hosts must be a list, not 'a.example'",
        "django_prot is unknown: did you mean django_port?",
        "stack_domain refers to 'my_domian', which is not defined anywhere",
    ):
        assert part in output
    assert SECRET not in output
    assert output.count("django_port must be an integer") == len(re.findall("7 problems with", output))


def test_a_computed_value_does_not_hide_the_others_of_its_dictionary(project: Project) -> None:
    env = {"HOSTS": "{{ stack_info.host.cpus }}", "DEBUG": True}
    code, output = project.run(CHECK, variables={"stack_name": "demo", "django_env": env})
    assert code == 2, output
    assert "1 problem with the inventory, nothing was changed: django_env.DEBUG is on in a production" in output


def test_two_slips_in_a_name_are_a_warning(project: Project) -> None:
    code, output = project.run(CHECK, variables={"stack_name": "demo", "djnago_prot": 1})
    assert code == 0, output
    assert "if django_port is meant" in " ".join(output.split())


def test_services_of_somebody_elses_roles_can_be_overridden(project: Project) -> None:
    variables = {"stack_name": "demo", "stack_service_overrides": {"search": {}}}
    code, output = project.run(CHECK, variables=variables)
    assert code == 2
    assert "search is no service" in output
    code, output = project.run(CHECK, variables={**variables, "search_stack_services": {"search": {}}})
    assert code == 0, output


def test_required_options_of_the_roles_of_the_play(project: Project) -> None:
    code, output = project.run(WITH_ROLES)
    assert code == 2
    assert "1 problem with the inventory, nothing was changed: stack_name is required and not set: Name." in output


def test_what_a_later_play_will_take_is_judged_now(project: Project) -> None:
    spec = project.collection / "roles" / "django" / "meta" / "argument_specs.yml"
    names = ("django_source_path", "django_git_repository", "django_image")
    spec.write_text(
        spec.read_text() + "".join(f'      {name}: {{type: str, default: "", description: X.}}\n' for name in names)
    )
    later = [{**CHECK[0], "tasks": [{"barehost.django.input_check": {"roles": ["django"]}}]}]
    code, output = project.run(later)
    assert code == 2
    assert "the application has no source" in output
    code, output = project.run(later, variables={"django_image": "shop:1"})
    assert code == 0, output


def test_a_verb_of_some_roles_judges_what_these_read_and_hands_it_on_without_secrets(project: Project) -> None:
    check = {"barehost.django.input_check": {"only_roles": ["django"]}, "register": "seen"}
    plays = [{**CHECK[0], "tasks": [check, {"debug": {"msg": "given={{ seen.given | sort | join(',') }}"}}]}]
    # Of another role is only what this one refers to.
    others = {"stack_environment": "nowhere", "stack_mine": 1, "stack_name": "My App"}
    good = {"django_port": "81", "django_secret_key": "{{ vaulted }}" + SECRET, "stack_domain": "a.example", **others}
    code, output = project.run(plays, variables=good)
    assert code == 0, output
    assert '"given=django_port,stack_domain"' in output
    assert SECRET not in output
    code, output = project.run(plays, variables={**good, "django_prot": 1, "django_port": "-1", "stack_domain": "a b"})
    assert code == 2
    for part in ("3 problems with", "django_prot is unknown", "django_port is -1", "stack_domain 'a b' is not usable"):
        assert part in output
    code, output = project.run([{**CHECK[0], "tasks": [{"barehost.django.input_check": {"only_roles": ["nobody"]}}]}])
    assert code == 2
    assert "no argument specs of nobody found" in output


def test_a_wrong_vault_password_is_called_that(project: Project) -> None:
    for name in ("right", "wrong"):
        (project.folder / name).write_text(name)
    vault = str(Path(sys.executable).with_name("ansible-vault"))
    argv = [vault, "encrypt_string", "--vault-password-file", "right", SECRET, "--name", "django_secret_key"]
    text = subprocess.run(argv, cwd=project.folder, capture_output=True, text=True, check=True).stdout
    (project.folder / "vault.yml").write_text(text)
    args = ("-i", "inventory", "-e", "@vault.yml", "-e", "stack_name=demo", "--vault-password-file")
    code, output = project.run(CHECK, *args, "wrong")
    assert code == 2
    assert "django_secret_key cannot be decrypted: the vault password is wrong or missing" in output
    code, output = project.run(CHECK, *args, "right")
    assert "django_secret_key has 19 characters, fewer than 50" in output
    assert SECRET not in output


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("-i", "inventory"), 0, "ok: ["),
        (("-i", "inventory", "--limit", "web1"), 0, "ok: [web1]"),
        (("-i", "inventory", "--limit", "web9"), 2, "no host matches 'stack' (--limit 'web9' leaves out web1)"),
        (("-i", "inventory", "-e", "uninstall_delete_dta=x"), 2, "did you mean uninstall_delete_data?"),
        (("-i", "web9,"), 2, "no host matches 'stack' (inventory read: web9,; groups in it: all, ungrouped)"),
        (("-i", "empty"), 2, "groups in it: none with a host)"),
    ],
)
def test_a_run_that_no_host_matches_fails(project: Project, args: tuple[str, ...], code: int, message: str) -> None:
    (project.folder / "empty").write_text("")
    seen, output = project.run(GUARD, *args)
    assert seen == code, output
    assert message in output


@pytest.fixture
def url() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health/" else 503)
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def probe_play(url: str, *paths: str) -> list[dict[str, Any]]:
    auth = {"username": "admin", "password": SECRET}
    checks = [{"name": f"look at {path}", "path": path, "basic_auth": auth} for path in paths]
    task = {"barehost.django.http_probe": {"url": url, "checks": checks, "closed_ports": [1]}, "register": "probe"}
    show = {"ansible.builtin.debug": {"var": "probe.msg"}}
    return [{"hosts": "stack", "gather_facts": False, "tasks": [task, show]}]


def test_the_probe_runs_on_the_controller(project: Project, url: str) -> None:
    code, output = project.run(probe_play(url, "/health/"))
    assert code == 0, output
    assert "1 checks passed, 1 ports closed" in output


def test_a_failing_probe_is_one_line(project: Project, url: str) -> None:
    code, output = project.run(probe_play(url, "/health/", "/down/"), "-i", "inventory", "-vvv")
    assert code == 2
    assert f"1 of 3 checks failed: look at /down/: GET {url}/down/: status 503, expected 200" in output
    assert SECRET not in output


def test_a_dry_run_proves_nothing_and_says_so(project: Project) -> None:
    code, output = project.run(probe_play("http://192.0.2.1", "/health/"), "-i", "inventory", "--check")
    assert code == 0, output
    assert "a dry run cannot prove that the site answers" in output


def status_play(form: str) -> list[dict[str, Any]]:
    info = {"engine": {"present": True, "version": "26.1"}, "stack": {"present": False, "dir": "/opt/demo"}}
    fact = {"ansible.builtin.set_fact": {"stack_info": info}, "when": "inventory_hostname == 'web1'"}
    return [
        {
            "hosts": "all",
            "gather_facts": False,
            "tasks": [fact, {"barehost.django.status_report": {"format": form}}],
        }
    ]


def test_status_is_one_document_for_all_hosts(project: Project) -> None:
    code, output = project.run(status_play("json"))
    assert code == 0, output
    (line,) = [line for line in output.splitlines() if line.startswith("{")]
    hosts = json.loads(line)["hosts"]
    assert {name: host["verdict"] for name, host in hosts.items()} == {"web1": "absent", "web9": "unreachable"}


def test_status_is_one_screen_for_all_hosts(project: Project) -> None:
    _code, output = project.run(status_play("text"))
    assert output.count("web1: absent - no stack in /opt/demo") == 1
    assert output.count("web9: unreachable") == 1
    assert '"msg"' not in output
