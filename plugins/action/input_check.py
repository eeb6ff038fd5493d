# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check the inventory on the controller, before the first connection to a host."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from ansible.errors import AnsibleError, AnsibleTemplatePluginError, AnsibleUndefinedVariable
from ansible.parsing.vault import AnsibleVaultError
from ansible.plugins.action import ActionBase
from ansible.template import is_trusted_as_template
from ansible.utils.display import Display
from ansible_collections.barehost.django.plugins.module_utils import _input, _input_backup, _input_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The collection's root: plugins/action/ is two levels below it, in the repository as in an installed artifact.
ROOT = Path(__file__).parents[2]
# Facts that roles set while they run, shared by all of them: values that refer to them cannot be judged yet.
RUN_FACTS = frozenset({"stack_info", "stack_secrets"})
MAX_REASON = 200
COMMENT = "{#"
UNDEFINED_NAME = re.compile(r"'([A-Za-z_]\w*)' is undefined")


# The one in C takes a fifth of the time; not every build of the library has it.
SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class SpecLoader(SafeLoader):  # type: ignore[misc]  # which of the two it is depends on the machine
    """Plain YAML that also knows `!unsafe`, which keeps Ansible from templating the default in a spec."""


SpecLoader.add_constructor("!unsafe", lambda _loader, node: node.value)


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a YAML file that holds a dictionary, or nothing."""
    return dict(yaml.load(file.read_text(encoding="utf-8"), Loader=SpecLoader) or {})  # noqa: S506 - a safe loader


def assigned_names(tasks: object) -> set[str]:
    """Return the names that tasks give values to: after a first play they are there, and are nobody's misspelling."""
    names: set[str] = set()
    for task in tasks if isinstance(tasks, list) else []:
        names.update(key for key in [task.get("register")] if key)
        names.update(task.get("ansible.builtin.set_fact") or {})
        for section in ("block", "rescue", "always"):
            names |= assigned_names(task.get(section))
    return names


def load_known(root: Path) -> _input.Known:
    """Read what every role of the collection declares."""
    specs: dict[str, Any] = {}
    internal = set(RUN_FACTS)
    for file in sorted(root.glob("roles/*/meta/argument_specs.yml")):
        role = file.parents[1]
        specs[role.name] = read_yaml(file)
        # A role's own constants (vars/) and undocumented wiring are not the user's, but they are no misspellings.
        for extra in [*role.glob("vars/*.yml"), *role.glob("defaults/*.yml")]:
            internal.update(read_yaml(extra))
        for tasks in role.glob("tasks/*.yml"):
            internal.update(assigned_names(yaml.load(tasks.read_text(encoding="utf-8"), Loader=SpecLoader)))  # noqa: S506
    return _input.build_known(specs, sorted(internal))


def misspelt(names: list[str], allowed: list[str]) -> list[str]:
    """Name what looks like a misspelling of what a playbook reads; what a role reads is none, and is only looked up then."""
    if not _input.playbook_variable_problems(names, allowed):
        return []
    known = load_known(ROOT).options
    return _input.playbook_variable_problems([name for name in names if name not in known], allowed)


def load_renamed(root: Path) -> dict[str, dict[str, str]]:
    """Read the variables that had another name in an earlier version."""
    file = root / "meta" / "renamed_variables.yml"
    if not file.is_file():
        return {}
    return {entry["old"]: entry for entry in read_yaml(file).get("renamed_variables") or []}


def causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from an error to what caused it."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def is_vault_error(error: BaseException) -> bool:
    """Whether a value could not be decrypted; the text is asked too, since a wrapped error may lose its class."""
    return any(
        isinstance(cause, AnsibleVaultError) or "vault secret" in str(cause) or "Decryption failed" in str(cause)
        for cause in causes(error)
    )


def words(value: object) -> set[str]:
    """Return every identifier in the strings of a raw value."""
    if isinstance(value, str):
        return set(_input.WORD.findall(value))
    if isinstance(value, dict):
        return {word for item in value.values() for word in words(item)}
    if isinstance(value, (list, tuple)):
        return {word for item in value for word in words(item)}
    return set()


