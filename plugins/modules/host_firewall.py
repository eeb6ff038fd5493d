#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have the firewall of a host let in what a stack says, without locking anybody out."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_firewall
short_description: Has the firewall of a host let in what a stack says
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Keeps one table of nftables, C(inet barehost), for all stacks of a host, and loads it before the network comes up.
  - New rules are tried first. They go back by themselves after O(seconds) unless a second call, with O(confirm), comes over a
    new connection. The files on the disk change only then.
  - The SSH connection that is used now is let in whatever O(part) says.
attributes:
  check_mode:
    description: Compares as a real run does and changes nothing. Where nft is not installed yet, the rules are not checked by it.
    support: full
  diff_mode:
    description: Shows the rules and the units.
    support: full
  idempotent:
    description: Rules that are loaded, on the disk and enabled are not loaded again.
    support: full
options:
  stack:
    description: Name of the stack whose part this is.
    type: str
    required: true
  state:
    description: V(absent) takes the part of the stack away, and the whole firewall with the last part.
    type: str
    choices: [present, absent]
    default: present
  part:
    description: What the stack lets in, as the filter P(barehost.django.firewall_part#filter) makes it.
    type: dict
    default: {}
  confirm:
    description: Whether this is the call that keeps what was tried before.
    type: bool
    default: false
  seconds:
    description: Seconds after which rules that nobody has confirmed go back.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Try the rules
  barehost.django.host_firewall:
    stack: shop
    part: "{{ shop_rules | barehost.django.firewall_part }}"
  register: shop_firewall

- name: Come in anew
  ansible.builtin.meta: reset_connection

- name: Keep them
  barehost.django.host_firewall:
    stack: shop
    part: "{{ shop_rules | barehost.django.firewall_part }}"
    confirm: true
"""

RETURN = r"""
pending:
  description: Whether the rules go back unless they are confirmed.
  type: bool
  returned: always
changes:
  description: The files that differ from what they should be, with C(path) and C(action).
  type: list
  elements: dict
  returned: always
reasons:
  description: "What was not as it should be: C(part), C(file), C(kernel), C(unit)."
  type: list
  elements: str
  returned: always
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _firewall_host, _host


def differences(before: dict[str, str], after: dict[str, str]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return the changes of files, and their diff."""
    changes, diff = [], []
    for path in sorted({*before, *after}):
        old, new = before.get(path, ""), after.get(path, "")
        if old != new:
            action = "update" if old and new else "create" if new else "remove"
            changes.append({"path": path, "service": "firewall", "action": action})
            diff.append({"before_header": path, "after_header": f"{path} ({action})", "before": old, "after": new})
    return changes, diff


def work(module: AnsibleModule) -> dict[str, Any]:
    """Do what is to be done."""
    params, run = module.params, module.run_command
    stack, part = params["stack"], params["part"] if params["state"] == "present" else None
    if params["confirm"] and module.check_mode:
        return {"changed": False, "changes": [], "reasons": [], "pending": False}
    if not params["confirm"] and not module.check_mode:
        _firewall_host.wait(run, params["seconds"])
    seen = _firewall_host.look(run, wanted=True)
    parts, said = _firewall_host.wanted_parts(stack, part, seen)
    reasons = _firewall_host.steps(stack, part, seen)
    own = _firewall_host.own_of(seen, parts)
    after = _firewall_host.texts(parts, own)
    paths = {*after, _firewall_host.part_path(stack), *_firewall_host.texts(seen["parts"], own)}
    changes, diff = differences({path: text for path in paths if (text := _firewall_host.read(path))}, after)
    if not params["confirm"]:
        shut = _firewall_host.kept_out(parts, _host.listening_outside()) if parts and reasons else []
        for sentence in [*said, *_firewall_host.beside(seen), *shut]:
            module.warn(sentence)
    result = {"changed": bool(reasons), "changes": changes, "reasons": reasons, "diff": diff, "pending": False}
    if params["confirm"]:
        _firewall_host.keep(run, stack)
        return {**result, "changed": bool(changes)}
    if reasons and module.check_mode and parts and seen["installed"]:
        _firewall_host.judged(run, parts, own)
    if reasons and not module.check_mode:
        if parts:
            _firewall_host.attempt(run, parts, own, params["seconds"])
            result["pending"] = True
        else:
            _firewall_host.remove(run, stack)
    return result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "part": {"type": "dict", "default": {}},
            "confirm": {"type": "bool", "default": False},
            "seconds": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    if not Path("/run/systemd/system").is_dir():
        module.fail_json(msg="the firewall needs systemd, which this host is not run by: set firewall_enabled to false")
    if not module.check_mode and not Path(_firewall_host.NFT).exists():
        module.fail_json(msg=f"the firewall needs {_firewall_host.NFT}: install the package nftables")
    try:
        module.exit_json(**work(module))
    except _firewall_host.FirewallError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"the files of the firewall could not be put in place: {error}")


if __name__ == "__main__":
    main()
