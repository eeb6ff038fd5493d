# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups go to the other host by SFTP and come back; whatever is wrong there is named, and costs nothing here."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import backups
import pytest

from tests.hosts import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Host, Vault

    from tests.playbooks import PlaybookRun

KEY = "/root/offsite-key"
# Looks at every process of the host until it is told to stop, and notes where a secret stands.
SPY = """
import glob, sys, time
from pathlib import Path
secrets = sys.stdin.read().split()
while not Path("/root/spy.stop").exists():
    for file in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
        try:
            text = Path(file).read_bytes().decode(errors="replace")
        except OSError:
            continue
        for secret in secrets:
            if secret in text:
                print(file, text.replace(chr(0), " ")[:200], flush=True)
    time.sleep(0.02)
"""


@pytest.fixture(scope="module")
def login(machine: Host, vault: Vault) -> Iterator[dict[str, Any]]:
    """Let the host in; return its settings, with a repository that nobody has made yet."""
    for program in ("restic", "zstd"):
        machine.run(f"command -v {program} || apt-get install --yes --quiet {program}", seconds=600)
    machine.run(f"rm -f {KEY}*; ssh-keygen -q -t ed25519 -N '' -f {KEY}")
    vault.let_in(machine.run(f"cat {KEY}.pub"))
    yield {
        "repository": f"sftp:{vault.user}@{vault.address}:{vault.folder}/repo-{uuid.uuid4().hex[:8]}",
        "password": f"not-for-production-{uuid.uuid4().hex}",
        "ssh_key": machine.run(f"cat {KEY}"),
        "known_hosts": vault.known_host,
    }
    machine.run(f"rm -f {KEY}*")
    vault.run(f"rm -rf {vault.folder}/repo-*")


