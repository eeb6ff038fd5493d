# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The password of Redis: one, and two while a deploy replaces it.

Redis reads its user from a file of hashes at its start, and is told of a change while it runs. So nothing is restarted for a
new password, and what restarts in the middle takes both as well. Who is logged in stays so.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _credentials, _files, _mysql_text

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from ansible_collections.barehost.django.plugins.module_utils._credentials import Host

HASH = re.compile(r"#([0-9a-f]{64})\b")
HEAD = "# Managed by barehost.django: the passwords that Redis takes, as hashes. Read at its start.\n"
FILE_MODE = 0o400
POLL_SECONDS = 0.5


def hash_of(password: str) -> str:
    """Return what Redis keeps of a password."""
    return hashlib.sha256(password.encode()).hexdigest()


def file_text(hashes: list[str]) -> str:
    """Return the file that lets in whoever has one of these passwords."""
    return f"{HEAD}user default on {' '.join(f'#{one}' for one in hashes)} ~* &* +@all\n"


def redis_cmd(container: str) -> list[str]:
    """Return the argv of a client that takes its commands from its input, so that no password stands on a command line."""
    return ["docker", "exec", "--interactive", container, "redis-cli"]


def commands(passwords: list[str], hashes: list[str]) -> str:
    """Return what a client is told: who it is, by whichever password the server knows, and which ones it is to take."""
    logins = [f"AUTH default {_mysql_text.redis_string(password)}" for password in reversed(passwords)]
    taken = " ".join(f"#{one}" for one in hashes)
    return "\n".join([*logins, f"ACL SETUSER default on resetpass {taken}", "ACL GETUSER default", ""])


def said(found: list[str], wanted: str, *, new: bool) -> list[str]:
    """Say what is done to the passwords that a server takes."""
    if found[:1] != [wanted]:
        return ["password of Redis: new" if new else "password of Redis: kept as a hash"]
    return ["password of Redis: old one discarded"] if len(found) > 1 else []


@dataclass
class RedisUsers:
    """One server, what is wanted of it, and what was done."""

    host: Host
    params: dict[str, Any]
    texts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The file that the server reads."""
        return self.host.root / str(self.params["file"])

    def hashes(self) -> list[str]:
        """Return those that the file has."""
        return HASH.findall(_credentials.text_of(self.path) or "")

    def wanted(self) -> str:
        """Return the hash of the password."""
        password = self.host.secret(self.params["secret"])
        if password is None:
            raise _credentials.AccountsError(f"{self.params['secret']} is missing on the host: deploy the stack")
        return hash_of(password)

    def unfinished(self) -> bool:
        """Whether a run has begun with it and none has ended it."""
        return self.params["service"] in _credentials.noted(self.host.root)

    def write(self, hashes: list[str]) -> None:
        """Write the file."""
        self.path.parent.mkdir(mode=0o755, exist_ok=True)
        owner = (int(self.params["owner"]),) * 2 if os.geteuid() == 0 else None
        _files.replace(self.path, file_text(hashes), FILE_MODE, owner)
        _files.sync(self.path.parent)

    def prepare(self) -> None:
        """Have the file that a server which is started reads, with the password of before where something may still use it."""
        wanted, found = self.wanted(), self.hashes()
        before = self.host.earlier(self.params["secret"])
        kept = found if found[:1] == [wanted] else [*found, *([hash_of(before)] if before else [])]
        hashes = list(dict.fromkeys([wanted, *kept]))
        if len(hashes) > 1:
            _credentials.note(self.host.root, self.params, self.host.project)
        if hashes != found:
            self.write(hashes)
        self.texts += said(found, wanted, new=bool(kept))

    def converge(self, container: str) -> None:
        """Have a server that runs take what its file says."""
        if self.host.check:
            self.foresee()
        elif self.unfinished():
            self.tell(container, self.hashes())

    def tell(self, container: str, hashes: list[str]) -> None:
        """Have a server take these passwords and no others."""
        passwords = self.host.either(self.params["secret"])
        code, out, err = self.host.run(redis_cmd(container), commands(passwords, hashes))
        if code != 0 or not all(one in out for one in hashes):
            last = ([line for line in (err or out).splitlines() if line.strip()] or ["nothing"])[-1]
            said = self.host.masked(last, passwords)[:300]
            raise _credentials.AccountsError(f"Redis does not take its password: it said {said}")

    def foresee(self) -> None:
        """Say what a real run does."""
        found = self.hashes()
        changing = self.params["secret"] in self.host.changing
        new = bool(found) or self.host.earlier(self.params["secret"]) is not None
        self.texts += said(found, "" if changing else self.wanted(), new=new)

    def answers(self, container: str) -> bool:
        """Whether the server listens to anybody yet; it does not let in whoever has no password."""
        code, out, err = self.host.run([*redis_cmd(container), "ping"], "")
        return code == 0 and ("NOAUTH" in out + err or "PONG" in out)

    def await_and_converge(self, container: str, stopped: threading.Event) -> bool:
        """Do it as soon as the server answers; say whether it was done."""
        while not stopped.is_set():
            if not self.unfinished() or self.answers(container):
                self.converge(container)
                return True
            time.sleep(POLL_SECONDS)
        return False

    def finish(self, container: str) -> list[str]:
        """Have it take the new password alone, now that nothing uses the old one; return what was done."""
        wanted = self.wanted()
        if self.hashes() == [wanted]:
            return []
        self.tell(container, [wanted])
        self.write([wanted])
        return ["password of Redis: old one discarded"]
