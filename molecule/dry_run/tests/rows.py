# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rows of the truth table: what is done to a deployed host, or wanted of it, before a dry run and a real one.

Variables and changes of the source stay for the rows that follow; what is done on the host is what the real run repairs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

STACK = "/opt/app"
MIGRATION = '''"""Made for the truth table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("optimization", "{before}")]
    operations = [{operation}]
'''
ADD_TABLE = 'migrations.CreateModel("Truth", [("id", models.BigAutoField(primary_key=True))])'
ADD_NOTE = 'migrations.AddField("Truth", "note", models.TextField(null=True))'
ADD_MORE = 'migrations.AddField("Truth", "more", models.TextField(null=True))'
DROP_NOTE = 'migrations.RemoveField("Truth", "note")'
CONTAINER = (
    "docker ps --all --quiet --filter label=com.docker.compose.project=app --filter label=com.docker.compose.service="
)


@dataclass(frozen=True)
class Row:
    """One mutation, and what is looked at."""

    name: str
    # Roles and modules that this row shows to be truthful: the real run has to change something through them.
    covers: tuple[str, ...]
    playbook: str = "deploy"
    host: str = ""
    variables: dict[str, Any] = field(default_factory=dict)
    # Path in the source -> content that is appended.
    source: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    # Both runs have to refuse it; its variables and its source do not stay.
    refused: bool = False
    # What is done on the host afterwards, where no run repairs it.
    undo: str = ""


def of(service: str, verb: str) -> str:
    """Return the command that does something to the containers of a service."""
    return f"docker {verb} $({CONTAINER}{service})"


def migration(name: str, before: str, operation: str) -> dict[str, str]:
    """Return a migration of the sample project."""
    path = f"optimization/migrations/{name}.py"
    return {path: MIGRATION.replace("{before}", before).replace("{operation}", operation)}


TIMER = "/etc/systemd/system/barehost-app-backup.timer"


def mysql(version: str) -> str:
    """Return the command that makes an image of MySQL that says it is of a version, and is what it is made from."""
    lines = f"FROM mysql:9.7\\nENV MYSQL_VERSION={version}-1.test\\n"
    return f"printf '{lines}' | docker build --quiet --tag mysql:{version} -"


DATA = "/var/lib/docker/volumes/app_mysql/_data"
MARKER = f"{DATA}/.barehost-initialised"
HEALTHY = f"until docker inspect --format '{{{{.State.Health.Status}}}}' $({CONTAINER}mysql) | grep -qx healthy; do sleep 1; done"
ASLEEP = "systemctl stop docker.socket docker.service"
NO_COMPOSE = "dpkg --purge docker-compose"
SERVICE = {"tier": "data", "image": "redis:8-alpine", "networks": ["backend"], "command": ["redis-server"]}
OWN, OPEN = "/etc/barehost/firewall.d/own.nft", "inet barehost open"
# As root inside of the database's container.
SQL = f'docker exec --env MYSQL_PWD="$(cat {STACK}/secrets/mysql_root_password)" app-mysql-1 mysql -uroot -e "{{}}"'
SUPERUSER = {
    "django_superuser_username": "truth",
    "django_superuser_email": "truth@example.com",
    "django_superuser_password": "not-for-production-1",
}

OTHER_SUPERUSER = (
    "-e",
    '{"superuser_username": "other", "superuser_password": "not-for-production-3", "superuser_email": "o@example.com"}',
)

