# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Render trees of templates on the controller and hand them to the module in one call."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleActionFail
from ansible.template import trust_as_template
from ansible.utils.collection_loader._collection_finder import _get_collection_role_path
from ansible_collections.barehost.django.plugins.module_utils import _dotenv, _installed, _lock, _tree, _validate
from ansible_collections.barehost.django.plugins.module_utils._action import ModuleAction
from ansible_collections.barehost.django.plugins.modules.config_tree import TREE_SPEC

if TYPE_CHECKING:
    from collections.abc import Mapping

SUFFIX = ".j2"
COMMAND_MODE = "0755"
PRIVATE_MODE = "0400"
HEADER = "Managed by Ansible (barehost.django): edit the variables, not this file."


def role_directory(role: str) -> Path:
    """Find a role's folder by its full name or its path."""
    if role.startswith("/"):
        return Path(role)
    found = _get_collection_role_path(role)
    if not found:
        msg = f"config_tree: role {role} was not found; give its full name (namespace.collection.role) or the path of its folder"
        raise AnsibleActionFail(msg)
    return Path(found[1])


def template_paths(templates: Path) -> list[Path]:
    """List the templates below a folder, in a fixed order."""
    return sorted(path for path in templates.rglob(f"*{SUFFIX}") if path.is_file())


def file_digests(files: list[dict[str, Any]]) -> dict[str, str]:
    """Return the digest of each file that is rendered so far."""
    return {item["path"]: _tree.digest([(item["path"], item["content"])]) for item in files}


def matches(path: str, patterns: list[str]) -> bool:
    """Whether a path is one of those that patterns name."""
    return any(fnmatch(path, pattern) for pattern in patterns)


def file_params(tree: Mapping[str, Any], path: str, content: str) -> dict[str, Any]:
    """Describe one rendered file for the module."""
    secret = matches(path, tree["secret"])
    owner = tree["owner"] if secret else 0
    command = matches(path, tree["executable"])
    return {
        "path": path,
        "content": content,
        "service": tree["name"],
        "owner": owner,
        "group": owner,
        "mode": tree["secret_mode"] if secret else COMMAND_MODE if command else tree["mode"],
        "secret": secret,
    }


class ActionModule(ModuleAction):
    """Renders, then calls the module of the same name once."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render every tree; the digests of the earlier trees are at hand for the later ones."""
        super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(
            argument_spec={
                **_lock.ARGUMENTS,
                "dest": {"type": "path", "required": True},
                "trees": {"type": "list", "elements": "dict", "options": TREE_SPEC, "required": True},
                "project": {"type": "str", "default": ""},
                "validate": {"type": "list", "elements": "dict", "options": _validate.OPTIONS, "default": []},
            },
        )
        variables = dict(task_vars or {})
        digests: dict[str, str] = {}
        files: list[dict[str, Any]] = []
        for tree in args["trees"]:
            at_hand = {"config_tree_digests": dict(digests), "config_tree_files": file_digests(files)}
            rendered, digest = self._render_tree(tree, {**variables, **at_hand})
            digests[tree["name"]] = digest
            files += rendered
        result = self.call("config_tree", {**args, "files": files}, task_vars)
        # Above the reason of a refusal they would be all that is seen.
        return result if result.get("failed") else {**result, "digests": digests, "file_digests": file_digests(files)}

    def _render_tree(self, tree: Mapping[str, Any], variables: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
        templates = role_directory(tree["role"]) / "templates"
        found = {str(path.relative_to(templates))[: -len(SUFFIX)]: path for path in template_paths(templates)}
        sources = {target: path for target, path in found.items() if matches(target, tree["only"] or ["*"])}
        stamp = sources.pop(tree["stamp"], None)
        items = [
            file_params(tree, target, self._render(source, templates, variables)) for target, source in sources.items()
        ]
        items += [
            file_params(tree, f"{folder}/{path}", text)
            for folder, entry in tree["programs"].items()
            for path, text in _installed.program(entry).items()
        ]
        for variant in tree["variants"]:
            content = self._render(sources[variant["of"]], templates, self._replaced(variant["variables"], variables))
            items.append(file_params(tree, variant["path"], content))
        items += [self._private(tree, item, variables) for item in tree["values"]]
        digest = _tree.digest(
            (item["path"], item["content"]) for item in items if not matches(item["path"], tree["live"])
        )
        if stamp is not None:
            content = self._render(stamp, templates, {**variables, "config_tree_digest": digest})
            items.append(file_params(tree, tree["stamp"], content))
        return items, digest

    def _replaced(self, names: Mapping[str, str], variables: dict[str, Any]) -> dict[str, Any]:
        """Return variables of which some have the values of others; these first: one may be made from what it replaces."""
        return {**variables, **{name: self._value(other, variables) for name, other in names.items()}}

    def _private(self, tree: Mapping[str, Any], item: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Describe a file that holds one value, for one user alone."""
        content = _dotenv.text_of(self._value(item["variable"], self._replaced(item["variables"], variables)))
        owner = {"owner": item["owner"], "group": item["owner"]}
        return {**file_params(tree, item["path"], content), **owner, "mode": PRIVATE_MODE, "secret": True}

    def _value(self, name: str, variables: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever a variable holds
        templar = self._templar.copy_with_new_env(available_variables=variables)
        return templar.template(trust_as_template(f"{{{{ {name} }}}}"))

    def _render(self, source: Path, templates: Path, variables: dict[str, Any]) -> str:
        text = trust_as_template(self._loader.get_text_file_contents(str(source)))
        templar = self._templar.copy_with_new_env(
            searchpath=[str(templates)],
            available_variables={**variables, "ansible_managed": HEADER},
        )
        rendered = templar.template(
            text, escape_backslashes=False, overrides={"trim_blocks": True, "lstrip_blocks": True}
        )
        return "" if rendered is None else str(rendered)
