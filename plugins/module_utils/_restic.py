# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Command lines of restic, its environment, and what its answers mean. Options that 0.14 and 0.18 both know.

No secret stands on a command line or in an environment: restic gets the names of files.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _manifest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

TAG = "barehost"
STACK_ID, STACK, BACKUP = "stack-id=", "stack=", "backup="
PASSWORD, KEY, KNOWN_HOSTS, CREDENTIALS = "password", "key", "known_hosts", "credentials"
CONNECT_SECONDS = 20
LOCKED, WRONG_PASSWORD = 11, 12
WORD = r"[A-Za-z0-9][A-Za-z0-9._-]*"
SFTP = re.compile(
    rf"sftp:(?://)?(?P<user>{WORD})@(?P<host>{WORD}|\[[0-9a-fA-F:]+\])(?::(?P<port>\d+))?(?P<path>[:/][^\s'\"\\]+)"
)
S3 = re.compile(rf"s3:(?:https?://)?{WORD}(?::\d+)?/[^\s@?#]+")
NOT_WANTED = (
    "backups of this stack stay on this host alone: set backup_offsite_repository (and what goes with it, see docs/backups.md), "
    "then run the site playbook"
)
LEAST = {
    "keep_daily": 0,
    "keep_weekly": 0,
    "keep_monthly": 0,
    "check_days": 1,
    "check_percent": 1,
    "timeout_seconds": 60,
}
SNAPSHOT = re.compile(r"[0-9a-f]{8,64}")


class OffsiteError(Exception):
    """What went wrong on the way to the other place, in one line."""


@dataclass(frozen=True)
class Wish:
    """The section `offsite` of settings.json, which holds secrets."""

    repository: str
    password: str = field(repr=False)
    ssh_key: str = field(default="", repr=False)
    known_hosts: str = ""
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    region: str = ""
    keep_daily: int = 7
    keep_weekly: int = 5
    keep_monthly: int = 12
    check_days: int = 7
    check_percent: int = 5
    timeout_seconds: int = 21600

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Wish:
        """Check the section; raise OffsiteError where it cannot be."""
        if not found:
            raise OffsiteError(NOT_WANTED)
        unknown = sorted(set(found) - {item.name for item in fields(cls)})
        if unknown:
            raise OffsiteError(f"the settings for off-site hold what this program does not know: {', '.join(unknown)}")
        try:
            wish = cls(**found)
        except TypeError:
            raise OffsiteError("the settings for off-site name no repository or no password: deploy again") from None
        problem = wish.flaw()
        if problem:
            raise OffsiteError(problem)
        return wish

    def flaw(self) -> str:
        """Say what of it cannot be; empty where nothing is."""
        sftp = SFTP.fullmatch(self.repository)
        if not sftp and not S3.fullmatch(self.repository):
            return (
                f"backup_offsite_repository is {shown(self.repository)!r}: give sftp:user@host:/path, sftp://user@host:port//path or "
                "s3:https://host/bucket"
            )
        if not self.password:
            return "backup_offsite_password is empty: give one, and keep a copy elsewhere; without it nothing can be read back"
        if sftp and not (self.ssh_key.strip() and self.known_hosts.strip()):
            return "SFTP needs backup_offsite_ssh_key and backup_offsite_known_hosts (a line of `ssh-keyscan`, once you have checked it)"
        if not sftp and not (self.access_key_id and self.secret_access_key):
            return "S3 needs backup_offsite_access_key_id and backup_offsite_secret_access_key"
        for name, lowest in LEAST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
                return f"backup_offsite_{name} is {value!r}, and has to be a whole number from {lowest} on"
        return ""

    @property
    def is_sftp(self) -> bool:
        """Whether files go there over SSH."""
        return self.repository.startswith("sftp:")

    @property
    def files(self) -> dict[str, str]:
        """Return the files that restic and SSH read, name to content."""
        texts = {PASSWORD: self.password + "\n"}
        if self.is_sftp:
            # A key without a line break at its end is none to OpenSSH.
            texts |= {KEY: self.ssh_key.strip() + "\n", KNOWN_HOSTS: self.known_hosts.strip() + "\n"}
        else:
            keys = f"aws_access_key_id = {self.access_key_id}\naws_secret_access_key = {self.secret_access_key}\n"
            texts[CREDENTIALS] = f"[default]\n{keys}"
        return texts


def shown(repository: str) -> str:
    """Return an address without a login that somebody has written into it."""
    return re.sub(r"//[^/]*@", "//…@", repository)


@dataclass(frozen=True)
class Snapshot:
    """A backup as it lies in the repository."""

    id: str
    time: str
    host: str
    stack: str
    stack_id: str
    backup: str


