# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nginx, as whoever comes by a certificate needs it: that it sees what lies on the host, and shows what was put in place there.

Where somebody has deleted or moved away a folder that it has mounted, it goes on with the deleted one: it would find neither the
proof for an authority nor a certificate, and a reload, which passes, would take from it the one that it has.
"""

from __future__ import annotations

import os
import ssl
import time
from typing import TYPE_CHECKING, Callable

from ansible_collections.barehost.django.plugins.module_utils import (
    _acme,
    _certificate,
    _compose,
    _handshake,
    _mounts,
    _tls,
)
from ansible_collections.barehost.django.plugins.module_utils._acme import AcmeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.barehost.django.plugins.module_utils._acme import Settings

Runner = Callable[["list[str]", "Mapping[str, str]", int], "tuple[int, str]"]
COMMAND_SECONDS = 60
LOADED_SECONDS = 20.0
READY_SECONDS = 60.0
POLL_SECONDS = 0.5
LOG_LINES = 5
# What is written here, and seen by Nginx alone where it has the host's own.
WRITTEN = (_tls.FOLDER, _acme.WEBROOT)


def container(settings: Settings, runner: Runner) -> _compose.Container | None:
    """Return the container that ends TLS; none where none runs."""
    labels = {_compose.LABEL_PROJECT: settings.stack, _compose.LABEL_SERVICE: settings.serving["service"]}
    filters = [option for key, value in labels.items() for option in ("--filter", f"label={key}={value}")]
    code, said = runner(["docker", "ps", "--quiet", *filters], {}, COMMAND_SECONDS)
    if code != 0:
        raise AcmeError(f"docker could not be asked for Nginx: {_acme.why(said)}")
    return _described(said.split(), runner) if said.split() else None


def _described(ids: Sequence[str], runner: Runner) -> _compose.Container | None:
    code, said = runner(_compose.inspect_cmd(ids), {}, COMMAND_SECONDS)
    # It may have gone away between the two calls.
    found = _compose.parse_containers(said) if code == 0 else []
    return found[0] if found else None


def unseen(settings: Settings, nginx: _compose.Container, folder: str) -> str:
    """Return a folder of the stack where Nginx has another one in its place; empty where it has that of the host."""
    own = os.path.realpath(settings.root / folder)
    binds = {target: source for target, source in nginx.binds.items() if os.path.realpath(source) == own}
    return _mounts.detached(nginx.pid, binds)


def _told(nginx: _compose.Container, settings: Settings, runner: Runner, step: str, problem: str) -> None:
    code, said = runner(["docker", "exec", nginx.id, *settings.serving[step]], {}, COMMAND_SECONDS)
    if code != 0:
        raise AcmeError(f"{problem}: {_acme.why(said)}")


def rebind(settings: Settings, nginx: _compose.Container, lost: str, runner: Runner) -> str:
    """Have the engine mount the host's folders anew, which a restart does and a reload does not; return what was done.

    Not where it would come up with less than it serves now: with another folder gone, or with files that it does not take.
    """
    own = [os.path.realpath(settings.root / folder) for folder in WRITTEN]
    others = {target: source for target, source in nginx.binds.items() if os.path.realpath(source) not in own}
    gone = _mounts.detached(nginx.pid, others)
    if gone:
        raise AcmeError(
            f"Nginx has a {lost} and a {gone} mounted that are no longer the host's, and would not serve after a restart: run "
            "barehost.django.deploy, which makes them and Nginx's container anew"
        )
    _told(
        nginx,
        settings,
        runner,
        "test",
        f"Nginx has a {lost} mounted that is no longer the host's, and would not start again",
    )
    _, grace = runner(_compose.stop_timeout_cmd(nginx.id), {}, COMMAND_SECONDS)
    limit = COMMAND_SECONDS + (int(grace) if grace.strip().isdecimal() else COMMAND_SECONDS)
    code, said = runner(["docker", "restart", nginx.id], {}, limit)
    if code != 0:
        raise AcmeError(
            f"Nginx had a {lost} mounted that is no longer the host's, and its restart failed: {_acme.why(said)}"
        )
    _await_ready(nginx.id, lost, runner)
    return f"had a {lost} mounted that was no longer the host's, and was restarted"


def _await_ready(name: str, lost: str, runner: Runner) -> None:
    end = time.monotonic() + READY_SECONDS
    while True:
        nginx = _described([name], runner)
        if nginx is not None and nginx.ready:
            return
        if time.monotonic() > end:
            _, said = runner(_compose.logs_cmd(name, LOG_LINES), {}, COMMAND_SECONDS)
            raise AcmeError(
                f"Nginx was restarted, since it had a {lost} mounted that is no longer the host's, and is not ready after "
                f"{READY_SECONDS:g} s: {_acme.why(said)}"
            )
        time.sleep(POLL_SECONDS)


def load(
    settings: Settings, chain: str, runner: Runner, *, shown_is_loaded: bool = False, edge_follows: bool = False
) -> str:
    """Have Nginx load the certificate in place, and see that it shows it; one that does not run will when it is started.

    Return what was done; with `shown_is_loaded` nothing is where it shows that already, and with `edge_follows` one that sees
    nothing of it is left to the run that makes it anew.
    """
    if f"/{_tls.FOLDER}/{_tls.ACME}/" not in _tls.read(settings.root / "nginx" / "site.conf"):
        # Nginx serves by another mode still; the deploy that changes it comes next.
        return ""
    nginx = container(settings, runner)
    lost = unseen(settings, nginx, _tls.FOLDER) if nginx else ""
    if nginx is None or (lost and edge_follows):
        return ""
    wanted = ssl.PEM_cert_to_DER_cert(_certificate.certificate_blocks(chain, _certificate.Where())[0])
    if shown_is_loaded and not lost and _shown(settings, nginx) == wanted:
        return ""
    done = "had not loaded the certificate that is in place, and has now"
    if lost:
        done = rebind(settings, nginx, lost, runner)
        # The engine may have given it another address.
        nginx = _described([nginx.id], runner) or nginx
    else:
        for step in ("test", "reload"):
            _told(
                nginx, settings, runner, step, "Nginx does not take the new certificate, and goes on with the old one"
            )
    end = time.monotonic() + LOADED_SECONDS
    while _shown(settings, nginx) != wanted:
        if time.monotonic() > end:
            raise AcmeError(
                f"Nginx does not show the new certificate {LOADED_SECONDS:g} s after it was told to load it"
            )
        time.sleep(POLL_SECONDS)
    return done


def _shown(settings: Settings, nginx: _compose.Container) -> bytes:
    return _handshake.shown(nginx.address, int(settings.serving["port"]), _certificate.wanted(settings.names)[0])
