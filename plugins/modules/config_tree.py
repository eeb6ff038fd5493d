#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Install a tree of configuration files in one round trip."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_tree
short_description: Renders trees of templates and installs them in one round trip
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Renders every template below the C(templates/) folder of the roles named in O(trees) on the controller; the path of a
    template below C(templates/), without C(.j2), is the path of the file below O(dest).
  - The whole tree travels in one module call. Every file is written beside its target and renamed over it.
  - How the files were before is kept in C(lock/before.json) below O(dest), for root alone since it holds secrets too, until
    M(barehost.django.deploy_lock) gives the lock back with a good end; a data service that does not start gets them back.
  - Where containers of O(project) are there, nothing is put in place before every command in O(validate) has accepted the whole
    new tree in a staging directory. Where none is, only the commands on the host are run before; no image is pulled to ask a
    service, since nothing serves that could break, and what it says is seen when it is started.
  - A service is asked in a container of its image, which is removed afterwards. In check mode none is made - there it is asked
    in the container that runs, with a copy of the files in its memory.
extends_documentation_fragment:
  - barehost.django.lock
attributes:
  check_mode:
    description:
      - Reports what would change and writes nothing on a disk. What the commands in O(validate) refuse is refused as in a real
        run; who cannot be asked is in RV(unchecked), with a warning. A command on the host is run only where C(/dev/shm) can be
        written to.
    support: full
  diff_mode:
    description: Shows each file that changes; in a secret file each value is replaced by a number.
    support: full
  idempotent:
    description: A second run with the same variables changes nothing.
    support: full
options:
  dest:
    description: Directory on the host that receives the trees; made with mode 0750 where it is missing.
    type: path
    required: true
  trees:
    description: What to render, in this order. A later template can read RV(digests) of the earlier ones.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Name of the service that the files belong to., type: str, required: true}
      role:
        description: Role whose templates are rendered, by its full name (C(namespace.collection.role)) or by the path of its folder.
        type: str
        required: true
      owner:
        description: User id that owns the secret files; files that are not secret belong to root.
        type: int
        default: 0
      mode:
        description: Mode of the files that are not secret.
        type: str
        default: "0644"
      secret:
        description: Patterns of the files (below O(dest)) that hold secrets; they get O(trees[].secret_mode) and are masked in a diff.
        type: list
        elements: str
        default: []
      secret_mode:
        description: Mode of the secret files.
        type: str
        default: "0400"
      managed:
        description: Directories (below O(dest)) that hold nothing but these files; anything else in them is removed.
        type: list
        elements: str
        default: []
      directories:
        description:
          - Directories (below O(dest)) to have, each with its mode; what is in them is not looked at. They belong to the user who
            runs the module, root, unless everybody may write into them.
          - The directories of the files, where they are not among these, have the mode 0755 and the same owner.
        type: dict
        default: {}
      stamp:
        description:
          - Path (below O(dest)) of a file that carries the digest of all others of its tree, so that a running service can be
            asked which configuration it has loaded. Its template reads C(config_tree_digest). It is not part of the digest.
        type: str
        default: ""
      executable:
        description: Patterns of the files (below O(dest)) that are commands; they get the mode 0755.
        type: list
        elements: str
        default: []
      only:
        description: Patterns of the files (below O(dest)) of the role that belong to this tree; where there are none, all of them do.
        type: list
        elements: str
        default: []
      programs:
        description:
          - Directories (below O(dest)), each with the name of a module of the collection's C(module_utils) that is put there with
            all that it imports from there, as the path of a program.
        type: dict
        default: {}
      live:
        description: Patterns of the files (below O(dest)) that take effect without a restart, and are not part of the digest.
        type: list
        elements: str
        default: []
      variants:
        description: Files that are rendered from the template of another one, with other values of some variables.
        type: list
        elements: dict
        default: []
        suboptions:
          path: {description: Path of the file below O(dest)., type: str, required: true}
          of: {description: Path of the file whose template is taken., type: str, required: true}
          variables:
            description: Name of a variable to the name of the one whose value it has there. So no value stands among the parameters.
            type: dict
            required: true
      values:
        description: Files that hold the value of a variable and nothing else, for one user alone (0400).
        type: list
        elements: dict
        default: []
        suboptions:
          path: {description: Path of the file below O(dest)., type: str, required: true}
          variable: {description: Where the value is; no value stands among the parameters., type: str, required: true}
          owner: {description: User id that the file belongs to., type: int, default: 0}
          variables: {description: "As of O(trees[].variants).", type: dict, default: {}}
  project:
    description: Name of the Compose project whose containers are asked in check mode; empty where there is none.
    type: str
    default: ""
  validate:
    description:
      - Commands that must accept the staged tree before it is put in place.
      - A command is run when a file of its service changes, or when any file does and the service runs another image than O(validate[].image);
        one of the service V(*) when any file does.
    type: list
    elements: dict
    default: []
    suboptions:
      service:
        description: Name of the tree that the command checks.
        type: str
        required: true
      command:
        description:
          - The command and its arguments. On the host C({staging}) stands for the path of the staged tree, in a container
            C({scratch}) for a folder in memory that the command may write to.
        type: list
        elements: str
        required: true
      image:
        description: Image in whose container the command runs; empty runs it on the host.
        type: str
        default: ""
      mounts:
        description: Folders (below O(dest)) that the command reads, each with its path in the container.
        type: dict
        default: {}
      user:
        description: User of the command in the container; empty is the image's own.
        type: str
        default: ""
      entrypoint:
        description: Whether the command is handed to the image's entrypoint.
        type: bool
        default: false
      accepted:
        description: Regular expressions; a command whose output one of them matches has accepted the files, whatever its exit code.
        type: list
        elements: str
        default: []
      box:
        description: Options of C(docker run) for the container that is asked, which is to have no more than the service has.
        type: list
        elements: str
        default: []
  files:
    description: The rendered files. Set by the action plugin; not for playbooks.
    type: list
    elements: dict
    suboptions:
      path: {description: Path below O(dest)., type: str, required: true}
      content: {description: Text of the file., type: str, required: true}
      service: {description: Name of the tree., type: str, required: true}
      owner: {description: User id., type: int, default: 0}
      group: {description: Group id., type: int, default: 0}
      mode: {description: Octal mode., type: str, default: "0644"}
      secret: {description: Whether its values are masked., type: bool, default: false}