def environment(wish: Wish, folder: str, cache: str) -> dict[str, str]:
    """Return the whole environment of restic; folder holds the files of the wish."""
    found = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": folder,
        "LC_ALL": "C",
        # Times of snapshots are given and printed in it.
        "TZ": "UTC",
        "RESTIC_REPOSITORY": wish.repository,
        "RESTIC_PASSWORD_FILE": f"{folder}/{PASSWORD}",
        "RESTIC_CACHE_DIR": cache,
    }
    if not wish.is_sftp:
        found["AWS_SHARED_CREDENTIALS_FILE"] = f"{folder}/{CREDENTIALS}"
    if wish.region:
        found["AWS_DEFAULT_REGION"] = wish.region
    return found


def ssh_cmd(wish: Wish, folder: str) -> list[str]:
    """Return the argv that opens SFTP: with this key alone, to that host key alone, and nothing of root's own configuration."""
    match = SFTP.fullmatch(wish.repository)
    if match is None:
        raise OffsiteError("no SFTP repository")
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f"{folder}/{KNOWN_HOSTS}",
        "GlobalKnownHostsFile": "/dev/null",
        "IdentitiesOnly": "yes",
        "IdentityFile": f"{folder}/{KEY}",
        "ConnectTimeout": str(CONNECT_SECONDS),
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "4",
        "Port": match["port"] or "22",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return ["ssh", "-F", "/dev/null", *words, f"{match['user']}@{match['host'].strip('[]')}", "-s", "sftp"]


def restic_cmd(wish: Wish, folder: str, *args: str) -> list[str]:
    """Return the argv of restic."""
    # Restic takes it apart as a shell does; none of the words holds what a shell would see something in.
    sftp = ["-o", f"sftp.command={' '.join(ssh_cmd(wish, folder))}"] if wish.is_sftp else []
    return ["restic", *sftp, *args]


def tags(stack: str, stack_id: str, backup: str) -> list[str]:
    """Return the tags of a backup's snapshot."""
    return [TAG, f"{STACK}{stack}", f"{STACK_ID}{stack_id}", f"{BACKUP}{backup}"]


def backup_args(stack: str, stack_id: str, host: str, backup: str, time: str) -> list[str]:
    """Return what stores a backup, whose directory is below the current one; its time is that of the backup."""
    marks = ",".join(tags(stack, stack_id, backup))
    return ["backup", "--json", "--quiet", "--host", host, "--time", time, "--tag", marks, backup]


def list_args(stack_id: str = "") -> list[str]:
    """Return what lists the snapshots of a stack, or of all that lie there."""
    return ["snapshots", "--json", "--tag", f"{TAG},{STACK_ID}{stack_id}" if stack_id else TAG]


def forget_args(wish: Wish, stack_id: str) -> list[str]:
    """Return what removes the snapshots that are kept no longer, of this stack alone; empty where all are kept."""
    kept = {"daily": wish.keep_daily, "weekly": wish.keep_weekly, "monthly": wish.keep_monthly}
    words = [word for name, number in kept.items() if number for word in (f"--keep-{name}", str(number))]
    if not words:
        return []
    # Each backup is a path of its own: grouped by paths, as is the default, each one would be the newest of its group.
    return ["forget", "--quiet", "--prune", "--group-by", "", "--tag", f"{TAG},{STACK_ID}{stack_id}", *words]


def check_args(percent: int) -> list[str]:
    """Return what looks whether the repository is whole, and reads a part of its data."""
    return ["check", "--quiet", f"--read-data-subset={min(percent, 100)}%"]


def restore_args(snapshot: str, folder: str) -> list[str]:
    """Return what writes a snapshot below a directory."""
    return ["restore", snapshot, "--target", folder]


def parse_snapshots(text: str) -> list[Snapshot]:
    """Read a list of snapshots, the oldest first; what is not ours is left out."""
    try:
        items = json.loads(text or "[]") or []
        found = [parse_snapshot(item) for item in items if TAG in (item.get("tags") or [])]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise OffsiteError(f"restic lists snapshots in a form that is unknown here: {text.strip()[:200]!r}") from None
    return sorted((item for item in found if item.backup), key=lambda item: (item.time, item.backup))


def parse_snapshot(item: Mapping[str, Any]) -> Snapshot:
    """Read one of them."""

    def value(prefix: str) -> str:
        return next((str(tag)[len(prefix) :] for tag in item["tags"] if str(tag).startswith(prefix)), "")

    time, host = str(item["time"]), str(item.get("hostname") or "")
    return Snapshot(str(item["id"]), time, host, value(STACK), value(STACK_ID), value(BACKUP))


def parse_repository_id(text: str) -> str:
    """Read the id in the configuration of a repository."""
    try:
        return str(json.loads(text)["id"])
    except (ValueError, TypeError, KeyError):
        raise OffsiteError(
            f"restic describes the repository in a form that is unknown here: {text.strip()[:200]!r}"
        ) from None


def missing(local: Sequence[str], there: Iterable[Snapshot], stored: Collection[str]) -> list[str]:
    """Return the backups that were never there: what the policy has removed again is not sent once more."""
    known = {item.backup for item in there} | set(stored)
    return [name for name in local if name not in known]


