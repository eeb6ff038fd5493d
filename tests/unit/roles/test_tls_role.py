# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When the role `tls` asks the host for something, and what it refuses before."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.barehost.django.plugins.module_utils import _certificate, _certificate_read, _tls
from support import certificates as made

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = """
- name: Decide
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Check what is described
      ansible.builtin.include_role: { name: barehost.django.stack, tasks_from: refuse }
    - name: Have the certificate
      ansible.builtin.import_role: { name: barehost.django.tls, rolespec_validate: false }
"""
TREES = """
- name: Install
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Have the certificate
      ansible.builtin.import_role: { name: barehost.django.tls, rolespec_validate: false }
    - name: Put the files in place
      barehost.django.config_tree: { dest: "{{ tls_stack_dir }}", trees: "{{ tls_stack_trees }}" }
"""
SERVED = """
- name: Serve
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Have it served
      ansible.builtin.import_role: { name: barehost.django.tls, tasks_from: served, rolespec_validate: false }
"""
WOULD, CLEAR = "Would make a certificate", "passwords and cookies travel in clear"
NAMES = ["www.example.com"]
WHERE = _certificate.Where()
LIBRARY = {"python3-cryptography": "43.0.0-3"}


def run(tmp_path: Path, *options: str, playbook: str = PLAYBOOK, **values: Any) -> tuple[int, str]:
    """Run the role; dry where nothing else is said, which changes nothing on the machine that the tests run on."""
    file = tmp_path / "play.yml"
    file.write_text(playbook)
    variables = {
        "ansible_python_interpreter": sys.executable,
        "stack_domain": "www.example.com",
        "nginx_server_names": NAMES,
        **values,
    }
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    program = shutil.which("ansible-playbook") or "ansible-playbook"
    argv = [program, "-i", "localhost,", *(options or ("--check",)), str(file), "-e", json.dumps(variables)]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def state_of(days: int) -> dict[str, Any]:
    now = datetime.now(UTC)
    return _tls.state(NAMES, "a chain", now, now + timedelta(days=days), 30)


def seen(days: int = 100) -> dict[str, Any]:
    state = state_of(days)
    return {"stack": {"tls": {"self_signed": {**state, "whole": True}}}, "packages": LIBRARY}


@pytest.mark.parametrize("mode", ["off", False])
def test_off_does_nothing_and_says_what_that_means(tmp_path: Path, mode: object) -> None:
    code, output = run(tmp_path, tls_mode=mode)
    assert code == 0, output
    assert CLEAR in output
    # Something in front ends TLS.
    assert CLEAR not in run(tmp_path, tls_mode=mode, stack_scheme="https")[1]


def test_a_certificate_of_its_own_is_made_only_where_the_look_says_so(tmp_path: Path) -> None:
    code, output = run(tmp_path, tls_mode="self_signed", preflight_host={"packages": LIBRARY})
    assert code == 0, output
    assert f"{WOULD} for DNS:www.example.com: there is none" in output
    code, output = run(tmp_path, tls_mode="self_signed", preflight_host=seen())
    assert code == 0, output
    assert WOULD not in output
    assert CLEAR not in output


def test_it_is_not_made_without_the_library(tmp_path: Path) -> None:
    code, output = run(tmp_path, tls_mode="self_signed", preflight_host={"packages": {}})
    assert code != 0
    assert "the host has no python3-cryptography" in output
    assert "run barehost.django.site" in output
    # `site` has installed it by then.
    assert run(tmp_path, tls_mode="self_signed", docker_engine_in_deploy=True)[0] == 0