"""

EXAMPLES = r"""
- name: Install the configuration of every service
  barehost.django.config_tree:
    dest: /opt/app
    trees:
      - name: redis
        role: barehost.django.redis
        owner: 999
        secret: [redis/redis.conf]
        managed: [redis]
"""

RETURN = r"""
changes:
  description: What was done, or would be done, to each file.
  type: list
  elements: dict
  returned: always
  sample: [{path: redis/redis.conf, service: redis, action: update}]
changed_services:
  description: Names of the trees with a changed file.
  type: list
  elements: str
  returned: always
unchecked:
  description:
    - Services that would have to be asked whether they accept their files, and could not be in this dry run; V(the stack) where
      that is so of the command for all of them.
  type: list
  elements: str
  returned: in check mode
digests:
  description: For each tree, 16 hex digits that stand for the content of all its files.
  type: dict
  returned: success
file_digests:
  description: The same for each file.
  type: dict
  returned: success
"""

import contextlib
import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _before, _litter, _lock, _tree, _validate

TEXT = {"type": "str", "required": True}
ROOT = {"type": "int", "default": 0}
FILE_SPEC: dict[str, Any] = {
    "path": TEXT,
    "content": TEXT,
    "service": TEXT,
    "owner": ROOT,
    "group": ROOT,
    "mode": {"type": "str", "default": "0644"},
    "secret": {"type": "bool", "default": False, "no_log": False},
}
VARIANT_SPEC: dict[str, Any] = {"path": TEXT, "of": TEXT, "variables": {"type": "dict", "required": True}}
VALUE_SPEC: dict[str, Any] = {
    "path": TEXT,
    "variable": TEXT,
    "owner": ROOT,
    "variables": {"type": "dict", "default": {}},
}
TREE_SPEC: dict[str, Any] = {
    "name": TEXT,
    "role": TEXT,
    "owner": ROOT,
    "mode": {"type": "str", "default": "0644"},
    "secret": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "secret_mode": {"type": "str", "default": "0400", "no_log": False},
    "managed": {"type": "list", "elements": "str", "default": []},
    "directories": {"type": "dict", "default": {}},
    "stamp": {"type": "str", "default": ""},
    "executable": {"type": "list", "elements": "str", "default": []},
    "only": {"type": "list", "elements": "str", "default": []},
    "programs": {"type": "dict", "default": {}},
    "live": {"type": "list", "elements": "str", "default": []},
    "variants": {"type": "list", "elements": "dict", "options": VARIANT_SPEC, "default": []},
    "values": {"type": "list", "elements": "dict", "options": VALUE_SPEC, "default": []},
}
DEST_MODE = 0o750


def hide_secrets(module: AnsibleModule, specs: dict[str, _tree.FileSpec]) -> None:
    """Mask what is secret and only that: a mask over every path and mode would blank innocent answers."""
    module.no_log_values.clear()
    module.no_log_values.update(spec.content.strip() for spec in specs.values() if spec.secret and spec.content.strip())


def validate(module: AnsibleModule, specs: list[_tree.FileSpec], changed_services: set[str], dest: Path) -> list[str]:
    """Have each command that a change concerns look at the new tree; return the services that a dry run cannot ask."""
    questions = [_validate.Question.from_params(item) for item in module.params["validate"]]
    if not questions:
        return []
    if module.check_mode and module.get_bin_path("docker") is None:
        return [question.whose for question in questions if question.service in {"*", *changed_services}]
    asker = _validate.Asker(lambda argv, data: module.run_command(argv, data=data), module.params["project"], str(dest))
    contents = {spec.path: spec.content for spec in specs} if module.check_mode else None
    # Below dest, and so 0750, root: a system-wide temporary directory is not the place for secrets. A dry run leaves the disk
    # alone.
    place = (_validate.MEMORY if os.access(_validate.MEMORY, os.W_OK) else "") if module.check_mode else str(dest)
    with _litter.staging(place) if place else contextlib.nullcontext() as staging:
        if staging:
            for spec in specs:
                _tree.write(Path(staging), spec)
        for answer in asker.answers(questions, changed_services, staging, contents):
            refusal = answer.refusal("nothing was changed")
            if refusal:
                module.fail_json(msg=refusal, service=answer.question.service)
    return asker.unchecked


def install(specs: dict[str, _tree.FileSpec], changes: list[_tree.Change], dest: Path) -> None:
    """Carry the changes out."""
    for change in changes:
        if change.action == "remove":
            (dest / change.path).unlink(missing_ok=True)
        elif change.action == "directory":
            _tree.make_directory(dest, change.path, int(change.after.split()[0], 8))
        elif change.action == "attributes":
            _tree.settle(dest, specs[change.path])
        else:
            _tree.write(dest, specs[change.path])


def main() -> None:
    """Compare, validate, install."""
    module = AnsibleModule(
        argument_spec={
            **_lock.ARGUMENTS,
            "dest": {"type": "path", "required": True},
            "trees": {"type": "list", "elements": "dict", "options": TREE_SPEC, "required": True},
            "project": {"type": "str", "default": ""},
            "validate": {"type": "list", "elements": "dict", "options": _validate.OPTIONS, "default": []},
            # As a whole, so that no content reaches the host's journal; hide_secrets narrows it down to what is secret.
            "files": {"type": "list", "elements": "dict", "options": FILE_SPEC, "no_log": True},
        },
        supports_check_mode=True,
    )
    dest = Path(module.params["dest"])
    if module.params["files"] is None:
        module.fail_json(msg="config_tree renders on the controller: call it as a task, not through another action")
    _lock.step_until_exit(module, str(dest), _before.INSTALLING)
    try:
        converge(module, dest)
    except OSError as error:
        module.fail_json(
            msg=f"the files below {dest} could not be brought up: {error}; put right what is there, then run the same again"
        )


def converge(module: AnsibleModule, dest: Path) -> None:
    """Compare what is there with what is wanted, and install the difference."""
    specs = {spec.path: spec for spec in map(_tree.FileSpec.from_params, module.params["files"])}
    # Every result repeats the parameters; nobody needs the contents there.
    module.params["files"] = sorted(specs)
    hide_secrets(module, specs)
    for text in _litter.clear_staging([Path(_validate.MEMORY), *([] if module.check_mode else [dest])]):
        module.warn(text)
    found = {path: _tree.read(dest, path) for path in specs}
    changes = [c for c in (_tree.compare(spec, found[path]) for path, spec in specs.items()) if c is not None]
    # What is world-writable below it relies on this directory, and so its mode is looked at like any other. Where it is not there
    # yet, it comes with its files; in a real deploy the lock has made it already, and a dry run has to say the same.
    there = dest.is_dir()
    changes += _tree.compare_directory(dest, ".", DEST_MODE, "stack") if there else []
    for tree in module.params["trees"]:
        for path in _tree.strays(dest, tree["managed"], specs):
            stray = _tree.read(dest, path)
            changes.append(_tree.Change(path, tree["name"], "remove", stray.content if stray else ""))
        for path, mode in tree["directories"].items():
            changes += _tree.compare_directory(dest, path, int(mode, 8), tree["name"])
    declared = [path for tree in module.params["trees"] for path in tree["directories"]]
    changes += _tree.compare_parents(dest, specs.values(), declared)
    services = {change.service for change in changes}
    if changes and not module.check_mode:
        dest.mkdir(mode=DEST_MODE, parents=True, exist_ok=True)
        if not there:
            dest.chmod(DEST_MODE)
    unchecked = validate(module, list(specs.values()), services, dest) if changes else []
    if changes and not module.check_mode:
        _before.note(dest, [change.path for change in changes if change.action in ("create", "update", "remove")])
        install(specs, changes, dest)
    if unchecked and module.check_mode:
        module.warn(
            f"This dry run could not ask {', '.join(unchecked)} whether the new configuration is accepted: that takes a running "
            "container of the same image, and Compose and memory to write to for the stack. The real run finds out."
        )
    module.exit_json(
        changed=bool(changes),
        changes=[{"path": c.path, "service": c.service, "action": c.action} for c in changes],
        changed_services=sorted(services),
        **({"unchecked": unchecked} if module.check_mode else {}),
        # A file that nobody asks for may be anything, so it is shown like a secret one.
        diff=[_tree.diff_of(c, str(dest), secret=c.path not in specs or specs[c.path].secret) for c in changes],
    )


if __name__ == "__main__":
    main()
