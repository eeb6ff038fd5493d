#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Collect the static files of a release, and plan its migrations."""

from __future__ import annotations

DOCUMENTATION = r"""
module: django_prepare
short_description: Collects the static files of a release and plans its migrations
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Runs Django's C(collectstatic) in a one-shot container of the app, into a fresh directory on the host that is
    mounted at O(static_root), whatever the app's settings say. The directory becomes C(static/<release_id>) below
    O(project_dir) by a rename, once it is whole and on the disk; one that is there is whole and left alone.
  - Before that, in the same container, Django says which migrations the database misses, and what each of their operations
    means for code of an earlier release, as M(barehost.django.django_migrate) describes it. Nothing is applied. Where the
    files are there already, a container plans by itself, or the one that serves is asked.
  - Where the plan fails or is refused, nothing is collected.
  - Where the database has migrations that the image does not have, that is a warning. It is refused where one of them took
    something away, by the records of the releases, and the release is not the one that serves.
  - What Django has said is kept in the record of O(release_id), for a way back.
  - A container of an earlier run that still applies migrations or collects is waited for, O(timeout) seconds at most.
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.oneshot
attributes:
  check_mode:
    description:
      - Starts no container, and asks the one that serves. Where O(release_id) is another release, it is asked through its
        O(source), which is in the memory of that container for as long, with the packages of the release that serves.
      - Says so where nothing can be asked yet, as on a bare host, or for a release that is built from git or pulled. Of the
        release that serves, while none of its containers runs, its record is believed.
    support: full
  diff_mode:
    description: >-
      Shows the files that the release adds, removes and changes in comparison with the current one; in check mode by the names
      that they have in the source.
    support: full
  idempotent:
    description: A release whose files are there is not collected again.
    support: full
options:
  release_id:
    description: Id of the release.
    type: str
    required: true
  source:
    description: Folder on the controller with the release's source, for a dry run; without it only the serving release can be asked.
    type: path
  dockerfile:
    description: Path of the Dockerfile below O(source).
    type: str
    default: Dockerfile
  context:
    description: Archive of O(source) on the host. Set by the action plugin; not for playbooks.
    type: path
  definition:
    description:
      - What O(service) should be made from. A container of O(release_id) that runs and was made from just that is asked for the
        plan, which spares one of its own.
    type: str
    default: ""
  collect:
    description: Whether the app has static files.
    type: bool
    default: true
  static_root:
    description: Where the directory is mounted in the container.
    type: str
    default: /app/staticfiles
  collect_timeout:
    description: Seconds after which the container that collects is stopped; with O(timeout) on top where it plans as well.
    type: int
    default: 300
  serving:
    description: Whether code of an earlier release serves now, and goes on while the migrations run.
    type: bool
    default: false
  allow_destructive:
    description: Whether operations that break the code of O(serving) may be planned.
    type: bool
    default: false
  allow_schema_mismatch:
    description: Whether to go on although the database has destructive migrations that the image does not have.
    type: bool
    default: false
  superuser:
    description:
      - The superuser that there should be, about which Django is asked while it is at it; nothing is done to it.
      - Without O(superuser_password) nothing is asked.
    type: dict
    suboptions:
      username: {description: Name of the user., type: str, required: true}
      email: {description: Email address of the user., type: str, default: ""}
      fields: {description: Values of further fields., type: dict, default: {}}
  superuser_password:
    description: Password of O(superuser).
    type: str
  database:
    description: Alias of the database in Django's C(DATABASES).
    type: str
    default: default
  timeout:
    description: Seconds after which a container that only plans is stopped.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Collect the static files of the new release, and plan its migrations
  barehost.django.django_prepare:
    project_dir: /opt/shop
    compose_files:
      - /opt/shop/compose.yaml
      - /opt/shop/releases/0a1b2c3d4e5f.yaml
    release_id: 0a1b2c3d4e5f
"""

RETURN = r"""
static:
  description: What became of the static files.
  type: dict
  returned: where O(collect) is true
  contains:
    changed:
      description: Whether they were collected now.
      type: bool
      returned: success
    directory:
      description: Directory of the files.
      type: str
      returned: success
    files:
      description: How many files it holds.
      type: int
      returned: success
    bytes:
      description: How large they are together.
      type: int
      returned: success
    added:
      description: How many files the current release does not have.
      type: int
      returned: when collected
    removed:
      description: How many files only the current release has.
      type: int
      returned: when collected
    differing:
      description: How many files differ from those of the current release.
      type: int
      returned: when collected
plan:
  description: The migrations that the database misses, in their order.
  type: list
  elements: dict
  returned: where Django could be asked
  sample:
    - migration: shop.0002_price
      operations:
        - text: Add field price to item
          kind: additive
          reason: ""
          reversible: true
kinds:
  description: Number of operations of each kind in the plan, and of those that Django cannot undo.
  type: dict
  returned: where Django could be asked
  sample: {additive: 1, destructive: 0, data: 0, irreversible: 0}
heads:
  description: For each app in the image, its last migration.
  type: dict
  returned: where Django could be asked
  sample: {shop: 0002_price}
unknown:
  description: Migrations that the database has applied and the image does not have. The schema is ahead of the image.
  type: list
  elements: str
  returned: where Django could be asked
plan_known:
  description: Whether Django could be asked; false only in check mode on a host that is not far enough.
  type: bool
  returned: always
unknown_because:
  description: Why Django could not be asked; empty where it could.
  type: str
  returned: always
superuser_settled:
  description: Whether O(superuser) is as it should be.
  type: bool
  returned: where O(superuser) is given, no migration is missing, and Django could say it
error:
  description: Name of the class of the error.
  type: str
  returned: on a failure that Django reported
detail:
  description: Traceback and last output.
  type: str
  returned: on failure
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _lock, _oneshot, _run_prepare


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**_oneshot.ARGUMENTS, **_lock.ARGUMENTS, **_run_prepare.OPTIONS, **_run_prepare.SECRETS},
        supports_check_mode=True,
    )
    _lock.step_until_exit(module, module.params["project_dir"], _run_prepare.STEP)
    module.exit_json(**_run_prepare.run(module))


if __name__ == "__main__":
    main()
