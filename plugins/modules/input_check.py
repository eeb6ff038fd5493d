#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name: nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: input_check
short_description: Check the inventory on the controller before any host is touched
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Compares the variables of a host with the argument specs of all roles of this collection and reports every problem
    at once - unknown and misspelt names with the nearest known one, renamed variables, wrong types and shapes,
    values outside the choices, values that cannot be decrypted or templated.
  - Judges values that have the right type and still cannot work - the stack's name and domain, a placeholder as
    SECRET_KEY, DEBUG in production, an application folder without a Dockerfile, characters that a password file or
    an environment file cannot hold.
  - A name that differs from a known one by one letter is refused, whatever its prefix; one that differs by two is warned
    about.
  - Values that depend on facts or on results of roles are skipped, for it runs before both.
  - Values of secrets never appear in a message.
options:
  require_hosts:
    description:
      - An inventory pattern of which at least one host must take part in this play. Beside it only the names of the
        variables are checked that the playbooks themselves read, for they all begin with this.
      - Ansible itself ends with exit code 0 when C(hosts) matches nothing. Used once at the head of a playbook, in a
        play with C(hosts=all:localhost), this makes it an error. With a C(--limit), hosts left out do not count.
    type: str
  allowed_variables:
    description:
      - Names, or globs of names, that begin with a role's prefix and belong to somebody else.
    type: list
    elements: str
    default: []
  roles:
    description: Further roles whose required variables must be set, for those that only a later play runs.
    type: list
    elements: str
    default: []
  only_roles:
    description:
      - Roles that a verb runs which runs no other. Only what they read is judged then, and returned as RV(given); what a deploy alone
        would refuse is left to that.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Runs the same way in check mode, since it changes nothing.
    support: full
  diff_mode:
    description: It changes nothing, so there is nothing to compare.
    support: none
  idempotent:
    description: The same inventory gives the same answer.
    support: full
notes:
  - Runs on the controller and opens no connection.
"""

EXAMPLES = r"""
# In a play with `hosts: all:localhost` at the head of a playbook.
- name: Refuse a run that no host matches
  barehost.django.input_check:
    require_hosts: stack
  run_once: true

- name: Check all variables
  barehost.django.input_check:
    allowed_variables:
      - nginx_exporter_*
"""

RETURN = r"""
given:
  description: What is set of the variables that O(only_roles) read, but for secrets and what cannot be known yet.
  returned: where O(only_roles) is given
  type: dict
msg:
  description: >-
    How much was checked; where it fails, one sentence for each problem - the name, the value seen unless it is secret,
    what to do. One problem stands in the first line, several below it, in a line each.
  returned: always
  type: str
  sample: 42 variables checked
"""