def closure(name: str, task_vars: Mapping[str, Any]) -> set[str]:
    """Return every word that a variable's templates lead to, through other variables."""
    seen: set[str] = set()
    pending = {name}
    while pending:
        current = pending.pop()
        seen.add(current)
        if current in task_vars and current not in ("hostvars", "vars"):
            pending |= words(task_vars[current]) - seen
    return seen


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core has no type information
    """Report every problem of the inventory at once."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run one of the two checks: that hosts are matched, or that the variables are right."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validation, args = self.validate_argument_spec(
            argument_spec={
                "require_hosts": {"type": "str"},
                "allowed_variables": {"type": "list", "elements": "str", "default": []},
                "roles": {"type": "list", "elements": "str", "default": []},
                "only_roles": {"type": "list", "elements": "str", "default": []},
            },
        )
        if args["require_hosts"] is not None:
            problems, message = self._host_problems(args["require_hosts"], variables)
            problems += misspelt(list(variables), args["allowed_variables"])
        elif args["only_roles"]:
            problems, message, given = self._narrow_problems(args["allowed_variables"], args["only_roles"], variables)
            result.update({} if problems else {"given": given})
        else:
            problems, message = self._variable_problems(args["allowed_variables"], args["roles"], variables)
        # Once only: what a result holds beside its message is printed below it.
        result.update(changed=False, msg=_input.summary(problems) if problems else message)
        if problems:
            result["failed"] = True
        return result

    def _host_problems(self, pattern: str, task_vars: Mapping[str, Any]) -> tuple[list[str], str]:
        groups = task_vars.get("groups", {})
        matched = _input.pattern_hosts(pattern, groups, task_vars.get("ansible_play_hosts_all", []))
        if matched:
            return [], f"{len(matched)} hosts match '{pattern}'"
        limit = task_vars.get("ansible_limit")
        inventory = ", ".join(str(source) for source in task_vars.get("ansible_inventory_sources") or []) or "none"
        without_limit = _input.pattern_hosts(pattern, groups, groups.get("all", []))
        if limit and without_limit:
            advice = f"--limit '{limit}' leaves out {', '.join(without_limit)}"
        else:
            advice = f"inventory read: {inventory}; groups in it: {_group_names(groups)}"
        return [f"no host matches '{pattern}' ({advice})"], ""

    def _variable_problems(
        self, allowed: list[str], roles: list[str], task_vars: Mapping[str, Any]
    ) -> tuple[list[str], str]:
        known = load_known(ROOT)
        if not known.options:
            msg = f"no argument specs found under {ROOT / 'roles'}: the collection is not installed completely"
            raise AnsibleError(msg)
        problems = _input.unknown_variables(list(task_vars), known, allowed, load_renamed(ROOT))
        for sentence in _input.doubtful_variables(list(task_vars), known, allowed):
            Display().warning(sentence)
        problems += self._missing(known, roles, task_vars)
        values, found = self._resolve(known, known.options, task_vars)
        problems += _own_faults(found, task_vars)
        if any(name.endswith("_stack_services") and not known.role_of(name) for name in task_vars):
            # Roles of somebody else describe services too, and which ones is only known when they run.
            values.pop("stack_service_overrides", None)
        batches = {"release_serial": self._templar.template(task_vars.get("release_serial"))}
        problems += _input_rules.rule_problems({**self._later(known, roles, task_vars), **batches, **values})
        return problems, f"{len(values)} variables checked"

    def _narrow_problems(
        self, allowed: list[str], roles: list[str], task_vars: Mapping[str, Any]
    ) -> tuple[list[str], str, dict[str, Any]]:
        """Judge what a verb reads that runs these roles alone; return what is set of it, too, but for secrets."""
        known = load_known(ROOT)
        narrow = _input.narrowed(known, roles)
        if not narrow.options:
            msg = f"no argument specs of {', '.join(roles)} found under {ROOT / 'roles'}: the collection is not installed completely"
            raise AnsibleError(msg)
        names = [name for name in task_vars if name in narrow.options or name not in known.options]
        problems = _input.unknown_variables(names, narrow, allowed, load_renamed(ROOT))
        # What a playbook reads becomes an option of a role, and has to be what that has to be.
        aliases = {
            name: known.options[option]
            for name, option in _input_backup.PLAYBOOK_OPTIONS.items()
            if option in narrow.options
        }
        # Secrets are a deploy's business: whoever restores need not have the password of the vault.
        open_ones = {name: spec for name, spec in narrow.options.items() if not _input.is_secret(name, spec)}
        values, found = self._resolve(known, {**open_ones, **aliases}, task_vars)
        problems += _own_faults(found, task_vars)
        problems += _input_rules.rule_problems(values)
        given = {name: value for name, value in values.items() if name in open_ones}
        return problems, f"{len(values)} variables checked", given

    def _resolve(
        self,
        known: _input.Known,
        specs: Mapping[str, Mapping[str, Any]],
        task_vars: Mapping[str, Any],
    ) -> tuple[dict[str, Any], dict[str, list[str]]]:
        """Template every variable of ours: the good values, and the problems by name."""
        values: dict[str, Any] = {}
        found: dict[str, list[str]] = {}
        for name, spec in specs.items():
            if name not in task_vars:
                continue
            try:
                value = self._templar.template(task_vars[name])
                if name in _input_backup.PLAYBOOK_OPTIONS and spec.get("type") == "list":
                    value = _input_backup.as_list(value)
            except AnsibleError as error:
                sentences = self._template_problems(name, spec, error, known, task_vars)
                # One computed value must not hide the others from the rules.
                values.update({} if sentences else self._resolved_entries(name, task_vars[name]))
            else:
                sentences = _comment_problems(name, task_vars[name], spec) or _input.shape_problems(name, value, spec)
                if not sentences:
                    values[name] = value
            if sentences:
                found[name] = sentences
        return values, found

    def _later(self, known: _input.Known, further: list[str], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Return what roles of a later play will take where nothing is set, as far as it is no template."""
        roles = {role.rsplit(".", 1)[-1] for role in further}
        return {
            name: spec["default"]
            for name, spec in known.options.items()
            if known.owners[name] in roles and name not in task_vars and "{{" not in str(spec.get("default", "{{"))
        }

    def _resolved_entries(self, name: str, value: object) -> dict[str, Any]:
        """Return those entries of a dictionary that can be known already."""
        entries: dict[str, Any] = {}
        for key, item in value.items() if isinstance(value, dict) else ():
            with contextlib.suppress(AnsibleError):
                entries[key] = self._templar.template(item)
        return {name: entries} if entries else {}

    def _missing(self, known: _input.Known, further: list[str], task_vars: Mapping[str, Any]) -> list[str]:
        """Name required options of the roles of this play, and of those that a later play will run."""
        names = [*task_vars.get("ansible_play_role_names", []), *further]
        roles = {str(role).rsplit(".", 1)[-1] for role in names}
        return [
            f"{name} is required and not set: {str(spec.get('description', '')).strip()}"
            for name, spec in known.options.items()
            if spec.get("required") and known.owners[name] in roles and name not in task_vars
        ]

    def _template_problems(
        self,
        name: str,
        spec: Mapping[str, Any],
        error: AnsibleError,
        known: _input.Known,
        task_vars: Mapping[str, Any],
    ) -> list[str]:
        """Explain why a value cannot be resolved, without the value: it may be a password with braces in it."""
        if is_vault_error(error):
            return [f"{name} cannot be decrypted: the vault password is wrong or missing (--vault-password-file)"]
        chain = list(causes(error))
        failed = next((cause for cause in chain if isinstance(cause, AnsibleTemplatePluginError)), None)
        if failed:
            secret = _input.is_secret(name, spec)
            reason = "not shown" if secret else " ".join(str(failed).split())[:MAX_REASON]
            return [f"{name} cannot be resolved, a lookup or filter in it fails: {reason}"]
        if not any(isinstance(cause, AnsibleUndefinedVariable) for cause in chain):
            problem = "a value that contains {{ or {% is read as a template"
            return [f"{name} cannot be templated: {problem}; correct it, or mark it !unsafe (value not shown)"]
        undefined = [found for cause in chain for found in UNDEFINED_NAME.findall(str(cause))]
        if undefined:
            return [
                f"{name} refers to '{missing}', which is not defined anywhere{_near(missing, known, task_vars)}"
                for missing in dict.fromkeys(undefined)
                if not _comes_later(missing, known)
            ]
        missing_words = {word for word in closure(name, task_vars) if word not in task_vars or word == "ansible_facts"}
        if any(_comes_later(word, known) for word in missing_words):
            return []
        return [f"{name} refers to something that is not defined: compare the names in its template"]


