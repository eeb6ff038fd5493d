# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What restic is asked, and what its answers mean: these are recorded from 0.14.0 and 0.18.0."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _restic

URL = "sftp:keeper@vault:/srv/shop"
GIVEN: dict[str, Any] = {
    "repository": URL,
    "password": "not-for-production",
    "ssh_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nxxxx\n-----END OPENSSH PRIVATE KEY-----",
    "known_hosts": "vault ssh-ed25519 AAAA",
}
S3: dict[str, Any] = {
    "repository": "s3:https://s3.example.org/backups/shop",
    "password": "not-for-production",
    "access_key_id": "ID",
    "secret_access_key": "not-for-production-2",
}
WISH = _restic.Wish.read(GIVEN)
BUCKET = _restic.Wish.read(S3)
SNAPSHOT = {
    "time": "2026-11-26T20:04:42Z",
    "tree": "68cc",
    "paths": ["/opt/app/backups/20261126T200442Z"],
    "hostname": "h1",
    "username": "root",
    "id": "beee23ce4ebb096b0e9f4c7a8237c0dcfee7343d094e9b33113969d5b73d1394",
    "short_id": "beee23ce",
    "tags": _restic.tags("shop", "abc", "20261126T200442Z"),
}


def test_nothing_secret_is_in_an_argument_or_the_environment() -> None:
    for wish in (WISH, BUCKET):
        words = _restic.restic_cmd(wish, "/run/x", "snapshots")
        text = json.dumps([words, _restic.environment(wish, "/run/x", "/var/cache/x"), repr(wish)])
        assert "not-for-production" not in text
        assert "PRIVATE" not in text


