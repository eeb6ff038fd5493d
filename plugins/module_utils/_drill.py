# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore drill asks, and how it judges the answers: commands, SQL and comparisons.

The server of a drill has no network, an empty data directory on a volume of its own and no password for root, whom nobody
reaches but through the engine. It ends by itself where nobody is left to end it.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _backup_source, _box, _mysql_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.barehost.django.plugins.module_utils._manifest import Manifest

# Whose drill a container or a volume is of: the stack's directory.
LABEL = "barehost.django.drill"
DATA = "/var/lib/mysql"
CONFIG = "/etc/mysql/conf.d"
# The image's own. What it needs to write beside its data: its socket, in memory, and what is sorted, on the disk.
USER = "mysql"
SOCKET, TEMPORARY = "/var/run/mysqld", "/tmp"  # noqa: S108 - in a container, where only this server is
NAME = re.compile(r"[a-z0-9_]+")
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
LOOPBACK = "127.0.0.1"
# How much longer the server lives than the drill may take.
OUTLIVES_SECONDS = 120
KILL_AFTER = 10
# Beside the data: redo and undo logs, system tables, temporary files.
LEAST_BYTES = 1 << 30
# What rows take on the disk against their text: indexes, pages that are not full.
GROWTH = 2.0
# A server that starts with fewer does not do much else.
LEAST = {"memory_mb": 512, "timeout_seconds": 60, "max_age_days": 1}
LEAST_CPUS = 0.1
BUFFER_SHARE = 4
SHOWN = 3


class DrillError(Exception):
    """A backup that does not come back, or a drill that cannot be done; says why in one line."""


@dataclass(frozen=True)
class Wish:
    """The section `drill` of settings.json."""

    user: str  # the app's account, as in its settings
    secret: str  # the file below `secrets/` with its password
    host: str = "mysql"  # the name that the app has for its database
    service: str = "web"  # whose image asks
    settings_module: str = ""
    python: str = "python"
    app_database: str = "default"  # alias in Django's DATABASES
    memory_mb: int = 1024
    cpus: float = 0.5
    timeout_seconds: int = 14400
    scheduled: bool = False  # whether a timer drills; `status` asks for it then
    max_age_days: int = 35

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Wish:
        """Check the section; raise DrillError where it cannot be."""
        unknown = sorted(set(found) - {item.name for item in fields(cls)})
        if unknown:
            raise DrillError(f"the settings of the drill hold what this program does not know: {', '.join(unknown)}")
        try:
            wish = cls(**found)
        except TypeError:
            raise DrillError("the settings of the drill name no account of the app: deploy again") from None
        problem = wish.flaw()
        if problem:
            raise DrillError(f"the settings of the drill: {problem}")
        return wish

    def flaw(self) -> str:
        """Say what of it cannot be; empty where nothing is."""
        if not self.user or not HOST.fullmatch(self.host):
            return f"user is {self.user!r} and host is {self.host!r}, and both have to be names"
        for name, lowest in LEAST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
                return f"{name} is {value!r}, and has to be a whole number from {lowest} on"
        if not isinstance(self.cpus, (int, float)) or self.cpus < LEAST_CPUS:
            return f"cpus is {self.cpus!r}, and has to be a number from {LEAST_CPUS} on"
        return ""


@dataclass(frozen=True)
class Server:
    """The throw-away server."""

    name: str
    stack_dir: str
    image: str
    entrypoint: Sequence[str]
    hosts: Iterable[str]
    config: str  # directory with the stack's configuration of MySQL; empty for none
    memory_mb: int
    cpus: float
    seconds: int


def new_name(stack: str) -> str:
    """Return a name for the containers of one drill."""
    return f"barehost-drill-{stack}-{secrets.token_hex(4)}"


def options(memory_mb: int) -> list[str]:
    """Return the options of a server that only has to read a dump once, after those of its configuration."""
    return [
        f"--innodb-buffer-pool-size={memory_mb // BUFFER_SHARE}M",
        # Events of the app would change the rows before they are counted.
        "--event-scheduler=OFF",
        "--skip-log-bin",
        "--performance-schema=OFF",
        # Nobody needs what is left after a crash.
        "--innodb-doublewrite=OFF",
        "--max-allowed-packet=1G",
        "--mysqlx=OFF",
    ]


def server_cmd(server: Server) -> list[str]:
    """Return the argv that runs the server until it is removed, or its time is over; its volume goes with it."""
    label = f"{LABEL}={server.stack_dir}"
    argv = ["docker", "run", "--rm", "--init", "--name", server.name, "--label", label, "--pull", "never"]
    argv += ["--network", "none", "--user", USER, *_box.BARE, f"--tmpfs={_box.tmpfs(SOCKET, 16)}"]
    for host in sorted(set(server.hosts)):
        argv += ["--add-host", f"{host}:{LOOPBACK}"]
    limit = f"{server.memory_mb}m"
    # What serves goes first: shares count only where somebody else wants the processor, too.
    argv += ["--memory", limit, "--memory-swap", limit, "--cpus", f"{server.cpus:g}", "--cpu-shares", "128"]
    argv += ["--pids-limit", "1024", "--env", "MYSQL_ALLOW_EMPTY_PASSWORD=yes", "--env", "MYSQL_ROOT_HOST=localhost"]
    argv += [
        word
        for target in (DATA, TEMPORARY)
        for word in ("--mount", f"type=volume,target={target},volume-label={label}")
    ]
    if server.config:
        argv += ["--mount", f"type=bind,source={server.config},target={CONFIG},readonly"]
    limited = [f"--kill-after={KILL_AFTER}", str(server.seconds + OUTLIVES_SECONDS), *server.entrypoint, "mysqld"]
    return [*argv, "--entrypoint", "timeout", server.image, *limited, *options(server.memory_mb)]


