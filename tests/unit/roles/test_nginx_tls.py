# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `nginx` makes of a certificate: what listens, what is published, and that nothing of it is there without one."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _tls

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = ROOT / "roles" / "nginx" / "templates" / "nginx"
PLAYBOOK = """
- name: Render
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    # Its variables alone: what the host has is said beside it.
    - { name: Have the certificate, when: false, ansible.builtin.import_role: { name: barehost.django.tls, rolespec_validate: false } }
    - { name: Describe the application, ansible.builtin.import_role: { name: barehost.django.django, rolespec_validate: false } }
    - { name: Describe Nginx, ansible.builtin.import_role: { name: barehost.django.nginx, rolespec_validate: false } }
    - name: Render
      ansible.builtin.copy:
        content: "{{ lookup('ansible.builtin.template', item, template_vars={'config_tree_digest': 'digest'}) }}"
        dest: "{{ out }}/{{ item | basename }}"
        mode: "0600"
      loop: "{{ templates }}"
    - name: Describe
      ansible.builtin.copy:
        content: "{{ {'service': nginx_stack_services.nginx, 'problems': nginx_stack_problems, 'env': django__dotenv} | to_json }}"
        dest: "{{ out }}/described.json"
        mode: "0600"
"""
SEEN = {
    "stack": {
        "tls": {
            "self_signed": {
                "names": ["www.example.com", "192.0.2.7"],
                "whole": True,
                "fingerprint": "abc",
                "renew_at": "2999-01-01T00:00:00Z",
            }
        }
    }
}
NAMES = ["www.example.com", "localhost", "127.0.0.1"]


def render(**values: Any) -> dict[str, Any]:
    """Render what the role describes; the same question is asked once."""
    return _render(json.dumps(values, sort_keys=True))