def test_what_is_provided_is_judged_before_the_host_is_touched(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    left = (now - made.NOW).days
    good = made.make(days=(left - 1, left + 30))
    key = made.key_pem(good.key)
    code, output = run(tmp_path, tls_mode="provided", tls_certificate=good.pem, tls_private_key=key)
    assert code == 0, output
    old = made.make(days=(left - 30, left - 1))
    code, output = run(tmp_path, tls_mode="provided", tls_certificate=old.pem, tls_private_key=key)
    assert code != 0
    assert "tls_certificate has expired at" in output
    assert key.splitlines()[1][:30] not in output
    file = tmp_path / "chain.pem"
    file.write_text(old.pem)
    code, output = run(tmp_path, tls_mode="provided", tls_certificate_file=str(file), tls_private_key=key)
    assert code != 0
    assert f"{file} has expired at" in output
    code, output = run(tmp_path, tls_mode="provided")
    assert code != 0
    assert "neither tls_private_key nor tls_private_key_file is set" in output


def test_what_is_provided_is_one_file_for_nginx_and_goes_with_the_mode(tmp_path: Path) -> None:
    left = (datetime.now(UTC) - made.NOW).days
    good = made.make(days=(left - 1, left + 30))
    key = made.key_pem(good.key)
    common = {"playbook": TREES, "stack_dir": str(tmp_path / "stack"), "preflight_host": seen()}
    # An earlier version had the key in a file of its own.
    folder = tmp_path / "stack" / "tls" / "provided"
    folder.mkdir(parents=True)
    (folder / "privkey.pem").write_text(key)
    given = {"tls_mode": "provided", "tls_certificate": good.pem.strip(), "tls_private_key": key.strip()}
    code, output = run(tmp_path, "-v", **common, **given)
    assert code == 0, output
    names = sorted(path.name for path in folder.iterdir())
    # Put in place in this order: what has Nginx read it comes after it.
    assert names.index(_tls.BOTH) < min(names.index(name) for name in names if name.endswith(".conf"))
    assert "privkey.pem" not in names
    assert (folder / _tls.BOTH).stat().st_mode & 0o777 == 0o600
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(folder / _tls.BOTH)
    both = (folder / _tls.BOTH).read_text()
    assert both == f"{good.pem.strip()}\n{key.strip()}\n"
    # What HAProxy takes: Nginx would send what stands beside the key, which nobody has judged, after the chain.
    old = made.make(days=(left - 30, left - 1))
    combined = {**given, "tls_private_key": old.pem + key + good.pem}
    code, output = run(tmp_path, "-v", **common, **combined)
    assert (code, "changed=0" in output) == (0, True), output
    assert (folder / _tls.BOTH).read_text() == both
    directives = [line.split()[1] for line in (folder / "listen.conf").read_text().splitlines() if "ssl_cert" in line]
    assert directives == 2 * [f"/etc/nginx/tls/provided/{_tls.BOTH};"]
    assert _tls.look(tmp_path / "stack")["provided"]["whole"]
    code, output = run(tmp_path, "-v", "--diff", **common, tls_mode="self_signed")
    assert code == 0, output
    assert list(folder.iterdir()) == []
    assert key.splitlines()[1] not in output
    assert "changed=0" in run(tmp_path, "-v", **common, tls_mode="self_signed")[1]


ACME = {"tls_mode": "acme", "tls_acme_agree_tos": True, "tls_acme_server": "https://ca.example/directory"}
RUNNING = {"nginx": [{"state": "running"}]}


def asked(tmp_path: Path, *, answers: bool = True, package: bool = True, **tls: Any) -> tuple[int, str]:
    """Run the role in the mode acme on a host of which the look has said that."""
    stack = {"tls": {"answers": answers, **tls}, "services": RUNNING}
    host = {"stack": stack, "packages": {"certbot": "4.0.0-2"} if package else {}}
    return run(tmp_path, **{**ACME, "preflight_host": host})


def test_an_authority_is_asked_before_anything_is_changed_where_nginx_answers_it(tmp_path: Path) -> None:
    would = "Would ask https://ca.example/directory for a certificate for DNS:www.example.com"
    code, output = asked(tmp_path)
    assert code == 0, output
    assert f"{would}: there is none" in output
    # On a bare host it is asked once Nginx runs.
    assert would not in asked(tmp_path, answers=False)[1]
    state = {
        **state_of(90),
        "server": ACME["tls_acme_server"],
        "whole": True,
    }
    assert would not in asked(tmp_path, acme=state)[1]
    # A plain deploy never asks the package manager, and one that needs nothing needs no package.
    code, output = asked(tmp_path, package=False)
    assert code != 0
    assert "the host has no certbot to have a certificate with (there is none): run barehost.django.site" in output
    assert asked(tmp_path, package=False, acme=state)[0] == 0


def test_the_timer_is_there_before_the_first_certificate_is_asked_for() -> None:
    tasks = yaml.safe_load((ROOT / "roles" / "tls" / "tasks" / "served.yml").read_text())
    # A refusal of the authority ends the run, and nothing would ask again.
    assert "barehost.django.host_units" in tasks[0]
    assert "ansible.builtin.include_tasks" in tasks[-1]


@pytest.mark.parametrize(
    ("answers", "before", "meant"),
    [
        (True, {"postponed": True}, True),
        (True, {"postponed": False}, False),
        # In a dry run the task that would have asked says nothing, and has spoken.
        (True, {"skipped": True}, False),
        (False, None, True),
    ],
)
def test_what_was_postponed_is_asked_for_once_nginx_is_made_anew(
    tmp_path: Path, before: object, *, answers: bool, meant: bool
) -> None:
    asked = {} if before is None else {"tls__asked": before}
    host = {"stack": {"tls": {"answers": answers}, "services": RUNNING}, "packages": {"certbot": "4.0.0-2"}}
    # Which needs a systemd that the machine of the tests need not have.
    values = {**ACME, **asked, "preflight_host": host, "tls__units": {}}
    code, output = run(tmp_path, playbook=SERVED, **values)
    assert code == 0, output
    assert ("Would ask https://ca.example/directory" in output) is meant


def test_only_a_deploy_that_has_nginx_before_it_leaves_it_to_that() -> None:
    included = [
        task["vars"]["tls__edge_follows"]
        for name in ("main", "served")
        for task in yaml.safe_load((ROOT / "roles" / "tls" / "tasks" / f"{name}.yml").read_text())
        if task.get("ansible.builtin.include_tasks") == "acme.yml"
    ]
    assert included == [True, False]


def test_that_an_authority_has_said_no_is_forgotten_with_the_mode(tmp_path: Path) -> None:
    root = tmp_path / "stack"
    note = root / _tls.FAILURE
    note.parent.mkdir(parents=True)
    note.write_text("{}")
    modes = {"off": {}, "acme": {**ACME, "tls__reason": ""}}
    for mode, left in (("acme", True), ("off", False)):
        stack = {"tls": _tls.look(root), "services": RUNNING}
        values = {**modes[mode], "tls_mode": mode, "stack_dir": str(root), "preflight_host": {"stack": stack}}
        code, output = run(tmp_path, "-v", playbook=SERVED, tls__units={}, **values)
        assert (code, note.exists()) == (0, left), output
    assert "failed" not in _tls.look(root)


def test_a_deploy_has_no_certificate_before_it_has_refused_what_none_can_be_made_from() -> None:
    """The role itself does not look a second time."""
    tasks = yaml.safe_load((ROOT / "playbooks" / "deploy.yml").read_text())[1]["tasks"][0]["block"]
    called = [task["ansible.builtin.import_role"] for task in tasks]
    refused = next(number for number, role in enumerate(called) if role.get("tasks_from") == "refuse")
    assert refused < [role["name"] for role in called].index("barehost.django.tls")


def test_a_scheme_that_contradicts_the_mode_is_refused(tmp_path: Path) -> None:
    code, output = run(tmp_path, tls_mode="self_signed", stack_scheme="http", preflight_host=seen())
    assert code != 0
    assert "tls_mode is self_signed and stack_scheme is http" in output


def make(tmp_path: Path, root: Path, names: list[str] = NAMES, **values: Any) -> str:
    """Run the role for real below a folder of the test's, with what a look finds there."""
    host = {"stack": {"tls": _tls.look(root)}, "packages": LIBRARY}
    common = {"tls_mode": "self_signed", "stack_dir": str(root), "nginx_server_names": names}
    code, output = run(tmp_path, "-v", **{**common, "preflight_host": host, **values})
    assert code == 0, output
    return output


def test_what_it_makes_serves_is_kept_and_renewed_with_its_key(tmp_path: Path) -> None:
    root = tmp_path / "stack"
    folder = root / "tls" / "self_signed"
    output = make(tmp_path, root)
    chain, key = ((folder / name).read_text() for name in ("fullchain.pem", "privkey.pem"))
    assert _certificate_read.problems(chain, key, NAMES, _tls.now()) == []
    assert key.splitlines()[1] not in output
    modes = {path.name: path.stat().st_mode & 0o777 for path in [folder, *folder.iterdir()]}
    assert (modes["self_signed"], modes["privkey.pem"]) == (0o700, 0o600)
    ca_key = root / "ca" / "privkey.pem"
    assert (ca_key.stat().st_mode & 0o777, ca_key.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    # Nginx sees what lies below tls/, and whoever has the key of the CA could sign for any name.
    assert not any("ca" in name and "key" in name for name in modes)
    assert "ssl_certificate /etc/nginx/tls/self_signed/fullchain.pem;" in (folder / "listen.conf").read_text()
    # The certificate ends when the state says so.
    end = _certificate_read.chain_of(chain, WHERE)[0].not_after
    assert abs(_tls.parsed(_tls.look(root)["self_signed"]["not_after"]) - end) < timedelta(minutes=5)
    # Nothing is to be done again.
    assert "changed=0" in make(tmp_path, root)
    assert (folder / "fullchain.pem").read_text() == chain
    # Another name: another certificate, of the same CA and with the same key.
    more = [*NAMES, "shop.example.com"]
    make(tmp_path, root, more)
    again = (folder / "fullchain.pem").read_text()
    assert _certificate_read.problems(again, key, more, _tls.now()) == []
    assert (folder / "privkey.pem").read_text() == key
    assert again != chain
    assert again.split("-----END")[1] == chain.split("-----END")[1]


def test_a_ca_ends_after_what_it_signs_and_is_renewed_with_its_key(tmp_path: Path) -> None:
    root = tmp_path / "stack"
    code, output = run(tmp_path, tls_mode="self_signed", tls_self_signed_ca_days=365, preflight_host=seen())
    assert code != 0
    assert "tls_self_signed_ca_days is 365 and tls_self_signed_days is 397" in output
    # As one that has almost come to its end.
    make(tmp_path, root, tls_self_signed_days=20, tls_self_signed_ca_days=50)
    folder = root / "tls" / "self_signed"
    old = tmp_path / "old.pem"
    old.write_text((folder / "ca.pem").read_text())
    key = (root / "ca" / "privkey.pem").read_text()
    output = make(tmp_path, root, [*NAMES, "shop.example.com"])
    assert f"give clients {folder}/ca.pem by then" in output
    ends = [item.not_after for item in _certificate_read.chain_of((folder / "fullchain.pem").read_text(), WHERE)]
    assert ends[0] < ends[1]
    assert (root / "ca" / "privkey.pem").read_text() == key
    # Who trusts the old one goes on, and who trusts the new one comes along.
    for trusted in (old, folder / "ca.pem"):
        argv = [
            "openssl",
            "verify",
            "-CAfile",
            str(trusted),
            "-untrusted",
            str(folder / "ca.pem"),
            str(folder / "fullchain.pem"),
        ]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    # And is left alone from then on.
    new = (folder / "ca.pem").read_text()
    assert new != old.read_text()
    assert "give clients" not in make(tmp_path, root, ["blog.example.com"])
    assert (folder / "ca.pem").read_text() == new


def test_a_ca_that_was_just_made_is_not_renewed(tmp_path: Path) -> None:
    # The fewest days that are not refused.
    output = make(tmp_path, tmp_path / "stack", tls_self_signed_days=397, tls_self_signed_ca_days=398)
    assert "give clients" not in output
    folder = tmp_path / "stack" / "tls" / "self_signed"
    ends = [item.not_after for item in _certificate_read.chain_of((folder / "fullchain.pem").read_text(), WHERE)]
    assert ends[0] < ends[1]
