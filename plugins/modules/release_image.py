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
  - The release id is the hash of the build context and the build inputs, so the same content is never built twice.
  - Where the image is missing, the context is packed on the controller, sent to the host and built there by BuildKit.
  - Writes C(releases/<id>.yaml), the Compose file that puts the image into the application's services.
attributes:
  check_mode:
    description: Says whether the image would be built; sends and builds nothing.
    support: full
  diff_mode:
    description: Names the image that would be built.
    support: full
  idempotent:
    description: An image that is there is not built again.
    support: full
options:
  project_dir:
    description: Directory of the Compose project.
    type: path
    required: true
  release_id:
    description: Id of the release.
    type: str
    required: true
  image:
    description: Reference that the image gets.
    type: str
    required: true
  services:
    description: Names of the services that run the image.
    type: list
    elements: str
    required: true
  source:
    description: Folder on the controller that holds the Dockerfile.
    type: path
    required: true
  dockerfile:
    description: Path of the Dockerfile below O(source).
    type: str
    default: Dockerfile
  build_args:
    description: Build arguments; not for secrets, they stay in the image's history.
    type: dict
    default: {}
  labels:
    description: Labels of the image.
    type: dict
    default: {}
  context:
    description: Archive of the build context on the host. Set by the action plugin; not for playbooks.
    type: path
"""

EXAMPLES = r"""
- name: Build the release
  barehost.django.release_image:
    project_dir: /opt/app
    release_id: 3f9a0c1b2d4e
    image: app/app:3f9a0c1b2d4e
    services: [web, worker, beat]
    source: ../app
"""

RETURN = r"""
built:
  description: Whether the image was built, or would be.
  type: bool
  returned: always
image_id:
  description: Id of the image; empty in a dry run that would build it.
  type: str
  returned: always
git_revision:
  description: Revision of the source, C(+) behind it where the source differs from it; empty without git.
  type: str
  returned: always
seconds:
  description: What the build took.
  type: float
  returned: when built
"""

import tarfile
import tempfile
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _compose, _release


def build_cmd(
    image: str, dockerfile: str, build_args: dict[str, str], labels: dict[str, str], context: str
) -> list[str]:
    """Return the argv that builds an image."""
    argv = ["docker", "build", "--progress", "plain", "--tag", image, "--file", f"{context}/{dockerfile}"]
    for name, value in sorted(build_args.items()):
        argv += ["--build-arg", f"{name}={value}"]
    for name, value in sorted(labels.items()):
        argv += ["--label", f"{name}={value}"]
    return [*argv, context]


def image_id(module: AnsibleModule, image: str) -> str:
    """Return the id of an image, or an empty text where it is missing."""
    if module.get_bin_path("docker") is None:
        return ""
    code, out, _ = module.run_command(_compose.image_cmd([image]))
    return _compose.parse_image_ids(out).get(image, "") if code == 0 else ""


def build(module: AnsibleModule) -> float:
    """Unpack the context and build it; return the seconds that took."""
    params = module.params
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="context-", dir=module.tmpdir) as folder:
        with tarfile.open(params["context"]) as archive:
            # Written by our own action plugin a moment ago; members are relative by construction.
            archive.extractall(folder)  # noqa: S202
        argv = build_cmd(params["image"], params["dockerfile"], params["build_args"], params["labels"], folder)
        code, out, err = module.run_command(argv, environ_update={"DOCKER_BUILDKIT": "1"})
    if code != 0:
        module.fail_json(
            msg=f"building {params['image']} failed (exit {code}); the release that serves is untouched. "
            f"The end of the build's output:\n{(err or out).strip()[-3000:]}",
        )
    return round(time.monotonic() - started, 1)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "project_dir": {"type": "path", "required": True},
            "release_id": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "services": {"type": "list", "elements": "str", "required": True},
            "source": {"type": "path", "required": True},
            "dockerfile": {"type": "str", "default": "Dockerfile"},
            "build_args": {"type": "dict", "default": {}},
            "labels": {"type": "dict", "default": {}},
            "context": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    found = image_id(module, params["image"])
    result = {"built": not found, "image_id": found, "needs_context": False}
    candidate = _release.candidate_path(params["project_dir"], params["release_id"])
    text = _release.override_text(params["release_id"], params["image"], params["services"])
    stale = not candidate.exists() or candidate.read_text(encoding="utf-8") != text
    diff = {"before": "", "after": ""}
    if not found:
        diff["after"] += f"image {params['image']}: build\n"
    if not module.check_mode:
        if not found and params["context"] is None:
            # The action plugin packs and sends the context only now that it is known to be needed.
            module.exit_json(changed=False, needs_context=True)
        if not found:
            result["seconds"] = build(module)
            result["image_id"] = image_id(module, params["image"])
        if stale:
            Path(params["project_dir"]).mkdir(mode=0o750, parents=True, exist_ok=True)
            _release.write_text(candidate, text)
    module.exit_json(changed=bool(not found or stale), diff=diff, **result)


if __name__ == "__main__":
    main()