@pytest.fixture(scope="module")
def offsite(machine: Host, login: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Have a repository with what is here."""
    with backups.settings(machine, offsite=login):
        backups.run(machine, "backup")
        code, said = backups.run(machine, "offsite", "--init")
        assert code == 0, said
        yield login


def there(machine: Host) -> list[str]:
    """Return the backups that lie off-site."""
    code, said = backups.run(machine, "snapshots", "--json")
    assert code == 0, said
    return [item["backup"] for item in json.loads(said)]


def fails(machine: Host, login: dict[str, Any], *words: str, **changes: Any) -> str:
    """Run with other settings, which must fail; return why."""
    before = backups.ids(machine)
    with backups.settings(machine, offsite={**login, **changes}):
        code, said = backups.run(machine, *(words or ("offsite",)))
    assert code == 1, said
    assert backups.ids(machine)[: len(before)] == before
    message = backups.state(machine)["offsite"]["failure"]["message"]
    assert message in said
    assert login["password"] not in said
    return str(message)


def test_a_repository_is_made_only_where_that_is_asked_for(
    machine: Host, login: dict[str, Any], runner: Callable[..., PlaybookRun]
) -> None:
    with backups.settings(machine, offsite=login):
        done = runner("backup")
        assert done.code != 0
        assert "it could not be sent off-site: there is no repository at sftp:" in done.message
        assert backups.state(machine)["backup"]["failure"] is None
        count = len(backups.ids(machine))
        done = runner("backup", "-e", "backup_offsite_init=true")
        assert done.code == 0, done.message
        found = done.tasks["Make a backup"]["offsite"]
        # What could not be sent then is sent now.
        assert (found["created"], len(found["sent"])) == (True, count + 1)
        assert backups.state(machine)["offsite"]["failure"] is None
    assert "there is no repository at" in fails(machine, login, repository=login["repository"] + "-mistyped")


def test_a_backup_is_sent_once(machine: Host, offsite: dict[str, Any]) -> None:
    code, said = backups.run(machine, "backup")
    assert code == 0, said
    newest = backups.ids(machine)[-1]
    assert f"1 sent ({newest})" in said
    assert newest in there(machine)
    assert "nothing to send" in backups.run(machine, "offsite")[1]
    assert backups.audit(machine)["result"] == "ok"
    assert backups.state(machine)["offsite"]["success"]["url"] == offsite["repository"]


def test_what_comes_back_is_what_was_sent_and_passes_a_drill(machine: Host, offsite: dict[str, Any]) -> None:
    assert offsite
    backups.run(machine, "backup")
    newest = backups.ids(machine)[-1]
    folder = f"{backups.BACKUPS}/{newest}"
    assert "is here already" in backups.run(machine, "fetch", newest)[1]
    machine.run(f"rm -rf /root/kept && mv {folder} /root/kept")
    code, said = backups.run(machine, "fetch", newest)
    assert (code, said) == (0, folder)
    assert machine.run(f"diff -r /root/kept {folder} && stat -c %a {folder} {folder}/*").split() == [
        "700",
        *["600"] * 3,
    ]
    assert machine.run(f"ls -A {backups.BACKUPS} | grep fetch || true") == ""
    assert backups.run(machine, "drill")[0] == 0


def test_a_wrong_password_and_a_wrong_key_are_named(machine: Host, offsite: dict[str, Any]) -> None:
    assert "backup_offsite_password is not the password of" in fails(machine, offsite, password="not-for-production-0")
    machine.run(f"rm -f {KEY}.other*; ssh-keygen -q -t ed25519 -N '' -f {KEY}.other")
    other = machine.run(f"cat {KEY}.other")
    assert "does not let the key in backup_offsite_ssh_key in" in fails(machine, offsite, ssh_key=other)


def test_another_host_key_is_refused(machine: Host, vault: Vault, offsite: dict[str, Any]) -> None:
    machine.run(f"rm -f {KEY}.host*; ssh-keygen -q -t ed25519 -N '' -f {KEY}.host")
    other = " ".join(machine.run(f"cat {KEY}.host.pub").split()[:2])
    said = fails(machine, offsite, known_hosts=f"{vault.address} {other}")
    assert "shows another host key than the one in backup_offsite_known_hosts" in said
    assert "has no host key of" in fails(machine, offsite, known_hosts=f"example.org {other}")


def test_one_that_cannot_be_reached_is_caught_up_with(machine: Host, vault: Vault, offsite: dict[str, Any]) -> None:
    path = offsite["repository"].partition("/")[2]
    closed = f"sftp://{vault.user}@{vault.address}:9//{path}"
    assert "cannot be reached" in fails(machine, offsite, "backup", repository=closed)
    assert backups.state(machine)["backup"]["failure"] is None
    newest = backups.ids(machine)[-1]
    assert newest not in there(machine)
    code, said = backups.run(machine, "offsite")
    assert code == 0, said
    assert newest in there(machine)


def test_no_space_there_is_named(machine: Host, vault: Vault, offsite: dict[str, Any]) -> None:
    small = f"{vault.folder}/small"
    # All that is here has room, and then something else takes the rest.
    size = int(machine.run(f"du -sm {backups.BACKUPS}").split()[0]) + 16
    vault.run(f"mkdir -p {small} && mount -t tmpfs -o size={size}M,mode=0777 tmpfs {small}")
    try:
        repository = f"sftp:{vault.user}@{vault.address}:{small}/repo"
        with backups.settings(machine, offsite={**offsite, "repository": repository}):
            code, said = backups.run(machine, "offsite", "--init")
            assert code == 0, said
            vault.run(f"cat /dev/zero > {small}/full || true")
            code, said = backups.run(machine, "backup")
            assert code == 1
            assert "no space is left" in said or "there is no space left in" in said
            vault.run(f"rm {small}/full")
            code, said = backups.run(machine, "offsite")
            assert code == 0, said
            assert backups.ids(machine)[-1] in there(machine)
    finally:
        vault.run(f"umount {small}; rmdir {small}")


def test_one_that_was_killed_does_not_stay_in_the_way(machine: Host, offsite: dict[str, Any]) -> None:
    assert offsite
    newest = backups.make(machine)
    machine.run(
        f"rm -rf /root/big && head -c 200000000 /dev/urandom > /root/big && mv /root/big {backups.BACKUPS}/{newest}/"
    )
    with backups.settings(machine, offsite={**offsite}):
        state = backups.state(machine)
        # As if the newest had never been sent.
        state["offsite"]["success"]["stored"] = []
        machine.run(f"cat > {backups.BACKUPS}/state.json", given=json.dumps(state))
        machine.run(f"nohup {backups.PROGRAM} backup > /root/offsite.out 2>&1 & echo $! > /root/offsite.pid")
        wait_until(lambda: machine.run("pgrep -x restic || true") != "", "restic", 60)
        machine.run("kill -9 $(cat /root/offsite.pid) $(pgrep -x restic)", check=False)
    machine.run(f"rm {backups.BACKUPS}/{newest}/big")
    code, said = backups.run(machine, "offsite")
    assert code == 0, said
    assert backups.ids(machine)[-1] in there(machine)


def test_no_secret_stands_in_a_list_of_processes(machine: Host, offsite: dict[str, Any]) -> None:
    machine.run("rm -f /root/spy.*; cat > /root/spy.py", given=SPY)
    secrets = "\n".join([offsite["password"], offsite["ssh_key"].splitlines()[2]])
    machine.run("cat > /root/spy.in", given=secrets)
    machine.run("nohup python3 /root/spy.py < /root/spy.in > /root/spy.out 2>&1 & true")
    try:
        code, said = backups.run(machine, "backup")
    finally:
        machine.run("touch /root/spy.stop; sleep 0.5; rm -f /root/spy.in")
    assert code == 0, said
    assert machine.run("cat /root/spy.out") == ""
    assert machine.run("ls /run | grep offsite || true") == ""


def test_wrong_settings_are_refused_before_the_host_is_touched(runner: Callable[..., PlaybookRun]) -> None:
    given = {
        "backup_offsite_repository": "sftp://keeper:not-for-production@vault/x",
        "backup_offsite_password": "p" * 12,
    }
    done = runner("deploy", "-e", json.dumps(given))
    assert done.code != 0
    assert "backup_offsite_repository is 'sftp://…@vault/x': give" in done.message
    assert "not-for-production" not in done.output
