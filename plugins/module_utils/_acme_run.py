# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Come by a certificate, judge it, put it in place and have Nginx load it; what served still serves where any of it fails.

What serves is a link to a folder with certificate and key, replaced in one step: they belong together at every moment, whenever
Nginx is started anew.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import (
    _acme,
    _acme_edge,
    _audit,
    _certificate,
    _certificate_read,
    _files,
    _lock,
    _tls,
)
from ansible_collections.barehost.django.plugins.module_utils._acme import AcmeError
from ansible_collections.barehost.django.plugins.module_utils._lock_state import LockError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from ansible_collections.barehost.django.plugins.module_utils._acme import Settings
    from ansible_collections.barehost.django.plugins.module_utils._acme_edge import Runner

POLL_SECONDS = 0.5
HEADER = "# Managed by Ansible (barehost.django): written with the certificate, not by hand."
Trouble = (AcmeError, OSError, _certificate.CertificateError, LockError)


class DeployError(AcmeError):
    """A step of a deploy does not come to its end, which says nothing of the certificate."""


@dataclass(frozen=True)
class Report:
    """What has become of it."""

    changed: bool
    message: str
    not_after: str
    # The authority was not asked: Nginx, which the run makes anew later on, would not see the proof.
    postponed: bool = False


@dataclass(frozen=True)
class Brought:
    """What certbot has brought, and that it can be served with."""

    chain: str
    key: str
    first: _certificate.Certificate