@functools.cache
def _render(values: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        (out / "play.yml").write_text(PLAYBOOK)
        templates = [str(path) for path in sorted(TEMPLATES.glob("*.j2"))]
        common = {
            "out": folder,
            "templates": templates,
            "preflight_host": SEEN,
            "django_allowed_hosts": NAMES,
            "ansible_python_interpreter": sys.executable,
        }
        variables = {"stack_domain": "www.example.com", **common, **json.loads(values)}
        env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
        program = shutil.which("ansible-playbook") or "ansible-playbook"
        argv = [program, "-i", "localhost,", str(out / "play.yml"), "-e", json.dumps(variables)]
        done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        files = {path.name.removesuffix(".j2"): path.read_text() for path in out.glob("*.j2")}
        return {**json.loads((out / "described.json").read_text()), "files": files}


def published(found: dict[str, Any]) -> list[tuple[int, int]]:
    return [(int(port["published"]), int(port["target"])) for port in found["service"]["ports"]]


def servers(found: dict[str, Any]) -> list[str]:
    """Return the server blocks of the site, without comments."""
    text = re.sub(r"(?m)^ *#.*\n", "", found["files"]["site.conf"])
    return [f"server {{\n{part}" for part in text.split("server {\n")[1:]]


@pytest.mark.parametrize("mode", ["off", False])
def test_without_tls_nothing_of_it_is_there(mode: object) -> None:
    found = render(tls_mode=mode)
    text = "".join(found["files"].values())
    assert [word for word in ("ssl", "443", "https", "tls", "Strict-Transport") if word in text] == []
    assert published(found) == [(80, 80)]
    sources = [item["source"] for item in found["service"]["volumes"]]
    assert sources == ["nginx", "upstream", "static", "media", "acme", "scratch/nginx"]
    # A rollback asks where the earlier release was asked, and TLS may have come or gone since.
    assert (
        found["service"]["upstream"]["http_port"] == render(tls_mode="self_signed")["service"]["upstream"]["http_port"]
    )
    assert set(found["service"]["config"]["directories"]) == {"static", "upstream", "acme", "scratch/nginx"}
    assert (found["env"]["SESSION_COOKIE_SECURE"], found["env"]["SECURE_HSTS_SECONDS"]) == (False, 0)
    assert found["env"]["CSRF_TRUSTED_ORIGINS"] == "http://www.example.com"


def test_what_ends_tls_in_front_changes_what_django_and_the_proxy_say_alone() -> None:
    found = render(tls_mode="off", stack_scheme="https")
    assert published(found) == [(80, 80)]
    assert "ssl" not in found["files"]["site.conf"]
    assert "X-Forwarded-Proto https" in found["files"]["proxy.conf"]


def test_with_tls_everything_follows_the_mode() -> None:
    found = render(tls_mode="self_signed")
    env = found["env"]
    secure = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_PROXY_SSL_HEADER_ENABLED")
    assert [name for name in secure if env[name] is not True] == []
    assert env["CSRF_TRUSTED_ORIGINS"] == "https://www.example.com"
    assert "X-Forwarded-Proto https" in found["files"]["proxy.conf"]
    assert published(found) == [(80, 80), (443, 443)]
    # Where a release is asked is not where everybody is sent elsewhere, and not published.
    inside = found["service"]["upstream"]["http_port"]
    assert inside not in (80, 443)
    assert f"listen {inside};" in servers(found)[3]


def test_the_plain_port_only_sends_elsewhere() -> None:
    plain = [block for block in servers(render(tls_mode="self_signed")) if "listen 80;" in block]
    assert len(plain) == 1
    assert "return 301 https://$host$request_uri;" in plain[0]
    assert "proxy" not in plain[0]
    moved = servers(render(tls_mode="self_signed", nginx_https_port=8443))
    assert "return 301 https://$host:8443$request_uri;" in moved[2]


def test_whoever_names_no_server_of_ours_gets_no_handshake() -> None:
    named = servers(render(tls_mode="self_signed"))[1]
    assert "listen 443 ssl default_server;" in named
    assert "ssl_reject_handshake on;" in named
    # By an address a browser names none.
    by_address = servers(render(tls_mode="self_signed", django_allowed_hosts=["192.0.2.7"]))[1]
    assert "ssl_reject_handshake" not in by_address
    assert "include /etc/nginx/tls/self_signed/default.con*;" in by_address
    assert "include /etc/nginx/stack/nobody.conf;" in by_address


def test_an_address_among_the_names_has_its_server_from_each_that_makes_a_certificate() -> None:
    """Else the site's own server would be the one for whoever names none, or another one."""
    for mode in ("self_signed", "acme"):
        first = servers(render(tls_mode=mode, django_allowed_hosts=["www.example.com", "192.0.2.7"]))[1]
        assert f"include /etc/nginx/tls/{mode}/{_tls.DEFAULT.replace('.conf', '.con*')};" in first


def test_nginx_starts_where_there_is_no_certificate_yet() -> None:
    # An include that is a pattern may find nothing: in a container that does not mount the folder yet, too.
    text = render(tls_mode="self_signed")["files"]["site.conf"]
    assert "include /etc/nginx/tls/self_signed/listen.con*;" in text
    assert "ssl_certificate" not in text


@pytest.mark.parametrize("mode", ["off", "self_signed", "acme"])
def test_an_authority_is_answered_on_the_plain_port_in_every_mode(mode: str) -> None:
    # So a certificate is there before the site is changed; and for a name that the site does not answer to yet.
    found = servers(render(tls_mode=mode, django_allowed_hosts=NAMES[:1]))
    plain = [block for block in found if "listen 80;" in block or "listen 80 " in block]
    assert len(plain) == 2
    assert [block.count("location /.well-known/acme-challenge/") for block in plain] == [1, 1]
    assert "try_files $uri =444;" in plain[0]
    assert "try_files $uri =404;" in plain[1]


def test_what_renews_itself_is_no_other_configuration() -> None:
    seen = {"stack": {"tls": {"acme": {"names": ["www.example.com"], "whole": True, "fingerprint": "abc"}}}}
    one = render(tls_mode="acme", preflight_host=seen)["files"]["site.conf"]
    assert "include /etc/nginx/tls/acme/listen.con*;" in one
    assert "abc" not in one


def test_protocols_and_ciphers_are_those_of_the_guideline() -> None:
    text = render(tls_mode="self_signed")["files"]["site.conf"]
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in text
    ciphers = re.search(r"ssl_ciphers (.*);", text)
    assert ciphers
    assert [name for name in ciphers[1].split(":") if not re.match(r"ECDHE-(ECDSA|RSA)-(AES|CHACHA)", name)] == []
    assert "http2 on;" in text
    assert "ssl_session_tickets off;" in text


def test_hsts_is_sent_once_and_on_tls_alone() -> None:
    found = render(tls_mode="self_signed")["files"]
    assert 'on "max-age=3600";' in found["maps.conf"]
    assert "map $https $stack_hsts" in found["maps.conf"]
    assert "proxy_hide_header Strict-Transport-Security;" in found["security_headers.conf"]
    year = {"django_hsts_seconds": 31536000, "django_hsts_include_subdomains": True, "django_hsts_preload": True}
    later = render(tls_mode="self_signed", **year)
    assert 'on "max-age=31536000; includeSubDomains; preload";' in later["files"]["maps.conf"]
    assert later["problems"] == []


def test_a_name_for_the_list_of_browsers_needs_a_year_and_all_names_below() -> None:
    (problem,) = render(tls_mode="self_signed", django_hsts_preload=True)["problems"]
    assert "nginx_hsts_preload is on with nginx_hsts_seconds 3600" in problem
    assert render(tls_mode="off", django_hsts_preload=True)["problems"] == []


def test_another_certificate_is_another_configuration() -> None:
    before = SEEN["stack"]["tls"]["self_signed"]
    one, other = ({"stack": {"tls": {"self_signed": {**before, "fingerprint": name}}}} for name in ("one", "other"))
    texts = [render(tls_mode="self_signed", preflight_host=seen)["files"]["site.conf"] for seen in (one, other)]
    assert texts[0] != texts[1]


def test_what_is_provided_is_asked_about_with_the_rest() -> None:
    given = {"tls_certificate": "a chain", "tls_private_key": "none"}
    mounts = render(tls_mode="provided", **given)["service"]["validate"]["mounts"]
    assert mounts == {"nginx": "/etc/nginx/stack", "tls": "/etc/nginx/tls"}
    # Of what lies on the host nothing is asked: a dry run would refuse what the real one makes anew.
    assert render(tls_mode="self_signed")["service"]["validate"]["mounts"] == mounts
    assert render(tls_mode="off")["service"]["validate"]["mounts"] == {"nginx": "/etc/nginx/stack"}
