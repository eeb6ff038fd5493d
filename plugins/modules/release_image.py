#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have the image of a release on the host, and its candidate file beside the Compose file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_image
short_description: Has the image of a release on the host
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Takes the application from a folder of the controller (O(source)), from a git repository that the host clones (O(git)) or
    from a registry as a ready image (O(reference)); exactly one of them is given.
  - The release id follows from the content - the hash of the folder that the caller gives, the commit and the build inputs, or
    the id of the ready image - so the same content is never built or pulled twice.
  - Whatever its origin, the image is C(<repository>:<release id>) on the host afterwards.
  - At the same time brings up the services in O(beside), which the release needs and which do not depend on its image. Those
    that somebody may be using already are touched only once the image is there.
  - Writes C(releases/<id>.yaml), the Compose file that puts the image into the application's services.
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.engine
attributes:
  check_mode:
    description: >-
      Says whether an image would be built or pulled; sends, clones, builds and pulls nothing. It asks the git repository what a
      branch or tag means, and the registry of O(reference) for the digest. Where git or Docker is not there yet, or an image is
      only to be pulled, the release id is not known yet.
    support: full
  diff_mode:
    description: Names the image that would be built or pulled.
    support: full
  idempotent:
    description: An image that is there is not built or pulled again; a tag that moved is another release.
    support: full
options:
  project_dir:
    description: Directory of the Compose project; a clone is kept in C(source/) below it.
    type: path
    required: true
  repository:
    description: Name of the image on the host, without a tag.
    type: str
    required: true
  services:
    description: Names of the services that run the image.
    type: list
    elements: str
    required: true
  release_id:
    description: Id of the release that is built from O(source); the other origins name it themselves.
    type: str
  source:
    description: Folder on the controller that holds the Dockerfile.
    type: path
  git:
    description: Git repository that the host fetches from.
    type: dict
    suboptions:
      repository:
        description: Its URL or path, without a password.
        type: str
        required: true
      revision:
        description: Full commit id, tag or branch; a name is resolved once, and the commit decides the release.
        type: str
        required: true
      subdirectory:
        description: Folder of the repository that is the build context; empty is all of it.
        type: str
        default: ""
      username:
        description: Name that goes with O(git_token).
        type: str
        default: x-access-token
      known_hosts:
        description: Lines of a C(known_hosts) file; empty leaves those of the host.
        type: str
  git_token:
    description: Token or password for a repository over https.
    type: str
  git_ssh_key:
    description: Private key for a repository over SSH.
    type: str
  reference:
    description: Ready image in a registry, by tag or digest.
    type: str
  registry_username:
    description: Name at the registry of O(reference) or O(push_to).
    type: str
  registry_password:
    description: Its password.
    type: str
  push_to:
    description: >-
      Repository in a registry. With it the controller builds O(source) and pushes it there under the release id, and the host
      only pulls.
    type: str
  dockerfile:
    description: Path of the Dockerfile below the build context.
    type: str
    default: Dockerfile
  build_args:
    description: Build arguments; not for secrets, they stay in the image's history.
    type: dict
    default: {}
  build_secrets:
    description: BuildKit secrets, id to content. They decide nothing about the release id, and are in no layer.
    type: dict
    default: {}
  keep:
    description: >-
      Releases that stay on the host when room is made before a build or pull, the one that serves included; and as many of the
      newest dumps that were made before migrations.
    type: int
    default: 5
  timeout:
    description:
      - Seconds within which the image must be on the host, whatever it takes there - a clone, a build, a pull.
      - Where the controller builds and pushes, that has as many of its own, and with them it waits for another build of the same
        release there.
    type: int
    default: 3600
  labels:
    description: Labels of an image that is built; those of the release and its revision are added.
    type: dict
    default: {}
  beside:
    description:
      - Services that have to be up when the module ends, as M(barehost.django.compose_up) takes them - C(project), C(services),
        C(definitions), C(images), C(timeout), C(remove_orphans), C(reload), C(ahead); none without it.
      - C(validate) lists how services are asked whether they accept their files, as O(barehost.django.config_tree#module:validate)
        describes it. Those that are new are asked beside the image, before they are started.
      - Where one that was there does not come up with its new files, the files that M(barehost.django.config_tree) has replaced
        go back, and it is made anew from them; the module fails.
    type: dict
  there:
    description: >-
      Ids of the releases whose image the host is known to have. Where O(release_id) is none of them, O(source) is sent without
      asking the host first; without it the host is asked.
    type: list
    elements: str
  context:
    description: Archive of the build context on the host. Set by the action plugin; not for playbooks.
    type: path
  pushed:
    description: Whether the controller has pushed the image. Set by the action plugin; not for playbooks.
    type: bool
    default: false
  revision:
    description: Revision of O(source). Set by the action plugin; not for playbooks.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Build the release from a folder of the controller
  barehost.django.release_image:
    project_dir: /opt/app
    repository: app/app
    release_id: 3f9a0c1b2d4e
    services: [web, worker, beat]
    source: ../app

- name: Build the release from a tag
  barehost.django.release_image:
    project_dir: /opt/app
    repository: app/app
    services: [web]
    git:
      repository: https://git.example.com/team/app.git
      revision: v1.4.0

- name: Pull the release
  barehost.django.release_image:
    project_dir: /opt/app
    repository: app/app
    services: [web]
    reference: registry.example.com/team/app:1.4.0
"""

RETURN = r"""
release_id:
  description: Id of the release; V(not-known-yet) in a dry run that cannot know it.
  type: str
  returned: always
image:
  description: Name and tag of the image on the host.
  type: str
  returned: always
built:
  description: Whether an image was built, pulled or given its name, or would be.
  type: bool
  returned: always
action:
  description: >-
    What was done for it, or would be - V(build), V(pull), V(tag) where the image was there without its name, or nothing.
  type: str
  returned: always
image_id:
  description: Id of the image; empty in a dry run that would build or pull it.
  type: str
  returned: always
git_revision:
  description: >-
    Revision of the source, C(+) behind it where a folder differs from it; of a ready image what its label says; empty where
    nobody knows.
  type: str
  returned: always
seconds:
  description: What the build or pull took.
  type: float
  returned: when built
beside:
  description: What was done to the services of O(beside), or would be; as M(barehost.django.compose_up) returns it.
  type: dict
  returned: where O(beside) is given
msg:
  description: What was done or found, in one line.
  type: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _asleep, _lock, _run_image


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **_lock.ARGUMENTS,
            **_asleep.ARGUMENTS,
            "project_dir": {"type": "path", "required": True},
            **_run_image.OPTIONS,
            **_run_image.SECRETS,
        },
        supports_check_mode=True,
        **_run_image.RULES,
    )
    _lock.step_until_exit(module, module.params["project_dir"], _run_image.STEP)
    _asleep.listen(module)
    module.exit_json(**_run_image.run(module))


if __name__ == "__main__":
    main()