def test_ssh_knows_one_key_and_one_host_key() -> None:
    words = _restic.restic_cmd(WISH, "/run/x", "snapshots")
    assert words[:2] == ["restic", "-o"]
    assert words[3:] == ["snapshots"]
    name, _, command = words[2].partition("=")
    assert name == "sftp.command"
    ssh = shlex.split(command)
    assert ssh == _restic.ssh_cmd(WISH, "/run/x")
    assert ssh[:3] == ["ssh", "-F", "/dev/null"]
    assert {"StrictHostKeyChecking=yes", "UserKnownHostsFile=/run/x/known_hosts", "IdentityFile=/run/x/key"} <= set(ssh)
    assert {"GlobalKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "BatchMode=yes", "Port=22"} <= set(ssh)
    assert ssh[-3:] == ["keeper@vault", "-s", "sftp"]


def test_a_port_and_an_address_are_taken_from_the_url() -> None:
    ssh = _restic.ssh_cmd(replace(WISH, repository="sftp://keeper@[2001:db8::1]:2222//srv/shop"), "/run/x")
    assert "Port=2222" in ssh
    assert ssh[-3] == "keeper@2001:db8::1"


def test_files_are_those_that_are_read() -> None:
    assert sorted(WISH.files) == ["key", "known_hosts", "password"]
    assert WISH.files["key"].endswith("-----END OPENSSH PRIVATE KEY-----\n")
    assert BUCKET.files == {
        "password": "not-for-production\n",
        "credentials": "[default]\naws_access_key_id = ID\naws_secret_access_key = not-for-production-2\n",
    }


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({**GIVEN, "repository": "/srv/here"}, "give sftp:user@host:/path"),
        ({**GIVEN, "repository": "sftp:vault:/srv"}, "give sftp:user@host:/path"),
        ({**GIVEN, "repository": "sftp:keeper@vault:/srv x"}, "give sftp:user@host:/path"),
        ({**GIVEN, "repository": "sftp:-oProxyCommand=x@vault:/srv"}, "give sftp:user@host:/path"),
        ({**GIVEN, "password": ""}, "backup_offsite_password is empty"),
        ({**GIVEN, "known_hosts": ""}, "backup_offsite_known_hosts"),
        ({**GIVEN, "keep_daily": -1}, "backup_offsite_keep_daily is -1"),
        ({**GIVEN, "keep_weekly": True}, "backup_offsite_keep_weekly is True"),
        ({**GIVEN, "keep": 1}, "does not know: keep"),
        ({**S3, "access_key_id": ""}, "S3 needs"),
        ({"repository": URL}, "no password"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(_restic.OffsiteError, match=why) as caught:
        _restic.Wish.read(given)
    assert "not-for-production" not in str(caught.value)


def test_a_login_in_an_address_is_not_shown() -> None:
    with pytest.raises(_restic.OffsiteError, match=r"'s3:https://…@s3.example.org/x'"):
        _restic.Wish.read({**S3, "repository": "s3:https://id:not-for-production@s3.example.org/x"})


def test_the_policy_takes_all_backups_of_a_stack_as_one_row() -> None:
    assert _restic.forget_args(WISH, "abc") == [
        *["forget", "--quiet", "--prune", "--group-by", "", "--tag", "barehost,stack-id=abc"],
        *["--keep-daily", "7", "--keep-weekly", "5", "--keep-monthly", "12"],
    ]
    assert _restic.forget_args(replace(WISH, keep_daily=0, keep_weekly=0, keep_monthly=0), "abc") == []


def test_a_snapshot_has_the_time_and_the_name_of_its_backup() -> None:
    args = _restic.backup_args("shop", "abc", "one", "20261126T200442Z", "2026-11-26 20:04:42")
    assert args == [
        *["backup", "--json", "--quiet", "--host", "one", "--time", "2026-11-26 20:04:42"],
        *["--tag", "barehost,stack=shop,stack-id=abc,backup=20261126T200442Z", "20261126T200442Z"],
    ]


def test_snapshots_are_read_and_those_of_others_are_not() -> None:
    other = {**SNAPSHOT, "tags": None}
    found = _restic.parse_snapshots(json.dumps([SNAPSHOT, other]))
    assert [(item.backup, item.stack, item.stack_id, item.host) for item in found] == [
        ("20261126T200442Z", "shop", "abc", "h1")
    ]
    # 0.14 answers with null where there is none.
    assert _restic.parse_snapshots("null") == []
    for text in ("{", '{"a": 1}', "[1]"):
        with pytest.raises(_restic.OffsiteError, match="unknown here"):
            _restic.parse_snapshots(text)


def snapshot(backup: str, stack_id: str = "abc", number: int = 1) -> _restic.Snapshot:
    return _restic.Snapshot(f"{number:064x}", backup, "h", "shop", stack_id, backup)


def test_what_the_policy_has_removed_is_not_sent_again() -> None:
    assert _restic.missing(["1", "2", "3", "4"], [snapshot("3")], ["1", "2"]) == ["4"]


def test_a_backup_is_found_by_its_id_or_that_of_its_snapshot() -> None:
    there = [snapshot("1", number=1), snapshot("1", "xyz", 2), snapshot("2", "xyz", 3), snapshot("2", "uvw", 4)]
    assert _restic.find(there, "1", "abc") == there[0]
    assert _restic.find(there, f"{3:064x}", "abc") == there[2]
    with pytest.raises(_restic.OffsiteError, match="several stacks have a backup 2"):
        _restic.find(there, "2", "abc")
    with pytest.raises(_restic.OffsiteError, match="3 is not off-site"):
        _restic.find(there, "3", "abc")


EOF_18 = "Fatal: unable to open repository at x: unable to start the sftp session, error: unexpected EOF"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Fatal: wrong password or no key found", "backup_offsite_password is not the password of sftp:"),
        ("subprocess ssh: keeper@vault: Permission denied (publickey).", "vault does not let the key"),
        ("subprocess ssh: ssh: connect to host vault port 23: Connection refused", "vault cannot be reached"),
        ("ssh: connect to host vault port 22: Connection timed out", "vault cannot be reached"),
        ("ssh: Could not resolve hostname vault: Name or service not known", "the name of vault cannot be resolved"),
        (
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
            "another host key",
        ),
        ("No ED25519 host key is known for vault and you have requested strict checking.", "has no host key of vault"),
        (
            "Fatal: unable to save snapshot: sftp: no space left on device, required: 4 MiB, available: 1 MiB",
            "no space left",
        ),
        (
            'Fatal: unable to save snapshot: Write: sftp: "Failure" (SSH_FX_FAILURE)',
            "as it does where no space is left",
        ),
        ("unable to create lock in backend: repository is already locked by PID 1", "in use by another restic"),
        ("Fatal: create repository at x failed: MkdirAll /x: permission denied", "may not write into"),
        ("Stat: The specified bucket does not exist", "the bucket of"),
    ],
)
def test_causes_are_named(said: str, why: str) -> None:
    found = _restic.explain(WISH, "it", 1, said)
    assert why in found
    assert "\n" not in found
    assert not _restic.is_missing(said)


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("Fatal: repository does not exist: unable to open config file: Lstat /x/config: file does not exist", True),
        ("Fatal: unable to open config file: Lstat: file does not exist\nIs there a repository at …?", True),
        ("Fatal: unable to open config file: Stat: The specified key does not exist.", True),
        # What 0.14 says of an S3 that it cannot reach: a new repository is no answer to that.
        (
            'Fatal: unable to open config file: Stat: Get "http://s3/?location=": dial tcp: connect: connection refused',
            False,
        ),
        (
            "Lstat: file does not exist\nsubprocess ssh: Connection to vault port 22 timed out: Connection timed out",
            False,
        ),
        (EOF_18, False),
        ("", False),
    ],
)
def test_a_repository_is_missing_only_where_its_place_says_so(said: str, missing: bool) -> None:  # noqa: FBT001
    assert _restic.is_missing(said) is missing


def test_what_is_unknown_is_quoted() -> None:
    assert _restic.explain(WISH, "it", 1, f"warning\n{EOF_18}\n\n") == f"it: restic ended with 1: {EOF_18}"
    assert _restic.explain(WISH, "it", 3, "") == "it: restic ended with 3: it said nothing"
    assert "in use by another restic" in _restic.explain(WISH, "it", _restic.LOCKED, "")
    assert "is not the password" in _restic.explain(WISH, "it", _restic.WRONG_PASSWORD, "")


def test_the_host_of_a_bucket_is_named() -> None:
    assert "s3.example.org refuses the keys" in _restic.explain(BUCKET, "it", 1, "Access Denied.")
