# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the other tests stand on: the site serves, and its host reaches the one that keeps files."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Host, Vault

KEY = "/root/vault-key"


def test_the_site_serves(machine: Host) -> None:
    assert machine.serves()


def test_files_go_to_the_vault_by_sftp_and_nothing_else_does(machine: Host, vault: Vault) -> None:
    content = str(uuid.uuid4())
    machine.run(f"rm -f {KEY}*; ssh-keygen -q -t ed25519 -N '' -f {KEY}; printf %s {content} > {KEY}.file")
    machine.run(f"cat > {KEY}.known", given=f"{vault.known_host}\n")
    vault.let_in(machine.run(f"cat {KEY}.pub"))
    login = f"-i {KEY} -o UserKnownHostsFile={KEY}.known -o StrictHostKeyChecking=yes -o BatchMode=yes"
    machine.run(f"sftp {login} -b - {vault.user}@{vault.address}", given=f"put {KEY}.file there\n")
    assert vault.run(f"cat {vault.folder}/there") == content
    assert "root:" not in machine.run(
        f"ssh {login} {vault.user}@{vault.address} cat /etc/passwd < /dev/null", check=False
    )
    machine.run(f"rm -f {KEY}*")
    vault.run(f"rm {vault.folder}/there")
