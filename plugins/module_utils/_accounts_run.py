# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The accounts of all servers of a stack, as a deploy comes to them: with the services up, and at its good end."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.barehost.django.plugins.module_utils import (
    _compose,
    _credentials,
    _dump,
    _mysql_accounts,
    _redis_users,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible.module_utils.basic import AnsibleModule

Server = Union[_mysql_accounts.MysqlAccounts, _redis_users.RedisUsers]

ACCOUNT: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "host": {"type": "str", "default": "%"},
    # The name of a file.
    "secret": {"type": "str", "required": True, "no_log": False},
    "kind": {"type": "str", "choices": ["runtime", "migration", "backup", "root", "extra"], "default": "extra"},
    "privileges": {"type": "list", "elements": "str", "default": []},
    "global_privileges": {"type": "list", "elements": "str", "default": []},
}
MYSQL: dict[str, Any] = {
    "database": {"type": "str", "required": True},
    "charset": {"type": "str", "default": "utf8mb4"},
    "collation": {"type": "str", "default": "utf8mb4_unicode_ci"},
    "accounts": {"type": "list", "elements": "dict", "options": ACCOUNT, "required": True},
    # Whether these are all accounts of the stack, so that others of its own are left over.
    "whole": {"type": "bool", "default": True},
}
REDIS: dict[str, Any] = {
    "file": {"type": "str", "required": True},
    "owner": {"type": "int", "default": 999},
    "secret": {"type": "str", "required": True, "no_log": False},
}
KINDS: dict[str, tuple[dict[str, Any], Any]] = {
    "mysql": (MYSQL, _mysql_accounts.MysqlAccounts),
    "redis": (REDIS, _redis_users.RedisUsers),
}
NAMES = {"kind": {"type": "str", "required": True}, "service": {"type": "str", "required": True}}
# What a container has been begun with that is started.
BEGUN = ("create", "recreate", "start")


def server_of(host: _credentials.Host, wish: Mapping[str, Any]) -> Server:
    """Read what is wanted of one server."""
    kind = str(wish.get("kind"))
    if kind not in KINDS:
        raise _credentials.AccountsError(f"accounts of kind {kind!r}: known are {', '.join(KINDS)}")
    options, make = KINDS[kind]
    found = ArgumentSpecValidator({**NAMES, **options}).validate(dict(wish))
    if found.error_messages:
        raise _credentials.AccountsError(f"accounts of {kind}: {'; '.join(found.error_messages)}")
    server: Server = make(host, found.validated_parameters)
    return server


class Accounts:
    """The servers whose accounts one call sees to."""

    def __init__(self, module: AnsibleModule, root: str, project: str, wish: Mapping[str, Any] | None) -> None:
        """Take what is wanted: a wish for each server, and the names of the secrets that only a real run replaces."""
        wish = wish or {}
        self.host = _credentials.Host(
            lambda argv, data: module.run_command(argv, data=data),
            Path(root),
            project,
            module.check_mode,
            tuple(wish.get("changing", ())) if module.check_mode else (),
        )
        self.warn = module.warn
        self.servers = {str(item.get("service")): server_of(self.host, item) for item in wish.get("servers", [])}
        self.done: set[str] = set()

    @property
    def texts(self) -> list[str]:
        """What was done, or would be."""
        return [text for server in self.servers.values() for text in server.texts]

    def prepare(self) -> None:
        """Have what the servers read at their start."""
        if not self.host.check:
            for server in self.servers.values():
                server.prepare()

    def converge(
        self,
        containers: Sequence[_compose.Container],
        services: Sequence[str] | None = None,
        *,
        healthy: bool = False,
    ) -> None:
        """See to those servers that run, and that have not been seen to; one that does not answer yet has to be waited for.

        It may be called unhealthy only because its healthcheck has a password already that it does not know yet, so it is asked
        itself, unless it is known to be healthy. In a dry run one without a process is one that comes up with the engine.
        """
        running = {c.service: c for c in containers if c.running and (c.pid or not self.host.check)}
        for name, server in self.servers.items():
            if name in self.done or (services is not None and name not in services):
                continue
            there = running.get(name)
            if there and (healthy or there.ready or self.host.check or server.answers(there.id)):
                server.converge(there.id)
                self._told(name)
            elif not there and self.host.check:
                server.foresee()
                self._told(name)

    def finish(self, containers: Sequence[_compose.Container]) -> None:
        """Take the old ones of two passwords away."""
        for container in containers:
            if container.service in self.servers and container.running:
                self.servers[container.service].finish(container.id)

    def _told(self, name: str) -> None:
        self.done.add(name)
        for text in self.servers[name].warnings:
            self.warn(text)

    @contextlib.contextmanager
    def meanwhile(self, containers: Sequence[_compose.Container]) -> Iterator[None]:
        """See to servers that have just been started, while somebody waits for them: their health may depend on it."""
        running = {c.service: c.id for c in containers if c.running}
        names = [name for name in self.servers if name in running and name not in self.done]
        stopped = threading.Event()
        if not names:
            yield
            return
        with ThreadPoolExecutor(len(names)) as pool:
            tries = [pool.submit(self.servers[name].await_and_converge, running[name], stopped) for name in names]
            try:
                yield
            finally:
                stopped.set()
                # Why they cannot be had is the reason of what was waited for in vain, and so comes first.
                for name, attempt in zip(names, tries):
                    if attempt.result():
                        self._told(name)


def finish(module: AnsibleModule, root: str) -> list[str]:
    """Take away what only a deploy on its way needs, now that it has come to its good end; return what was done.

    Nothing, and no command at all, where nothing was noted. What cannot be done now is left to the next run, with a warning.
    """
    note = _credentials.load(Path(root) / _credentials.NOTE)
    if not note:
        return []
    host = _credentials.Host(
        lambda argv, data: module.run_command(argv, data=data), Path(root), str(note.get("project"))
    )
    texts: list[str] = []
    try:
        for wish in note["wishes"].values():
            server = server_of(host, wish)
            texts += server.finish(running(host, str(wish["service"])))
    except (_credentials.AccountsError, OSError, KeyError, AttributeError) as error:
        module.warn(f"an old password is still taken beside the new one, until the next deploy: {error}")
        return texts
    _credentials.forget(Path(root))
    return texts


def running(host: _credentials.Host, service: str) -> str:
    """Return the container of a service, which has to run."""
    code, out, _ = host.run(_dump.container_cmd(host.project, service), None)
    found = out.split() if code == 0 else []
    if not found:
        raise _credentials.AccountsError(f"{service} does not run")
    return found[0]