def ready_cmd(name: str) -> list[str]:
    """Return the argv that ends with 0 once the server answers over TCP, which the one of its first start does not do."""
    return ["docker", "exec", name, "mysqladmin", "--protocol=tcp", f"--host={LOOPBACK}", "--silent", "ping"]


def client_cmd(name: str, database: str = "") -> list[str]:
    """Return the argv that carries out the SQL on its input, as it comes, and stops at the first error."""
    client = ["mysql", "--user=root", "--batch", "--raw", "--skip-column-names", "--binary-mode"]
    client += ["--default-character-set=utf8mb4", "--max-allowed-packet=1G"]
    return ["docker", "exec", "--interactive", name, *client, *([f"--database={database}"] if database else [])]


def container_image_cmd(container: str) -> list[str]:
    """Return the argv that names the very image that a container was made from."""
    return ["docker", "container", "inspect", "--format", "{{.Image}}", container]


def entrypoint_cmd(image: str) -> list[str]:
    """Return the argv that prints the entrypoint of an image; it fails where the image is not there."""
    return ["docker", "image", "inspect", "--format", "{{json .Config.Entrypoint}}", image]


def root_dir_cmd() -> list[str]:
    """Return the argv that says where the engine keeps volumes."""
    return ["docker", "info", "--format", "{{.DockerRootDir}}"]


def listing_cmds(stack_dir: str) -> tuple[list[str], list[str]]:
    """Return the argvs that list the containers and the volumes of drills of a stack."""
    wanted = ["--quiet", "--filter", f"label={LABEL}={stack_dir}"]
    return ["docker", "ps", "--all", "--no-trunc", *wanted], ["docker", "volume", "ls", *wanted]


def needed(manifest: Manifest) -> int:
    """Return the bytes that must be free where the engine keeps volumes."""
    return LEAST_BYTES + int(GROWTH * max(int(item.get("plain_bytes") or 0) for item in _dump_of(manifest)))


def _dump_of(manifest: Manifest) -> list[Mapping[str, Any]]:
    return [entry for name, entry in manifest.files.items() if name.startswith("database.")]


def setup_sql(manifest: Manifest, user: str, password: str) -> str:
    """Return the SQL that makes the schema and lets the app in."""
    charset, collation = manifest.mysql["charset"], manifest.mysql["collation"]
    if not NAME.fullmatch(charset) or not NAME.fullmatch(collation):
        raise DrillError(
            f"the manifest has the character set {charset!r} and the collation {collation!r}, which are none"
        )
    database, account = manifest.mysql["database"], f"{_mysql_text.literal(user)}@'%'"
    return (
        "ALTER INSTANCE DISABLE INNODB REDO_LOG;\n"
        f"CREATE DATABASE {_mysql_text.identifier(database)} CHARACTER SET {charset} COLLATE {collation};\n"
        f"CREATE USER {account} IDENTIFIED BY {_mysql_text.literal(password)};\n"
        f"GRANT ALL PRIVILEGES ON {_mysql_text.grant_pattern(database)}.* TO {account};\n"
    )


def counts_sql(tables: Iterable[str]) -> str:
    """Return the SQL that counts the rows of each table, a line each."""
    return "".join(
        f"SELECT JSON_ARRAY({_mysql_text.literal(name)}, COUNT(*)) FROM {_mysql_text.identifier(name)};\n"  # noqa: S608
        for name in tables
    )


def parse_counts(text: str) -> dict[str, int]:
    """Read the answer to the SQL that counts."""
    try:
        return {str(name): int(rows) for name, rows in map(json.loads, text.splitlines())}
    except (ValueError, TypeError):
        raise DrillError(f"the throw-away server counted what is no number: {text.strip()[:200]!r}") from None


def facts_sql(database: str) -> str:
    """Return the SQL for everything that the manifest says of the schema beside its rows."""
    return f"{_backup_source.facts_query(database)};\n"


def migrations_sql(database: str) -> str:
    """Return the SQL for the migrations that are applied."""
    return f"{_backup_source.migrations_query(database)};\n"


def differences(manifest: Manifest, facts: _backup_source.Facts, rows: Mapping[str, int]) -> list[str]:
    """Say what has not come back as the manifest has it."""
    there, wanted = set(facts.tables), set(manifest.tables)
    found = [f"table {name} is missing" for name in sorted(wanted - there)]
    found += [f"table {name} is in no manifest" for name in sorted(there - wanted)]
    found += [
        f"table {name} has {rows.get(name, 0)} rows and the manifest says {number}"
        for name, number in sorted(manifest.tables.items())
        if name in there and rows.get(name) != number
    ]
    found += [
        f"there are {facts.objects.get(kind, 0)} {kind} and the manifest says {number}"
        for kind, number in sorted(manifest.objects.items())
        if facts.objects.get(kind, 0) != number
    ]
    return found


def migration_differences(manifest: Manifest, applied: Iterable[Sequence[str]]) -> list[str]:
    """Say which migrations have not come back as the manifest has them."""
    there, wanted = ({f"{app}.{name}" for app, name in group} for group in (applied, manifest.migrations))
    found = [f"migration {name} is not applied and the manifest says it is" for name in sorted(wanted - there)]
    return found + [
        f"migration {name} is applied and the manifest says nothing of it" for name in sorted(there - wanted)
    ]


def summary(problems: Sequence[str]) -> str:
    """Return problems in one line."""
    more = f", and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return "; ".join(problems[:SHOWN]) + more
