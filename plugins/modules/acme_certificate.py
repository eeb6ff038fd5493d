#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have a certificate by an authority that speaks ACME."""

from __future__ import annotations

DOCUMENTATION = r"""
module: acme_certificate
short_description: Has a certificate by an authority that speaks ACME
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Has certbot come by a certificate where there is none, where it lacks a name, or where it ends soon; the names are proved through a
    folder that the web server of the stack serves on port 80 (HTTP-01).
  - What certbot brings is judged before it is put in place together with its key in one step, the web server loads it without dropping
    a connection, and is asked whether it shows it. Where any of it fails, what served still serves.
extends_documentation_fragment:
  - barehost.django.lock
attributes:
  check_mode:
    description: Says that it would ask the authority, and does not.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: A certificate that is good is left as it is.
    support: full
options:
  settings:
    description:
      - What the renewal's C(renewal/settings.json) holds - C(stack), C(dir), C(server), C(names), C(email), C(ca), C(timeout_seconds),
        C(audit_log), and in C(serving) how the web server is asked about its files and told to load them.
    type: dict
    required: true
  edge_follows:
    description:
      - Whether the run makes the container of the web server anew later on where that has a folder mounted that is no longer the host's,
        since somebody has deleted it or moved it away. What it could not see is left to that, and the authority is not asked where it
        would not find the proof (C(postponed)).
      - Otherwise the container is restarted, which mounts the host's folders anew.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Have the certificate
  barehost.django.acme_certificate:
    settings:
      stack: shop
      dir: /opt/shop
      server: https://acme-v02.api.letsencrypt.org/directory
      names: [shop.example.com]
      serving: { service: nginx, test: [nginx, -t], reload: [nginx, -s, reload], port: 443 }
"""

RETURN = r"""
msg:
  description: What was done, or would be.
  type: str
  returned: always
not_after:
  description: When the certificate ends.
  type: str
  returned: when it was not a dry run
postponed:
  description: Whether the authority is to be asked once the web server was made anew.
  type: bool
  returned: when it was not a dry run
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _acme, _lock


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **_lock.ARGUMENTS,
            "settings": {"type": "dict", "required": True},
            "edge_follows": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        settings = _acme.parse(module.params["settings"])
    except _acme.AcmeError as error:
        module.fail_json(msg=str(error))
        raise
    if module.check_mode:
        module.exit_json(changed=True, msg=f"would ask {settings.server} for a certificate")
    # Only here: it needs a library that a bare host has not got, and a dry run does not ask for.
    from ansible_collections.barehost.django.plugins.module_utils import _acme_run  # noqa: PLC0415 - as above

    _lock.step_until_exit(module, settings.dir, "certificate")
    try:
        report = _acme_run.obtain(settings, "playbook", by_deploy=True, edge_follows=module.params["edge_follows"])
    except _acme.AcmeError as error:
        module.fail_json(msg=str(error))
        raise
    module.exit_json(changed=report.changed, msg=report.message, not_after=report.not_after, postponed=report.postponed)


if __name__ == "__main__":
    main()
