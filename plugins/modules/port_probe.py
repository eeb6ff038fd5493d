#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of an action plugin; the work is done on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: port_probe
short_description: Proves from the controller that exactly the declared TCP ports answer
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Opens a connection to each port on each address of the hosts, of IPv4 and IPv6, and closes it. Sends nothing.
  - At most 1024 ports and addresses are tried; a port that is silent costs O(timeout), 32 of them at a time.
options:
  hosts:
    description: Names or addresses of one host, as seen from the controller; names stand for all of their addresses.
    type: list
    elements: str
    required: true
  answer:
    description: TCP ports that have to accept a connection.
    type: list
    elements: int
    default: []
  may:
    description: TCP ports that are let in though nothing may serve them; they are not tried.
    type: list
    elements: int
    default: []
  other:
    description: TCP ports that must not accept a connection, unless O(answer) or O(may) names them; by default those that
      databases, queues, panels and engines are known to have.
    type: list
    elements: int
  filtered:
    description: Whether O(other) ports have to be silent. One that refuses has let in what asks, so no firewall is before it.
    type: bool
    default: true
  timeout:
    description: Seconds after which a port counts as silent.
    type: float
    default: 2.0
attributes:
  check_mode:
    description: Asks nothing and reports itself as skipped, since a dry run cannot prove what answers.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: It changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Prove that exactly the declared ports answer
  barehost.django.port_probe:
    hosts: [shop.example.com]
    answer: [22, 80, 443]
"""

RETURN = r"""
addresses:
  description: The addresses that were tried.
  type: list
  elements: str
  returned: always
tried:
  description: How many connections were tried.
  type: int
  returned: always
problems:
  description: A sentence for each port that is not as declared.
  type: list
  elements: str
  returned: always
"""
