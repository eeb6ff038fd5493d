# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who calls, without a secret, and whether a caller is still alive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _caller

OURS = {"hostname": "ci-7", "machine_id": "m1", "boot_id": "b1", "namespace": _caller.FIRST_NAMESPACE}


def test_the_command_holds_what_is_known_to_be_harmless() -> None:
    options = {
        "args": ("playbooks/deploy.yml",),
        "inventory": ("/home/a/inventories/production", "web1,web2,", "/etc/hosts.yml"),
        "subset": "web 1",
        "tags": ("all",),
        "skip_tags": ("slow", "x"),
        "check": True,
        "diff": False,
        "extra_vars": ("password=hush", "@/run/hush.yml"),
        "vault_ids": ("prod@/run/hush",),
        "become_password_file": "/run/hush",
        "ssh_common_args": "-o ProxyCommand=hush",
        "private_key_file": "/hush",
    }
    assert _caller.command("/usr/local/bin/ansible-playbook", options, "/home/a") == (
        "ansible-playbook -i inventories/production -i web1,web2, -i /etc/hosts.yml playbooks/deploy.yml "
        "--limit 'web 1' --skip-tags slow,x --check -e ***"
    )
    assert _caller.command("runner", {}, "/") == "runner"
    assert _caller.command("ansible", {"args": "web1"}, "/") == "ansible web1"


def test_start_time_and_names_with_brackets() -> None:
    rest = " ".join(str(number) for number in range(4, 22))
    assert _caller.start_time(f"42 (a) b (c)) S {rest} 777 1 2") == "777"
    assert _caller.start_time(f"42 (x) Z {rest} 777 1 2") == ""
    assert _caller.start_time("") == ""
    assert _caller.start_time(Path("/proc/self/stat").read_text()).isdigit()


@pytest.mark.parametrize("name", ["hostname", "machine_id", "boot_id", "namespace"])
def test_processes_are_compared_only_where_a_number_means_the_same(name: str) -> None:
    assert _caller.same_processes(OURS, OURS)
    assert not _caller.same_processes({**OURS, name: "other"}, OURS)
    # What could not be read is not equal to what could not be read.
    assert not _caller.same_processes({**OURS, name: ""}, {**OURS, name: ""})


def test_a_reboot_ends_every_run_of_a_machine_and_says_nothing_of_containers() -> None:
    booted = {**OURS, "boot_id": "b2"}
    assert _caller.rebooted(OURS, booted)
    assert not _caller.rebooted(OURS, OURS)
    assert not _caller.rebooted({**OURS, "machine_id": "m2"}, booted)
    assert not _caller.rebooted({**OURS, "hostname": "ci-8"}, booted)
    contained = {"namespace": "pid:[4026532000]"}
    assert not _caller.rebooted({**OURS, **contained}, {**booted, **contained})
    assert not _caller.rebooted({**OURS, "boot_id": ""}, booted)


def test_a_run_is_dead_when_its_process_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = _caller.start_time(Path(f"/proc/{process.pid}/stat").read_text())
    theirs = {**_caller.machine(), "pid": str(process.pid), "started": started}
    assert not _caller.is_dead(theirs)
    # The number was given to somebody else since.
    assert _caller.is_dead({**theirs, "started": "1"})
    assert not _caller.is_dead({**theirs, "started": ""})
    assert not _caller.is_dead({**theirs, "started": "1", "hostname": "elsewhere"})
    assert not _caller.is_dead({})
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert _caller.is_dead(theirs), "dead, though its parent has not asked for it yet"
    process.wait()
    assert _caller.is_dead(theirs)


def test_hidden_processes_are_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {**_caller.machine(), "pid": "999999999", "started": "1"}
    assert _caller.is_dead(theirs)
    real = _caller.read
    monkeypatch.setattr(_caller, "read", lambda path: "" if path.startswith("/proc/1/") else real(path))
    assert not _caller.is_dead(theirs)


def test_a_description_is_of_this_process() -> None:
    found = _caller.describe({"args": ("site.yml",)}, ["/usr/bin/ansible-playbook"])
    assert found["command"] == "ansible-playbook site.yml"
    assert found["owner"].endswith(f"@{found['controller']['hostname']}")
    assert found["controller"]["pid"] == str(os.getpid())
    assert not _caller.is_dead(found["controller"])