def _own_faults(found: Mapping[str, list[str]], task_vars: Mapping[str, Any]) -> list[str]:
    """Return the problems of values that are at fault themselves.

    What only passes on another variable's fault says nothing new. A value that collects variables by a pattern may do so as well,
    and each of those is looked at by itself.
    """
    return [
        sentence
        for name, sentences in found.items()
        if not (closure(name, task_vars) - {name}) & {"varnames", *found}
        for sentence in sentences
    ]


def _comment_problems(name: str, raw: object, spec: Mapping[str, Any]) -> list[str]:
    """Refuse a secret of which Jinja takes a part for a comment: it would be another one, and nothing would say so."""
    if not (isinstance(raw, str) and COMMENT in raw and is_trusted_as_template(raw) and _input.is_secret(name, spec)):
        return []
    return [f"{name} contains {COMMENT}, which begins a comment of a template: mark it !unsafe (value not shown)"]


def _comes_later(name: str, known: _input.Known) -> bool:
    """Whether a name only gets its value during the run: facts, results of roles, options of roles not in this play."""
    if name in RUN_FACTS or name in known.options or name in known.internal or name.startswith("ansible_"):
        return True
    role = known.role_of(name)
    return role is not None and name.startswith(f"{role}__")


def _near(name: str, known: _input.Known, task_vars: Mapping[str, Any]) -> str:
    near = _input.nearest(name, [*known.options, *task_vars], 0.8)
    return f": did you mean {near}?" if near else ""


def _group_names(groups: Mapping[str, Any]) -> str:
    return ", ".join(sorted(str(group) for group in groups if groups[group])) or "none with a host"
