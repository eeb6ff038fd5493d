#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say what a host is and what runs of the stack on it, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_info
short_description: Says what a host is and what runs of the stack on it
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - One call in place of fact gathering and of a row of probes; every role reads its result.
  - Reads, and changes nothing; works on a host without Docker.
extends_documentation_fragment:
  - barehost.django.project
  - barehost.django.project.name
attributes:
  check_mode:
    description: Reads the same as in a real run.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: It changes nothing.
    support: full
options:
  ports:
    description: TCP ports of which to say whether something listens on them, and what.
    type: list
    elements: int
    default: []
  packages:
    description: Debian packages of which to say which version is installed.
    type: list
    elements: str
    default: []
  units:
    description: Units of systemd of which to say whether they are there, what their text is, and whether they are at work.
    type: list
    elements: str
    default: []
  firewall:
    description: Whether to say what there is of the firewall even where no stack has a part of it.
    type: bool
    default: false
  backups:
    description: Whether to say what has become of the stack's backups.
    type: bool
    default: false
  volumes:
    description: Whether to list the volumes of the stack too, which is one more question to the engine.
    type: bool
    default: false
  missing:
    description: Whether services that the Compose file names and that have no container are listed, for which Compose is asked.
    type: bool
    default: true
  lock:
    description: Whether to say who holds the lock of the stack.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Look at the host
  barehost.django.stack_info:
    project: app
    project_dir: /opt/app
    ports: [80, 443]
  register: stack_info
"""

RETURN = r"""
host:
  description: Operating system, memory in MiB, processors, architecture, free disk space in MiB, whether it speaks IPv6.
  type: dict
  returned: always
engine:
  description: Whether Docker is there; its version, Compose's version, its data directory with the free space in MiB, daemon.json,
    where its command line has it listen without asking for a certificate (C(hosts)), and whether its own rules of iptables or
    nftables are in the kernel (C(rules); also where it makes none, or nothing can be said).
  type: dict
  returned: always
ports:
  description: Those of O(ports) that something listens on, with the process or the container behind them.
  type: list
  elements: dict
  returned: always
packages:
  description: Installed version of each of O(packages) that is installed.
  type: dict
  returned: always
units:
  description: Those of O(units) that are there, each with the SHA-256 of its text (C(digest)), C(enabled) and C(active).
  type: dict
  returned: always
firewall:
  description:
    - What there is of the firewall, the C(parts) of all stacks, the digests of the rules on the disk (C(file)) and in the kernel
      (C(loaded)), whether the C(unit) is enabled, the SSH C(connection) of this call, C(lookalikes), interfaces that begin as
      the bridges of Docker do and are none, C(published), the ports by protocol that containers of the stack publish, or nothing
      where no engine answers, and C(others), firewalls that are at work too. Empty where there is none and O(firewall) is not set.
  type: dict
  returned: always
stack:
  description: >-
    The stack's directory, the record of the release that serves, the ids of the releases whose image is there, for each
    service a list of its containers (C(stray) is one that is not of the release that serves), the names of all of them and,
    with O(volumes), of its volumes. With O(lock) who holds the lock (C(lock)), in which step, for how long there was no sign of
    life (C(silent_seconds)) and whether a module is at work under it (C(at_work)), empty where nobody does; and in one sentence
    what is in the way of the next deploy (C(obstacle)), such as a file where a directory belongs, and which upgrade of MySQL is
    under way or was cut off (C(upgrade)). What the certificates on the host are
    good for, by C(tls_mode), and what is wrong with the one that serves (C(tls)). With O(backups) how many backups
    there are, the newest of them, the last success and failure of each kind of work on them, and what is wrong (C(backups)).
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _lock_state, _look


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"project_dir": {"type": "path", "required": True}, **_look.WISH},
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **_look.look(module, module.params["project_dir"], module.params))
    except _lock_state.LockError as error:
        module.fail_json(msg=f"the lock of the stack cannot be looked at: {error}")


if __name__ == "__main__":
    main()
