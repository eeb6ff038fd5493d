#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ensure the secrets of a stack."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_secrets
short_description: Ensures the secrets of a stack, given or generated once
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Each secret is a file below O(dir), 0600, with no line break at its end. A value that is given is written there; one
    that is not is generated once and kept from then on.
  - Everything is checked before anything is written.
extends_documentation_fragment:
  - barehost.django.lock
attributes:
  check_mode:
    description: Returns values as a real run would, generated ones only for this run, and writes nothing.
    support: full
  diff_mode:
    description: Shows names, never values.
    support: full
  idempotent:
    description: A secret that is kept is not generated again.
    support: full
options:
  dir:
    description: Directory of the secrets; made with mode 0700 where it is missing, as is the directory above it, with 0750.
    type: path
    required: true
  secrets:
    description:
      - Name to a mapping with C(value) (text; generated where it is empty), C(length) (of a generated value, 16 to
        512, 50 by default) and C(alphabet) (its characters, C([A-Za-z0-9]) by default).
      - C(fixed) says that the secret is never given a new value by O(rotate).
      - C(volume) is the volume of the stack whose data was made with the secret, and C(copies) a list of files below the
        stack's directory that hold the value, each with C(file), C(form) (C(text), the whole file; C(option), MySQL's;
        C(dotenv)) and, for the last two, C(key). Where the file of such a secret is missing or empty, its value is read
        back from a copy, with a warning. Where no copy is left, no value is given and the volume is there, the module
        fails before anything is written.
      - The value of before is noted below C(lock) of the stack's directory until the deploy has come to its good end, and one
        that fails goes back to it. Where a deploy was cut off that had given a secret with a C(volume) another value, a third
        one is refused, since the server takes two.
    type: dict
    required: true
  rotate:
    description: Names of generated secrets that get a new value once, in this call; left alone where that was cut off before.
    type: list
    elements: str
    default: []
  project:
    description: Name of the Compose project, with which the names of its volumes begin.
    type: str
    default: ""
notes:
  - RV(values) holds the secrets in clear text. Give the task C(no_log).
"""

EXAMPLES = r"""
- name: Ensure the secrets
  barehost.django.stack_secrets:
    dir: /opt/shop/secrets
    secrets:
      secret_key: {length: 64}
      mysql_password:
        value: "{{ vault_mysql_password | default('') }}"
        volume: mysql
        copies: [{file: mysql/secrets/client.cnf, form: option, key: password}]
    rotate: "{{ stack_rotate_secrets }}"
    project: shop
  no_log: true
  register: shop_secrets
"""

RETURN = r"""
values:
  description: Every secret, name to value.
  type: dict
  returned: success
created:
  description: Names of the secrets that were not there before.
  type: list
  elements: str
  returned: success
updated:
  description: Names of the secrets whose file was replaced, for another value or a line break at its end.
  type: list
  elements: str
  returned: success
restored:
  description: Names of the secrets whose file was missing or empty and whose value was read back from a copy.
  type: list
  elements: str
  returned: success
ephemeral:
  description: Names of the secrets that were generated for this check only.
  type: list
  elements: str
  returned: success
"""

from pathlib import Path
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _before, _compose, _files, _lock, _secrets

ARGUMENTS: dict[str, Any] = {
    **_lock.ARGUMENTS,
    "dir": {"type": "path", "required": True},
    "secrets": {"type": "dict", "required": True, "no_log": True},
    "rotate": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "project": {"type": "str", "default": ""},
}
WORDS = {"create": "made", "restore": "read back from a copy", "update": "replaced", "attributes": "closed"}


def given_values(specs: dict[str, Any]) -> set[str]:
    """Return what must not be printed. Lengths and alphabets, which `no_log` takes too, would blank innocent text."""
    values = (spec.get("value") for spec in specs.values() if isinstance(spec, dict))
    return {str(value) for value in values if value}


def origin(step: _secrets.Step) -> str:
    """Say where a value comes from, where the action does not say it."""
    if step.action == "restore":
        return ""
    return "given, " if step.given else "generated, "


def diff_of(steps: list[_secrets.Step]) -> dict[str, str]:
    """Return what changes, with names only."""
    changing = [step for step in steps if step.action != "keep"]
    before = "".join(f"{step.name}\n" for step in changing if step.action not in ("create", "restore"))
    after = "".join(f"{step.name} ({origin(step)}{WORDS[step.action]})\n" for step in changing)
    return {"before": before, "after": after}


def names(steps: list[_secrets.Step], action: str) -> list[str]:
    """Return the names of the secrets to which something is done."""
    return [step.name for step in steps if step.action == action]


def invocation(params: dict[str, Any]) -> dict[str, Any]:
    """Return what the result says of the call: names, and nothing of what stands under them, well-formed or not."""
    return {
        "module_args": {**params, "secrets": dict.fromkeys(params["secrets"], "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER")}
    }


def earlier_values(folder: Path) -> dict[str, str]:
    """Return the secrets of before a deploy that came to no end."""
    noted = _before.load(folder.parent)
    found = {path.rpartition("/")[2]: state for path, state in noted.items() if path.startswith(f"{folder.name}/")}
    return {name: str(state["content"]).removesuffix("\n") for name, state in found.items() if state}


def volume_test(module: AnsibleModule) -> Callable[[str], bool]:
    """Return what says whether the stack has a volume.

    An engine that does not answer is no proof that there is none: then a rendered Compose file stands for the data.
    """

    def has_volume(volume: str) -> bool:
        name = f"{module.params['project']}_{volume}"
        if module.get_bin_path("docker") is not None:
            code, out, _ = module.run_command(["docker", "volume", "ls", "--quiet", "--filter", f"name={name}"])
            if code == 0:
                return name in out.split()
        return (Path(module.params["dir"]).parent / _compose.BASE_FILE).exists()

    return has_volume


def main() -> None:
    """Check, write, return."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    specs = module.params["secrets"]
    module.no_log_values.clear()
    module.no_log_values.update(given_values(specs))
    called = invocation(module.params)
    folder = Path(module.params["dir"])
    _lock.step_until_exit(module, str(folder.parent), "secrets")
    try:
        steps = _secrets.plan(
            folder, specs, volume_test(module), rotate=module.params["rotate"], earlier=earlier_values(folder)
        )
        settled = _secrets.folder_is_settled(folder)
    except (_secrets.SecretError, OSError) as error:
        module.fail_json(msg=str(error), invocation=called)
    changed = not settled or any(step.action != "keep" for step in steps)
    if changed and not module.check_mode:
        try:
            # A deploy that fails goes back to them, as to its files.
            _before.note(folder.parent, [f"{folder.name}/{name}" for name in names(steps, "update")])
            _secrets.settle_folder(folder)
            for step in steps:
                _secrets.carry_out(folder, step)
            _files.sync(folder)
        except OSError as error:
            module.fail_json(msg=f"cannot write below {folder}: {error.strerror}", invocation=called)
    ephemeral = [step.name for step in steps if module.check_mode and step.action == "create" and not step.given]
    for step in steps:
        if step.action == "restore":
            module.warn(f"{folder / step.name} was missing or empty: restored from {step.source}")
    # From here on the values are what was asked for: a mask would blank them, and cut pieces out of other ones.
    module.no_log_values.clear()
    module.exit_json(
        changed=changed,
        values={step.name: step.value for step in steps},
        created=names(steps, "create"),
        updated=names(steps, "update"),
        restored=names(steps, "restore"),
        ephemeral=ephemeral,
        invocation=called,
        **({"diff": diff_of(steps)} if changed else {}),
    )


if __name__ == "__main__":
    main()
