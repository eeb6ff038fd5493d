# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bringing the accounts of the MySQL server of a stack to what they should be, over the socket inside its container."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _accounts,
    _accounts_seen,
    _credentials,
    _dump,
    _mysql_text,
)

if TYPE_CHECKING:
    from ansible_collections.barehost.django.plugins.module_utils._credentials import Host

SECONDS = 60
POLL_SECONDS = 0.5
# What a client says where the password is not the right one.
DENIED = "ERROR 1045"
# The first line of the input is the password as an option file has it, the rest are statements. So neither stands on a command
# line or in an environment; `read` and `printf` are parts of the shell, and the pipe is the client's fourth file.
AS_ROOT = 'IFS= read -r secret && { printf \'[client]\\nuser=root\\npassword=%s\\n\' "$secret" | "$@" 4<&0 <&3; } 3<&0'
CLIENT = (
    "mysql",
    "--defaults-extra-file=/dev/fd/4",
    "--default-character-set=utf8mb4",
    "--batch",
    "--raw",
    "--skip-column-names",
)


def as_root_cmd(container: str, seconds: int = SECONDS) -> list[str]:
    """Return the argv that runs what comes on its input as root; the limit is inside, since it outlives a `docker exec`."""
    limited = ["timeout", f"--kill-after={_dump.KILL_AFTER}", str(seconds), *CLIENT]
    return ["docker", "exec", "--interactive", container, "sh", "-c", AS_ROOT, "sh", *limited]


@dataclass
class MysqlAccounts:
    """One server, what is wanted of it, and what was done."""

    host: Host
    params: dict[str, Any]
    texts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read what is wanted."""
        try:
            self.wish = _accounts.Wish.read(self.params)
        except ValueError as error:
            raise _credentials.AccountsError(str(error)) from None

    @property
    def root_secret(self) -> str:
        """The secret that root logs in with."""
        return next(account.secret for account in self.wish.accounts if account.kind == "root")

    def prepare(self) -> None:
        """Nothing of it lies in a file that the server reads."""

    def call(self, container: str, statements: str) -> str:
        """Run statements as root; with the password of before, where the server does not know the new one yet."""
        said = "there is no password of root in its file"
        for password in self.host.either(self.root_secret):
            data = f"{_mysql_text.option(password)}\n{statements}"
            code, out, err = self.host.run(as_root_cmd(container), data)
            if code == 0:
                return out
            said = self.masked(err or out)
            if DENIED not in said:
                break
        raise _credentials.AccountsError(f"MySQL: {said}")

    def masked(self, text: str) -> str:
        """Return what went wrong in one line, without the passwords."""
        values = [value for account in self.wish.accounts for value in self.host.either(account.secret)]
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        last = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "it said nothing")
        literals = [_mysql_text.literal(value)[1:-1] for value in values]
        return self.host.masked(last, [*values, *literals])[:500]

    def seen(self, container: str) -> _accounts_seen.Seen:
        """Ask the server."""
        keys = [account.key for account in self.wish.accounts]
        try:
            return _accounts_seen.read(self.call(container, _accounts_seen.question(self.wish.database, keys)))
        except ValueError as error:
            raise _credentials.AccountsError(f"MySQL's answer cannot be read: {error}") from None

    def plan(self, seen: _accounts_seen.Seen) -> _accounts.Plan:
        """Compare."""
        names = {account.secret for account in self.wish.accounts}
        passwords = {name: value for name in names if (value := self.host.secret(name)) is not None}
        earlier = {name: value for name in names if (value := self.host.earlier(name)) is not None}
        lost = sorted(names - set(passwords) - set(self.host.changing))
        if lost and not self.host.check:
            raise _credentials.AccountsError(
                f"{self.host.root / _credentials.FOLDER / lost[0]} is missing: deploy the stack"
            )
        known = _accounts.Passwords(passwords, earlier, self.host.changing)
        return _accounts.plan(self.wish, seen, known)

    def converge(self, container: str) -> None:
        """Do what is to be done at once, and note what is not."""
        if self.host.check:
            self.compare(container)
            return
        plan = self.plan(self.seen(container))
        self.warnings = plan.warnings
        self.texts += plan.texts
        if plan.later and self.wish.whole:
            _credentials.note(self.host.root, self.params, self.host.project)
        if plan.now:
            self.execute(container, plan.now)
            again = self.plan(self.seen(container))
            if again.now:
                raise _credentials.AccountsError(
                    f"MySQL has taken the statements and is not as it should be: {'; '.join(again.texts)}"
                )
        if self.wish.whole:
            _credentials.save(self.host.root / _credentials.RECORD, self.wish.described())

    def compare(self, container: str) -> None:
        """Say what a real run would do; it waits for a server that does not answer yet."""
        try:
            plan = self.plan(self.seen(container))
        except _credentials.AccountsError as error:
            if DENIED in str(error):
                raise
            self.foresee()
        else:
            self.warnings = plan.warnings
            self.texts += plan.texts

    def execute(self, container: str, steps: list[_accounts.Step]) -> None:
        """Run the statements of some steps."""
        self.call(container, _accounts_seen.SESSION + "".join(f"{step.sql};\n" for step in steps))

    def foresee(self) -> None:
        """Say what will have to be done to a server that does not answer in this dry run."""
        recorded = _credentials.load(self.host.root / _credentials.RECORD)
        self.texts += _accounts.foresee(self.wish, recorded, self.host.changing)

    def answers(self, container: str) -> bool:
        """Whether the server itself answers, and not the one of its first initialisation."""
        try:
            return self.seen(container).ready
        except _credentials.AccountsError:
            return False

    def await_and_converge(self, container: str, stopped: Any) -> bool:  # noqa: ANN401 - an event
        """Do it as soon as the server answers; say whether it was done.

        Its healthcheck logs in with a password that it may only have after this.
        """
        while not stopped.is_set():
            if self.answers(container):
                self.converge(container)
                return True
            time.sleep(POLL_SECONDS)
        return False

    def finish(self, container: str) -> list[str]:
        """Take away what is not wanted any more, now that nothing uses it; return what was done."""
        plan = self.plan(self.seen(container))
        if plan.now:
            raise _credentials.AccountsError(
                f"not all accounts of MySQL are as they should be: {'; '.join(plan.texts)}"
            )
        if plan.later:
            self.execute(container, plan.later)
        return plan.texts