def id_flaw(wanted: str) -> str:
    """Say why something is the id neither of a backup nor of a snapshot; empty where it may be one."""
    if _manifest.ID.fullmatch(wanted) or SNAPSHOT.fullmatch(wanted):
        return ""
    return (
        f"{wanted!r} is the id neither of a backup, such as 20261126T030000Z, nor of a snapshot: `barehost-backup snapshots` "
        "lists what is off-site"
    )


def find(snapshots: Sequence[Snapshot], wanted: str, stack_id: str) -> Snapshot:
    """Return the snapshot of a backup, by the backup's id or its own; that of this stack where several have it."""
    found = [item for item in snapshots if item.backup == wanted]
    if not found and SNAPSHOT.fullmatch(wanted):
        found = [item for item in snapshots if item.id.startswith(wanted)]
    found = [item for item in found if item.stack_id == stack_id] or found
    if not found:
        raise OffsiteError(f"{wanted} is not off-site: `barehost-backup snapshots` lists what is")
    if len({item.stack_id for item in found}) > 1:
        names = ", ".join(f"{item.id[:8]} ({item.stack} on {item.host})" for item in found)
        raise OffsiteError(f"several stacks have a backup {wanted}: name the snapshot instead, {names}")
    return found[-1]


NO_SPACE = "there is no space left in {repository}"
# What is looked for in what restic and SSH say, the most telling first, and what it means.
CAUSES: tuple[tuple[str, str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "{host} shows another host key than the one in backup_offsite_known_hosts: find out why before you change it there",
    ),
    (
        r"host key is known for|Host key verification failed",
        "backup_offsite_known_hosts has no host key of {host}: add the line, once you have checked it",
    ),
    (r"Load key .*|invalid format|error in libcrypto", "backup_offsite_ssh_key is no private key, or has a passphrase"),
    (
        r"Permission denied \((?:publickey|password|keyboard)",
        "{host} does not let the key in backup_offsite_ssh_key in",
    ),
    (r"Could not resolve hostname|no such host", "the name of {host} cannot be resolved"),
    (
        r"Connection refused|connection timed out|No route to host|Network is unreachable|i/o timeout|Operation timed out",
        "{host} cannot be reached",
    ),
    (r"wrong password or no key found", "backup_offsite_password is not the password of {repository}"),
    (r"no space left|ENOSPC|disk quota|QuotaExceeded", NO_SPACE),
    # Restic 0.14 does not ask how much there is.
    (
        r"SSH_FX_FAILURE",
        "the server says no more than that it failed, as it does where no space is left in {repository}",
    ),
    (r"already locked|unable to create lock", "{repository} is in use by another restic"),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|access denied|AccessDenied|Access Key Id you provided",
        "{host} refuses the keys in backup_offsite_access_key_id and backup_offsite_secret_access_key",
    ),
    (r"NoSuchBucket|bucket does not exist", "the bucket of {repository} does not exist"),
    (r"permission denied|SSH_FX_PERMISSION_DENIED", "the user may not write into {repository}"),
    (
        r"repository contains errors|pack .* (?:failed|damaged)|hash mismatch|ciphertext verification failed",
        "{repository} is damaged: look at it with `restic check`, and keep the backups that are here",
    ),
)
# Only where the place itself was reached and says that the file is not there.
NONE_THERE = re.compile(r"(?:file|key) does not exist|no such file", re.IGNORECASE)


def is_missing(said: str) -> bool:
    """Whether there is no repository at that place: not one that cannot be reached or opened, whatever restic calls it."""
    return NONE_THERE.search(said) is not None and not cause(said)


def hopeless(said: str) -> bool:
    """Whether restic tries again what will not go better within its quarter of an hour."""
    return cause(said) == NO_SPACE


def cause(said: str) -> str:
    """Return the sentence for what was said; empty for what is unknown."""
    return next((sentence for pattern, sentence in CAUSES if re.search(pattern, said, re.IGNORECASE)), "")


def explain(wish: Wish, what: str, code: int, said: str) -> str:
    """Say in one line why restic did not do what it should."""
    match = SFTP.fullmatch(wish.repository)
    host = match["host"] if match else wish.repository.partition(":")[2].split("//")[-1].split("/")[0]
    known = cause(said)
    if not known and code in (LOCKED, WRONG_PASSWORD):
        known = cause({LOCKED: "already locked", WRONG_PASSWORD: "wrong password or no key found"}[code])
    if known:
        return f"{what}: {known.format(host=host, repository=wish.repository)}"
    ended = f"restic ended with {code}: " if code else ""
    return f"{what}: {ended}{last_words(said)}"


def last_words(said: str) -> str:
    """Return the line that says most."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("Fatal:", "error", "Error"))]
    return (fatal or lines or ["it said nothing"])[-1][:400]