def run(argv: list[str], environment: Mapping[str, str], seconds: int) -> tuple[int, str]:
    """Run a command, and return how it ended and what it said."""
    try:
        done = subprocess.run(
            argv,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise AcmeError(f"the host has no {argv[0]}: run barehost.django.site, which installs it") from None
    except subprocess.TimeoutExpired:
        raise AcmeError(f"{argv[0]} did not come to its end within {seconds} s") from None
    return done.returncode, done.stdout.decode("utf-8", "replace")


@contextmanager
def alone(settings: Settings, end: float) -> Iterator[None]:
    """Keep another run away; the kernel ends that with the process."""
    for folder in (settings.folder, settings.root / _tls.FOLDER):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(settings.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while not _lock.try_flock(descriptor):
            if time.monotonic() > end:
                raise AcmeError(
                    f"another run has been at work in {settings.folder} for {settings.wait_seconds} s: see what it does "
                    f"(journalctl -u barehost-{settings.stack}-certificate), and run the same again once it has ended"
                )
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def deploy_at_work(settings: Settings) -> bool:
    """Whether a step of a deploy is at work, whose files may be taken back; between two of them, or after one left half done, none is."""
    return bool(_lock.look(settings.dir).get("at_work"))


def wait_for_deploy(settings: Settings, end: float) -> None:
    """Let the step at work come to its end, with nothing in hand that it waits for."""
    while deploy_at_work(settings):
        if time.monotonic() > end:
            raise DeployError(
                f"a step of a deploy has been at work for {settings.wait_seconds} s, and the certificate was left to it: the timer "
                "comes again, or run the same again once it has ended"
            )
        time.sleep(POLL_SECONDS)


def obtain(  # noqa: PLR0913 - who asks, and how
    settings: Settings,
    who: str,
    *,
    anew: bool = False,
    by_deploy: bool = False,
    edge_follows: bool = False,
    runner: Runner = run,
) -> Report:
    """Have a certificate that is good, in place and served; note in the audit log what changed, and what failed for `status`.

    With `edge_follows` the run makes an Nginx anew later on that does not see the host's folders, which is then left to it.
    """
    begun = _tls.now()
    end = time.monotonic() + settings.wait_seconds
    try:
        if by_deploy:
            with alone(settings, end):
                report = _in_deploy(settings, runner, anew=anew, edge_follows=edge_follows)
        else:
            report = _beside_deploys(settings, runner, end, anew=anew)
    except _acme.NotMeantError:
        return Report(changed=False, message="the stack has another tls_mode by now: nothing is renewed", not_after="")
    except Trouble as error:
        message = sentence(error)
        good = _good_until(settings) if isinstance(error, DeployError) and not anew else ""
        if good:
            return Report(changed=False, message=f"{message}; the one in place is good until {good}", not_after=good)
        with suppress(OSError):
            note = json.dumps({"at": begun.strftime(_tls.FORMAT), "message": message}) + "\n"
            _files.replace(settings.root / _tls.FAILURE, note, 0o600)
        _note(settings, who, begun, {"result": "failed", "message": message})
        raise AcmeError(message) from None
    if not report.postponed:
        (settings.root / _tls.FAILURE).unlink(missing_ok=True)
    if report.changed:
        _note(settings, who, begun, {"result": "ok", "message": report.message})
    return report


def _good_until(settings: Settings) -> str:
    """Return when the certificate in place ends, where nobody need have a look at it before the timer comes again."""
    seen = _tls.look(settings.root).get(_tls.ACME) or {}
    good = bool(seen.get("whole")) and _tls.parsed(seen["renew_at"]) > _tls.now()
    return str(seen["not_after"]) if good else ""


def _in_deploy(settings: Settings, runner: Runner, *, anew: bool, edge_follows: bool) -> Report:
    """Have it in a step of a deploy."""
    if not edge_follows:
        done = _see_proofs(settings, runner)
        return _with(done, serve(settings, ask(settings, runner, anew=anew), runner))
    lost = _unseen_proofs(settings, runner)
    if not lost:
        return serve(settings, ask(settings, runner, anew=anew), runner, edge_follows=True)
    kept = _kept(settings, runner, edge_follows=True)
    message = f"Nginx has a {lost} mounted that is no longer the host's: the authority is asked once its container is made anew"
    return Report(kept is not None and kept.changed, message, kept.not_after if kept else "", postponed=True)


def _with(done: str, report: Report) -> Report:
    """Say what was done to Nginx, too."""
    return replace(report, changed=True, message=f"Nginx {done}; {report.message}") if done else report


def _unseen_proofs(settings: Settings, runner: Runner) -> str:
    nginx = _acme_edge.container(settings, runner)
    return _acme_edge.unseen(settings, nginx, _acme.WEBROOT) if nginx else ""


def _see_proofs(settings: Settings, runner: Runner) -> str:
    """Have Nginx see where certbot lays a proof; return what was done for that."""
    if not _unseen_proofs(settings, runner):
        return ""
    webroot(settings)
    # Restarted without a certificate, nobody would be answered over https until the authority is, and for longer where it says no.
    kept = _kept(settings, runner)
    nginx = _acme_edge.container(settings, runner)
    lost = _acme_edge.unseen(settings, nginx, _acme.WEBROOT) if nginx else ""
    if nginx and lost:
        return _acme_edge.rebind(settings, nginx, lost, runner)
    return f"was restarted to see the host's folders ({kept.message})" if kept else ""


def webroot(settings: Settings) -> None:
    """Have the folder for the proofs."""
    folder = settings.root / _acme.WEBROOT
    folder.mkdir(exist_ok=True)
    # Nginx reads it as another user.
    _files.own(folder, 0o755)


def _kept(settings: Settings, runner: Runner, *, edge_follows: bool = False) -> Report | None:
    """Serve with what certbot has by that authority, as far as it is good; nothing is said where it is not, since it is asked next."""
    if _acme.server_of(_tls.read(settings.renewal)) != settings.server:
        return None
    with suppress(*Trouble):
        return serve(settings, brought(settings), runner, edge_follows=edge_follows)
    return None


def _beside_deploys(settings: Settings, runner: Runner, end: float, *, anew: bool) -> Report:
    """Have it while no step of a deploy is at work.

    A deploy may wait for the same flock in a step of its own: whoever finds that at work gives it back before waiting.
    """
    done = ""
    while True:
        wait_for_deploy(settings, end)
        # Where that has ended this mode, or the stack with it, nothing is made below it any more.
        _acme.load(settings.root)
        with alone(settings, end):
            if deploy_at_work(settings):
                continue
            # The deploy that was waited for may want other names.
            current = _acme.load(settings.root)
            done = _see_proofs(current, runner) or done
            found = ask(current, runner, anew=anew)
            # What was brought lies there, and is not asked for again.
            anew = False
            if not deploy_at_work(current):
                return _with(done, serve(current, found, runner))


def sentence(error: BaseException) -> str:
    """Return an error in one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return " ".join(str(error).split())


def _note(settings: Settings, who: str, begun: datetime, outcome: Mapping[str, str]) -> None:
    path = settings.audit_log or _audit.default_path(settings.dir)
    seconds = (_tls.now() - begun).total_seconds()
    with suppress(OSError):
        _audit.append(Path(path), _audit.event(who, "certificate", begun.strftime(_tls.FORMAT), seconds, outcome))


def ask(settings: Settings, runner: Runner, *, anew: bool) -> Brought:
    """Have certbot bring a certificate, or say that the one that it has is good still, and judge that."""
    webroot(settings)
    if settings.ca:
        _files.replace(settings.folder / _acme.CA_FILE, settings.ca, 0o644)
    # By force once: certbot keeps what another authority gave, and authorities limit how often the same is asked for.
    asked = _acme.server_of(_tls.read(settings.renewal))
    forced = anew or asked not in ("", settings.server)
    code, said = runner(_acme.certbot_cmd(settings, anew=forced), _acme.environment(settings), settings.timeout_seconds)
    if code != 0:
        raise AcmeError(f"{settings.server} gave no certificate: {_acme.why(said)}")
    return brought(settings)


def brought(settings: Settings) -> Brought:
    """Return what certbot has, where it can be served with."""
    chain, key = ((settings.live / name).read_text(encoding="utf-8") for name in (_tls.CHAIN, _tls.KEY))
    where = _certificate.Where(f"what {settings.server} gave", "the key that certbot made")
    wrong = _certificate_read.problems(chain, key, settings.names, _tls.now(), where)
    if wrong:
        raise AcmeError(" ".join(wrong))
    return Brought(chain, key, _certificate_read.chain_of(chain, where)[0])


def serve(settings: Settings, found: Brought, runner: Runner, *, edge_follows: bool = False) -> Report:
    """Have Nginx serve with what was brought, where it does not yet."""
    before = _tls.look(settings.root).get(_tls.ACME) or {}
    first = found.first
    not_after = first.not_after.strftime(_tls.FORMAT)
    # A quarter of its time before its end somebody should have a look: certbot renews a third before it.
    late = first.not_after - (first.not_after - first.not_before) / _tls.LATE_SHARE
    described = _tls.described(settings.names, found.chain, first.not_after, late)
    if before.get("whole") and (before["fingerprint"], before["server"]) == (described["fingerprint"], settings.server):
        # A run may have been ended between the two.
        done = _acme_edge.load(settings, found.chain, runner, shown_is_loaded=True, edge_follows=edge_follows)
        if not done:
            return Report(changed=False, message=f"the certificate is good until {not_after}", not_after=not_after)
        sweep(settings.root / _tls.FOLDER, f"{_tls.ACME}.{before['fingerprint']}")
        message = f"Nginx {done}; the certificate is good until {not_after}"
        return Report(changed=True, message=message, not_after=not_after)
    state = {**described, "server": settings.server}
    with in_place(settings, found.chain, found.key, state):
        _acme_edge.load(settings, found.chain, runner, edge_follows=edge_follows)
    named = ", ".join(state["names"])
    message = f"a certificate for {named} by {settings.server}, good until {not_after}"
    return Report(changed=True, message=message, not_after=not_after)


@contextmanager
def in_place(settings: Settings, chain: str, key: str, state: Mapping[str, object]) -> Iterator[None]:
    """Let the new files be those that serve; after trouble the old ones are."""
    tls = settings.root / _tls.FOLDER
    link = tls / _tls.ACME
    folder = tls / f"{_tls.ACME}.{state['fingerprint']}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    pair = "\n".join(
        f"ssl_certificate{suffix} /etc/nginx/{_tls.FOLDER}/{_tls.ACME}/{name};"
        for suffix, name in (("", _tls.CHAIN), ("_key", _tls.KEY))
    )
    _files.replace(folder / _tls.KEY, key, 0o600)
    _files.replace(folder / _tls.CHAIN, chain, 0o644)
    _files.replace(folder / _tls.LISTEN6, f"{HEADER}\nlisten [::]:443 ssl;\n", 0o644)
    _files.replace(folder / _tls.DEFAULT6, f"{HEADER}\nlisten [::]:443 ssl default_server;\n", 0o644)
    _files.replace(folder / _tls.DEFAULT, f"{HEADER}\nlisten 443 ssl default_server;\n{pair}\n", 0o644)
    _files.replace(folder / _tls.LISTEN, f"{HEADER}\nlisten 443 ssl;\n{pair}\n", 0o644)
    _files.replace(folder / _tls.STATE, json.dumps(state, indent=1) + "\n", 0o644)
    before = link.readlink() if link.is_symlink() else None
    point(link, folder.name)
    try:
        yield
    except BaseException:
        if before is None:
            link.unlink(missing_ok=True)
        elif before.name != folder.name:
            point(link, before.name)
        if before is None or before.name != folder.name:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    sweep(tls, folder.name)


def sweep(tls: Path, name: str) -> None:
    """Remove the folders of earlier certificates, and their keys with them."""
    for old in tls.glob(f"{_tls.ACME}.*"):
        if old.name != name:
            shutil.rmtree(old, ignore_errors=True)


def point(link: Path, name: str) -> None:
    """Let a link name a folder beside it, in one step."""
    temporary = link.with_name(f".{link.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(name)
    temporary.replace(link)
    _files.sync(link.parent)
