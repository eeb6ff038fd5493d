#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name: nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: http_probe
short_description: Check from the controller that a web site does what was promised
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Sends requests to a site from the controller, as a visitor would, and compares the answers with what is expected.
  - Can wait for a state within a deadline, carry a value from one answer into the next request, load everything that a
    page links to, and prove that ports do not answer from outside.
  - All checks are done, and all failures reported at once; passwords and headers do not appear in messages.
options:
  url:
    description: Base URL of the site, C(http://host[:port]) or C(https://host[:port]), with an optional path prefix.
    type: str
    required: true
  headers:
    description: Headers of every request, for example a C(Host) other than that of the URL.
    type: dict
    default: {}
  timeout:
    description: Seconds that a check with O(checks[].until) may take until it passes.
    type: float
    default: 60.0
  request_timeout:
    description: Seconds to wait for one answer.
    type: float
    default: 10.0
  verify_tls:
    description: Whether the certificate must be valid for the host of the URL.
    type: bool
    default: true
  ca_file:
    description: File on the controller with the certificates to trust in place of the system's.
    type: path
  checks:
    description: The requests, done in this order.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What the check proves; it stands in messages.
        type: str
        required: true
      path:
        description: Path below the base URL. C({name}) is replaced by a captured value.
        type: str
        default: /
      method:
        description: HTTP method.
        type: str
        default: GET
      headers:
        description: Further headers of this request. C({name}) is replaced by a captured value.
        type: dict
        default: {}
      json:
        description: Body of the request, sent as JSON. C({name}) in a string is replaced by a captured value.
        type: raw
      body:
        description: Body of the request, sent as it is.
        type: str
      basic_auth:
        description: Credentials, sent without being asked for.
        type: dict
        suboptions:
          username:
            description: Name of the user.
            type: str
            required: true
          password:
            description: Password of the user.
            type: str
            required: true
      status:
        description: Expected status code, or a list of codes of which one must be seen. A redirect is not followed.
        type: raw
        default: 200
      content_type:
        description: Expected media type, without parameters.
        type: str
      contains:
        description: Text that must be in the answer.
        type: str
      json_subset:
        description: JSON that must be in the answer; objects in the answer may have more keys.
        type: raw
      capture:
        description: Values to keep for later checks, name to dotted path in the JSON answer, for example C(items.0.id).
        type: dict
        default: {}
      assets:
        description: >-
          Load every style sheet, script and image of the page's own origin too; each must answer 200 with the right
          content type, and there must be at least one.
        type: bool
        default: false
      until:
        description: Repeat the check until it passes or O(checks[].timeout) is over.
        type: bool
        default: false
      retries:
        description: With O(checks[].until), how often to try again at most; 0 leaves it to the time.
        type: int
        default: 0
      delay:
        description: With O(checks[].until), seconds between two tries.
        type: float
        default: 1.0
      timeout:
        description: With O(checks[].until), seconds after which no new try begins; O(timeout) by default.
        type: float
  closed_ports:
    description: TCP ports that must not accept a connection.
    type: list
    elements: int
    default: []
  closed_host:
    description: Host on which O(closed_ports) are tried; that of O(url) by default.
    type: str
attributes:
  check_mode:
    description: Sends nothing and reports itself as skipped, since a dry run cannot prove that a site answers.
    support: full
  diff_mode:
    description: It changes nothing by itself, so there is nothing to compare.
    support: none
  idempotent:
    description: It changes nothing by itself; the requests that it is told to send may.
    support: partial
notes:
  - Runs on the controller and opens no connection to the host of the task.
  - The proxy settings of the environment are not used.
"""

EXAMPLES = r"""
- name: Look at the site as a visitor does
  barehost.django.http_probe:
    url: http://www.example.org
    checks:
      - name: health
        path: /health/
        json_subset: {status: ok}
        until: true
        timeout: 30
      - name: admin page with its style
        path: /admin/login/
        content_type: text/html
        assets: true
      - name: a job is taken
        method: POST
        path: /api/jobs/
        basic_auth: {username: admin, password: "{{ admin_password }}"}
        json: {capacity: 10, items: [{name: a, weight: 5, value: 3}]}
        status: 201
        capture: {job: id}
      - name: a worker finishes it
        path: /api/jobs/{job}/
        basic_auth: {username: admin, password: "{{ admin_password }}"}
        json_subset: {status: done}
        until: true
    closed_ports: [3306, 6379, 8000]
"""

RETURN = r"""
results:
  description: How each check went, in order.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
      returned: always
    ok:
      description: Whether the answer was as expected.
      type: bool
      returned: always
    status:
      description: Status code of the last answer, 0 when there was none.
      type: int
      returned: always
    url:
      description: Address that was asked.
      type: str
      returned: always
    seconds:
      description: Time from the first try to the last answer.
      type: float
      returned: always
    tries:
      description: How often the request was sent.
      type: int
      returned: always
    assets:
      description: How many linked files were loaded.
      type: int
      returned: when asked for
    message:
      description: What was seen in place of what was expected.
      type: str
      returned: always
closed:
  description: Each port that must be closed, with C(ok).
  returned: always
  type: list
  elements: dict
captured:
  description: The captured values.
  returned: always
  type: dict
msg:
  description: All failures in one line, or how many checks passed.
  returned: always
  type: str
  sample: "1 of 5 checks failed: health: GET http://www.example.org/health/: status 503, expected 200; answer: ''"
"""
