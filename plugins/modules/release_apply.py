#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have a release serve in one call, as far as that can be done in one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_apply
short_description: Has a release serve, from its image to the switch, in one call
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Does what M(barehost.django.release_image), M(barehost.django.django_prepare) and M(barehost.django.release_switch) do, one
    after the other, in one call instead of three. Each of them is a step of its own for the lock.
  - Ends with the image where it took more than 30 seconds to build or pull. Then the caller comes again for the rest, without
    O(image); so a controller that has gone meanwhile leaves nothing behind that goes on by itself.
  - Ends before the switch where migrations have to be applied, or where it is not known whether they have to. Then the caller
    goes on with M(barehost.django.django_migrate) and M(barehost.django.release_switch).
  - Where one part fails, those after it are not begun, and the result says what those before it did.
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.engine
attributes:
  check_mode:
    description: Each part says what it would do, as its own module does.
    support: full
  diff_mode:
    description: Shows what each part changes.
    support: full
  idempotent:
    description: A release that serves as it should is left alone.
    support: full
options:
  project_dir:
    description: Directory of the Compose project.
    type: path
    required: true
  image:
    description: Options of M(barehost.django.release_image), but for O(project_dir), O(lock) and the secrets.
    type: dict
  prepare:
    description:
      - Options of M(barehost.django.django_prepare), but for those that are options of the call. What follows from the image
        need not be said where O(image) is given, which is C(release_id) and C(compose_files).
    type: dict
  switch:
    description:
      - Options of M(barehost.django.release_switch), but for those that are options of the call. What follows from the image
        need not be said where O(image) is given, which is C(release_id) and C(image).
    type: dict
  git_token:
    description: Token or password for a git repository over https.
    type: str
  git_ssh_key:
    description: Private key for a git repository over SSH.
    type: str
  registry_password:
    description: Password at a registry.
    type: str
  build_secrets:
    description: BuildKit secrets, id to content.
    type: dict
    default: {}
  superuser_password:
    description: Password of the superuser in O(prepare).
    type: str
  git_revision:
    description: Revision of a source on the controller. Set by the action plugin; not for playbooks.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Have the release serve
  barehost.django.release_apply:
    project_dir: /opt/app
    image:
      repository: app/app
      release_id: 3f9a0c1b2d4e
      services: [web, worker, beat]
      source: ../app
    prepare:
      settings_module: settings
    switch:
      project: app
      services: "{{ stack_services | barehost.django.release_services }}"
      edge: "{{ stack_services | barehost.django.release_edge }}"
"""

RETURN = r"""
image:
  description: What M(barehost.django.release_image) returns.
  type: dict
  returned: where that part came to its end
prepare:
  description: What M(barehost.django.django_prepare) returns.
  type: dict
  returned: where that part came to its end
switch:
  description: What M(barehost.django.release_switch) returns. Where the switch fails, its results are those of the call itself.
  type: dict
  returned: where that part came to its end
msg:
  description: What was done or found.
  type: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _asleep, _run_apply


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=_run_apply.ARGUMENTS, supports_check_mode=True)
    _asleep.listen(module)
    module.exit_json(**_run_apply.run(module))


if __name__ == "__main__":
    main()
