# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What certbot is asked for, what is refused before, and what is made of what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _acme

if TYPE_CHECKING:
    from pathlib import Path

SERVER = "https://ca.example/directory"
VALUES = {"tls_acme_agree_tos": True, "tls_acme_server": SERVER, "tls_acme_email": ""}
NAMES = ["www.example.com", "shop.example.com", "localhost"]


def settings(**more: Any) -> _acme.Settings:
    return _acme.parse({"stack": "app", "dir": "/opt/app", "server": SERVER, "names": NAMES, **more})


def test_what_certbot_is_asked_for() -> None:
    assert _acme.certbot_cmd(settings(email="ops@example.com")) == [
        "certbot",
        "certonly",
        "--non-interactive",
        "--agree-tos",
        "--email",
        "ops@example.com",
        "--no-eff-email",
        "--server",
        SERVER,
        "--config-dir",
        "/opt/app/certbot/config",
        "--work-dir",
        "/opt/app/certbot/work",
        "--logs-dir",
        "/opt/app/certbot/logs",
        "--max-log-backups",
        "20",
        "--webroot",
        "--webroot-path",
        "/opt/app/acme",
        "--cert-name",
        "app",
        "--domain",
        "www.example.com",
        "--domain",
        "shop.example.com",
        "--renew-with-new-domains",
        "--key-type",
        "ecdsa",
        "--elliptic-curve",
        "secp256r1",
        "--no-directory-hooks",
        "--pre-hook",
        "",
        "--post-hook",
        "",
        "--deploy-hook",
        "",
        "--renew-hook",
        "",
        "--keep-until-expiring",
    ]
    assert "--register-unsafely-without-email" in _acme.certbot_cmd(settings())
    assert _acme.certbot_cmd(settings(), anew=True)[-1] == "--force-renewal"


def test_an_authority_of_ones_own_is_known_by_its_certificate_alone() -> None:
    assert "REQUESTS_CA_BUNDLE" not in _acme.environment(settings())
    assert _acme.environment(settings(ca="a certificate"))["REQUESTS_CA_BUNDLE"] == "/opt/app/certbot/ca.pem"


def test_nothing_of_the_user_is_read() -> None:
    assert _acme.environment(settings())["XDG_CONFIG_HOME"] == "/opt/app/certbot"


def test_what_can_be_asked_for_is() -> None:
    assert _acme.problems(VALUES, NAMES) == []
    assert _acme.problems({**VALUES, "tls_acme_email": "ops@example.com"}, NAMES) == []


@pytest.mark.parametrize(
    ("values", "names", "said"),
    [
        ({"tls_acme_agree_tos": False}, NAMES, f"read the terms of {SERVER}"),
        ({"tls_acme_server": "http://ca.example"}, NAMES, "tls_acme_server is 'http://ca.example'"),
        ({"tls_acme_server": "ca.example"}, NAMES, "tls_acme_server is 'ca.example'"),
        ({"tls_acme_email": "ops"}, NAMES, "tls_acme_email is 'ops', which is no address of mail"),
        ({}, ["192.0.2.7"], "192.0.2.7 is an address"),
        ({}, ["localhost"], "localhost is no name of the Internet"),
        ({}, [".example.com"], "*.example.com is a wildcard"),
        ({}, ["a_b.example.com"], "a_b.example.com is no name of a host"),
        ({}, ["*"], "the site has no name"),
    ],
)
def test_what_no_authority_would_give_is_refused(values: dict[str, Any], names: list[str], said: str) -> None:
    (problem,) = _acme.problems({**VALUES, **values}, names)
    assert said in problem


SAID = """Saving debug log to /opt/app/certbot/logs/letsencrypt.log
Account registered.
Requesting a certificate for edge.test and www.edge.test

Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:
  Domain: edge.test
  Type:   connection
  Detail: Fetching http://edge.test/.well-known/acme-challenge/x: dial tcp 127.0.0.9:80: connect: connection refused

  Domain: www.edge.test
  Type:   unauthorized
  Detail: 404

Hint: The Certificate Authority failed to download the temporary challenge files created by Certbot.

Some challenges have failed.
Ask for help or search for solutions at https://community.letsencrypt.org.
"""
DOWN = """Saving debug log to /opt/app/certbot/logs/letsencrypt.log
An unexpected error occurred:
requests.exceptions.ConnectionError: Connection refused
Ask for help or search for solutions at https://community.letsencrypt.org. See the logfile for more details.
"""


def test_why_there_is_none_is_said_in_one_line() -> None:
    refused = (
        "Fetching http://edge.test/.well-known/acme-challenge/x: dial tcp 127.0.0.9:80: connect: connection refused"
    )
    assert _acme.why(SAID) == f"edge.test: {refused} www.edge.test: 404"
    assert _acme.why(DOWN) == "An unexpected error occurred: requests.exceptions.ConnectionError: Connection refused"
    assert _acme.why("") == "certbot said nothing"


def test_settings_of_another_version_are_refused(tmp_path: Path) -> None:
    with pytest.raises(_acme.AcmeError, match="does not know: more"):
        settings(more=1)
    with pytest.raises(_acme.AcmeError, match="lack something"):
        _acme.parse({"stack": "app"})
    with pytest.raises(_acme.AcmeError, match="deploy with tls_mode acme first"):
        _acme.load(tmp_path)
    (tmp_path / "renewal").mkdir()
    (tmp_path / _acme.SETTINGS).write_text("{")
    with pytest.raises(_acme.AcmeError, match="deploy again"):
        _acme.load(tmp_path)