ROWS = (
    # Variables.
    Row("limit of Nginx", ("nginx", "stack", "config_tree", "compose_up"), variables={"nginx_client_max_body_mb": 26}),
    Row("option of MySQL", ("mysql", "release_image"), variables={"mysql_config": {"max_allowed_packet": "32M"}}),
    Row("memory of Redis", ("redis",), variables={"redis_maxmemory_mb": 80}),
    Row("environment of the app", ("django", "release_switch"), variables={"django_env": {"TRUTH": "1"}}),
    Row("processes of the worker", ("celery",), variables={"celery_worker_concurrency": 3}),
    Row("threads of the web process", ("django",), variables={"django_web_threads": 3}),
    Row("level of the log", ("django", "celery"), variables={"django_log_level": "WARNING"}),
    Row("header of Nginx", ("nginx",), variables={"nginx_api_burst": 21}),
    Row("no beat", ("celery", "compose_up"), variables={"celery_beat_enabled": False}),
    Row("beat again", ("celery",), variables={"celery_beat_enabled": True}),
    Row("two workers", ("celery",), variables={"celery_worker_replicas": 2}),
    Row("one worker again", ("celery",), variables={"celery_worker_replicas": 1}),
    Row("memory of the web process", ("django",), variables={"django_memory_mb": 900}),
    Row(
        "powers of the worker",
        ("stack",),
        variables={"stack_service_overrides": {"worker": {"cap_add": ["NET_BIND_SERVICE"]}}},
    ),
    Row("no way out", ("stack", "release_switch", "compose_up"), variables={"stack_outbound": False}),
    Row("a way out again", ("stack",), variables={"stack_outbound": True}),
    # The host.
    Row("edited file of Nginx", ("nginx",), host=f"sed -i 's/26m/27m/' {STACK}/nginx/site.conf"),
    Row("edited settings", ("django",), host=f"echo 'X=1' >> {STACK}/.env"),
    Row("removed file of Redis", ("redis",), host=f"rm {STACK}/redis/redis.conf"),
    Row("mode of a file", ("stack",), host=f"chmod 666 {STACK}/compose.yaml"),
    Row("mode of the directory", ("stack",), host=f"chmod 755 {STACK}"),
    Row("chown of a directory", ("nginx", "stack"), host=f"chown nobody {STACK}/nginx {STACK}/releases"),
    Row("chmod of an undeclared directory", ("mysql",), host=f"chmod 777 {STACK}/mysql/conf.d"),
    Row("owner of a secret", ("stack",), host=f"chown nobody {STACK}/.env"),
    Row("stray file", ("stack",), host=f"touch {STACK}/nginx/stray.conf"),
    Row("stopped worker", ("release_switch",), host=of("worker", "stop")),
    Row("stopped Nginx", ("compose_up",), host=of("nginx", "stop")),
    Row("stopped Redis", ("release_image",), host=of("redis", "stop")),
    Row("stopped web", ("release_switch",), host=of("web", "stop")),
    Row("paused Redis", ("release_image",), host=of("redis", "pause")),
    Row("paused web", ("release_switch",), host=of("web", "pause")),
    Row("paused Nginx", ("compose_up",), host=of("nginx", "pause")),
    Row(
        "paused Nginx, changed worker",
        ("release_switch",),
        host=of("nginx", "pause"),
        variables={"celery_worker_concurrency": 2},
    ),
    Row(
        "paused worker, new release",
        ("release_switch",),
        host=of("worker", "pause"),
        source={"settings/paused.py": "NUMBER = 1\n"},
    ),
    Row(
        "paused Nginx, new release",
        ("release_switch",),
        host=of("nginx", "pause"),
        source={"settings/edge.py": "NUMBER = 1\n"},
    ),
    Row(
        "stopped Nginx, new release",
        ("release_switch",),
        host=of("nginx", "stop"),
        source={"settings/edge.py": "STOPPED = 1\n"},
    ),
    Row(
        "paused database, new release",
        ("release_switch",),
        host=of("mysql", "pause"),
        source={"settings/asleep.py": "NUMBER = 1\n"},
    ),
    Row("removed beat", ("release_switch",), host=of("beat", "rm --force")),
    Row(
        "removed image",
        ("release_image",),
        host=f"docker image rm --force app/app:$(basename $(readlink {STACK}/releases/current) .json)",
    ),
    # Nginx goes on with the folders that it has mounted, and has to be made anew.
    Row("deleted folder of Nginx", ("nginx", "compose_up"), host=f"rm -r {STACK}/nginx"),
    Row("deleted route", ("release_switch",), host=f"rm -r {STACK}/upstream"),
    Row(
        "deleted route, new release",
        ("release_switch",),
        host=f"rm -r {STACK}/upstream",
        source={"settings/route.py": "NUMBER = 1\n"},
    ),
    Row("lost password", ("stack_secrets",), host=f"rm {STACK}/secrets/mysql_password"),
    Row("lost static files", ("django_prepare",), host=f"rm -r {STACK}/static/$(readlink {STACK}/static/current)"),
    Row("damaged override", ("release_switch",), host=f"echo '{{' > {STACK}/compose.override.yaml"),
    Row(
        "file where a later step wants a directory",
        (),
        host=f"mv {STACK}/releases/settings {STACK}/kept && touch {STACK}/releases/settings",
        source={"settings/obstacle.py": "NUMBER = 1\n"},
        refused=True,
        undo=f"rm {STACK}/releases/settings && mv {STACK}/kept {STACK}/releases/settings",
    ),
    Row("another data service", ("release_image",), variables={"stack_extra_services": {"stray": SERVICE}}),
    Row("no other data service", ("compose_up",), variables={"stack_extra_services": {}}),
    # The project.
    Row(
        "new release",
        ("release", "release_apply", "release_image", "release_switch"),
        source={"settings/table.py": "NUMBER = 1\n"},
    ),
    Row("new static file", ("django_prepare",), source={"optimization/static/table.css": "a { color: red }\n"}),
    Row("changed static file", ("django_prepare",), source={"optimization/static/table.css": "b { color: blue }\n"}),
    Row(
        "new migration",
        ("django_migrate", "mysql_dump"),
        source=migration("0002_truth", "0001_initial", ADD_TABLE),
    ),
    Row("another migration", ("django_migrate",), source=migration("0003_note", "0002_truth", ADD_NOTE)),
    Row(
        "stopped database, new migration",
        ("django_migrate",),
        host=of("mysql", "stop"),
        source=migration("0004_more", "0003_note", ADD_MORE),
    ),
    Row("destructive migration", (), source=migration("0005_drop", "0004_more", DROP_NOTE), refused=True),
    Row(
        "paused database, destructive migration",
        (),
        host=of("mysql", "pause"),
        source=migration("0005_drop", "0004_more", DROP_NOTE),
        refused=True,
    ),
    # The data of MySQL.
    Row("unmarked data", ("mysql", "release_image"), host=f"rm {MARKER}"),
    Row(
        "half-initialised data",
        (),
        host=f"{of('mysql', 'stop')} && rm {MARKER} && touch -d 2099-01-01 {DATA}/auto.cnf",
        refused=True,
        undo=f"touch {MARKER} && touch -d 2000-01-01 {DATA}/auto.cnf && {of('mysql', 'start')} && {HEALTHY}",
    ),
    Row("older MySQL", (), host=mysql("8.4.7"), variables={"mysql_image": "mysql:8.4.7"}, refused=True),
    Row("next MySQL", (), host=mysql("26.7.0"), variables={"mysql_image": "mysql:26.7.0"}, refused=True),
    Row(
        "upgrade to an older MySQL",
        (),
        "upgrade_mysql",
        variables={"mysql_image": "mysql:8.4.7"},
        refused=True,
    ),
    Row("upgrade of MySQL", ("mysql_upgrade",), "upgrade_mysql", mysql("9.7.99"), {"mysql_image": "mysql:9.7.99"}),
    Row("MySQL of before", ("mysql", "release_image"), variables={"mysql_image": "mysql:9.7"}),
    Row("build argument", ("release_image",), variables={"django_build_args": {"UNUSED": "2"}}),
    # Accounts.
    Row("superuser", ("django_superuser",), variables=SUPERUSER),
    Row("address of the superuser", ("django_superuser",), variables={"django_superuser_email": "t@example.com"}),
    Row(
        "password of the superuser",
        ("django_superuser",),
        variables={"django_superuser_password": "not-for-production-2"},
    ),
    Row("changed password of the database", ("mysql_accounts",), variables={"mysql_password": "anotherPassword1"}),
    Row("changed password of root", ("mysql_accounts",), variables={"mysql_root_password": "anotherPassword2"}),
    Row("changed password of Redis", ("redis",), variables={"redis_password": "anotherPassword3"}),
    Row(
        "password made anew", ("stack_secrets",), options=("-e", '{"stack_rotate_secrets": ["mysql_backup_password"]}')
    ),
    Row(
        "stopped database, changed password",
        ("mysql_accounts",),
        host=of("mysql", "stop"),
        variables={"mysql_password": "anotherPassword4"},
    ),
    Row("open account of the database", ("mysql_accounts",), host=SQL.format("CREATE USER root@'%'")),
    Row("privilege too many", ("mysql_accounts",), host=SQL.format("GRANT DROP ON app.* TO app@'%'")),
    Row("one account for all", ("mysql_accounts",), variables={"mysql_migration_user": "app"}),
    Row("collation of the database", ("mysql_accounts",), variables={"mysql_collation": "utf8mb4_bin"}),
    # The engine.
    Row("logs of the engine", ("docker_engine",), "site", variables={"docker_engine_log_max_files": 6}),
    Row("edited daemon.json", ("docker_engine",), "site", host="echo '{}' > /etc/docker/daemon.json"),
    Row("engine not enabled", ("docker_engine",), "site", host="systemctl disable docker docker.socket"),
    Row("deploy without an engine", (), host=ASLEEP, refused=True),
    Row("superuser without an engine", (), "superuser", options=OTHER_SUPERUSER, refused=True),
    Row("stopped engine", ("docker_engine",), "site", host=ASLEEP),
    Row("stopped engine, changed configuration", ("nginx",), "site", ASLEEP, {"nginx_api_burst": 22}),
    Row("stopped engine, stopped worker", ("release_switch",), "site", host=f"{of('worker', 'stop')} && {ASLEEP}"),
    Row("no live-restore", ("docker_engine",), "site", variables={"docker_engine_live_restore": False}),
    Row(
        "engine stopped with its containers, changed configuration", ("nginx",), "site", ASLEEP, {"nginx_api_burst": 24}
    ),
    Row("live-restore again", ("docker_engine",), "site", variables={"docker_engine_live_restore": True}),
    Row("deploy without Compose", (), host=NO_COMPOSE, refused=True),
    Row("superuser without Compose", ("django_superuser",), "superuser", options=OTHER_SUPERUSER),
    Row("no Compose", ("docker_engine",), "site", host=NO_COMPOSE),
    Row("no Compose, changed configuration", ("nginx",), "site", NO_COMPOSE, {"nginx_api_burst": 23}),
    # Backups.
    Row("a backup", ("stack_backup",), "backup"),
    Row("a restore", ("stack_restore",), "restore", options=("-e", "restore_from=latest")),
    Row("a restore of nothing", (), "restore", options=("-e", "restore_from=20200101T000000Z"), refused=True),
    Row("how long backups are kept", ("backup",), variables={"backup_keep_days": 20}),
    Row("when a backup is made", ("host_units",), variables={"backup_on_calendar": "*-*-* 04:00:00"}),
    Row("edited timer", ("host_units",), host=f"echo '# x' >> {TIMER}"),
    Row("timer not enabled", ("host_units",), host="systemctl disable --now barehost-app-backup.timer"),
    Row("stopped timer", ("host_units",), host="systemctl stop barehost-app-backup.timer"),
    Row("edited program", ("backup",), host=f"echo '# x' >> {STACK}/backup/barehost-backup"),
    Row("lost settings of backups", ("backup",), host=f"rm {STACK}/backup/settings.json"),
    Row("no backups by themselves", ("backup", "host_units"), variables={"backup_enabled": False}),
    Row("backups again", ("host_units",), variables={"backup_enabled": True}),
    Row("drills by hand alone", ("backup", "host_units"), variables={"backup_drill_enabled": False}),
    Row("memory of a drill", ("backup",), variables={"backup_drill_memory_mb": 900}),
    Row("drills again", ("backup", "host_units"), variables={"backup_drill_enabled": True}),
    Row(
        "off-site without a host key",
        (),
        variables={
            "backup_offsite_repository": "sftp:keeper@vault:/srv/app",
            "backup_offsite_password": "not-for-production-4",
            "backup_offsite_ssh_key": "-",
        },
        refused=True,
    ),
    Row(
        "backup beside a stopped database",
        (),
        "backup",
        host=of("mysql", "stop"),
        refused=True,
        undo=of("mysql", "start"),
    ),
    # The firewall.
    Row(
        "port for one network",
        ("firewall", "host_firewall"),
        "site",
        variables={"firewall_restricted_ports": [{"port": 9100, "sources": ["192.0.2.7"]}]},
    ),
    Row("lost rules", ("host_firewall",), "site", host="nft delete table inet barehost"),
    Row(
        "edited rules",
        ("firewall",),
        "site",
        host="sed -i 's/proto-dst 443 accept/proto-dst 3306 accept/' /etc/barehost/firewall.nft",
    ),
    # Docker's own go with them, and it makes them as it starts.
    Row("rules of everybody flushed", ("docker_engine", "host_firewall"), "site", host="nft flush ruleset"),
    Row("rules not loaded at boot", ("host_firewall",), "site", host="systemctl disable barehost-firewall"),
    Row(
        "rules of the administrator",
        ("firewall",),
        "site",
        host=f"echo 'add rule {OPEN} ip protocol vrrp accept' > {OWN}",
    ),
    Row("rules that are none", (), "site", host=f"echo nonsense > {OWN}", refused=True, undo=f"rm {OWN}"),
    Row("port that is not let in", (), variables={"nginx_http_port": 8099}, refused=True),
    Row("no firewall", ("firewall", "host_firewall"), "site", variables={"firewall_enabled": False}),
    Row("a firewall again", ("firewall", "host_firewall"), "site", variables={"firewall_enabled": True}),
    # TLS.
    Row("lost certificate", ("tls",), host=f"rm {STACK}/tls/self_signed/fullchain.pem"),
    Row("certificate of which nothing is known", ("tls",), host=f"rm {STACK}/tls/self_signed/state.json"),
    Row(
        "another name", ("tls", "nginx"), variables={"nginx_server_names": ["localhost", "127.0.0.1", "truth.example"]}
    ),
    Row("longer HSTS", ("nginx", "django"), variables={"django_hsts_seconds": 7200}),
    Row("authority without its terms", (), variables={"tls_mode": "acme"}, refused=True),
    Row("certificate that is none", (), variables={"tls_mode": "provided", "tls_certificate": "none"}, refused=True),
    Row("no TLS", ("nginx", "django"), variables={"tls_mode": "off", "verify_url": "http://127.0.0.1:8150"}),
    Row(
        "TLS again",
        ("nginx", "django"),
        variables={"tls_mode": "self_signed", "verify_url": "https://localhost:8513"},
    ),
    # The other verbs.
    Row(
        "superuser without an address",
        (),
        "superuser",
        options=("-e", '{"superuser_username": "third", "superuser_password": "not-for-production-3"}'),
        refused=True,
    ),
    Row("rollback", ("release_switch",), "rollback"),
    Row(
        "lock of a dead run",
        ("deploy_lock",),
        "unlock",
        host=f"echo dead > {STACK}/lock/deploy.json",
        options=("-e", "unlock_force=true"),
    ),
    Row("take down", ("stack",), "uninstall"),
)
# What changes nothing, whatever is wanted of it.
LOOKS_ONLY = {
    # molecule/edge has one, and runs it dry and for real.
    "acme_certificate": "asks an authority, and there is none here",
    "config_restore": "puts back what a real run has replaced",
    "preflight": "refuses, or lets go on",
    "verify": "asks the site",
    "http_probe": "asks the site",
    "port_probe": "asks the host",
    "input_check": "reads variables",
    "release_rollback": "reads records",
    "restore_drill": "reads a backup; its server is gone when it ends, and only what has become of it is noted",
    "stack_info": "reads the host",
    "status_report": "prints what others have read",
}
