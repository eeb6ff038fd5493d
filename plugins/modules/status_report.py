#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name: nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: status_report
short_description: Show the state of all hosts of a play on one screen or as one JSON document
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Takes what M(barehost.django.stack_info) found on each host of the play and prints it once, for all hosts together.
  - A host that did not answer is in the report, as unreachable.
  - The report is also a custom statistic named C(status), which ansible-runner finds in its artifacts.
options:
  hosts:
    description: Results of M(barehost.django.stack_info) by host; by default what the hosts have in O(variable).
    type: dict
  variable:
    description: Name of the registered variable that holds the result on each host of the play.
    type: str
    default: stack_info
  format:
    description: V(text) is for a person; V(json) is one document in one line, the only line that begins with a brace.
    type: str
    choices: [text, json]
    default: text
attributes:
  check_mode:
    description: Reports the same way in check mode, since it changes nothing.
    support: full
  diff_mode:
    description: It changes nothing, so there is nothing to compare.
    support: none
  idempotent:
    description: The same state gives the same report.
    support: full
notes:
  - Runs once for the whole play, on the controller, and opens no connection.
"""

EXAMPLES = r"""
- name: Look at every host
  barehost.django.stack_info:
    project: demo
    project_dir: /opt/demo
  register: stack_info

- name: Show it
  barehost.django.status_report:
    format: "{{ status_format | default('text') }}"
"""

RETURN = r"""
report:
  description: >-
    The document - for each host C(verdict) (C(ok), C(attention), C(absent), C(unreachable)), C(problems) and what was
    found.
  returned: always
  type: dict
  sample: {hosts: {web1: {verdict: attention, problems: [worker is exited]}}}
"""
