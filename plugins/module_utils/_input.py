# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names and shapes of inventory variables, compared with the argument specs of the roles.

Ansible's own validation accepts a list where a string is meant, ignores names it does not know, and stops at the first
role. Everything here is pure, collects instead of stopping, and never puts the value of a secret into a sentence.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

SHOWN_LENGTH = 60
# A name without any prefix of ours is only called a misspelling when next to nothing differs: it may be the user's own.
FOREIGN_CUTOFF = 0.92
NEAR_CUTOFF = 0.6
# What the playbooks themselves read, with prefixes that are no role's.
PLAYBOOK_VARIABLES = (
    "barehost_hosts",
    "release_id",
    "release_serial",
    "status_format",
    "restore_allow_schema_mismatch",
    "restore_confirm",
    "restore_dump_first",
    "restore_flush_cache",
    "restore_from",
    "restore_keep_old",
    "restore_parts",
    "superuser_email",
    "superuser_password",
    "superuser_username",
    "uninstall_delete_data",
    "unlock_force",
)
PLAYBOOK_CUTOFF = 0.8
# A slip of one letter is refused. Two letters may as well make somebody's own name (stage_dir, stack_dir): such a name is
# only warned about, and not at all where it is so short that two letters are much of it.
TWO_SLIPS_LENGTH = 11
SECRET_NAME = re.compile(r"(password|passwd|secret|secret_key|token|private_key|credentials)$")
WORD = re.compile(r"[A-Za-z_]\w*")
BOOLEAN_WORDS = frozenset({"y", "yes", "on", "1", "true", "t", "n", "no", "off", "0", "false", "f"})
TYPE_NAMES = {
    "bool": "true or false",
    "dict": "a dictionary",
    "float": "a number",
    "int": "an integer",
    "list": "a list",
    "path": "a path",
    "str": "a string",
}


@dataclass(frozen=True)
class Known:
    """What the collection knows: every option of every role, and names that the roles set while they run."""

    roles: tuple[str, ...]
    options: Mapping[str, Mapping[str, Any]]
    internal: frozenset[str] = frozenset()
    owners: Mapping[str, str] = field(default_factory=dict)

    def role_of(self, name: str) -> str | None:
        """Return the role whose prefix a variable has, the longest where several match."""
        owners = [role for role in self.roles if name.startswith(f"{role}_")]
        return max(owners, key=len) if owners else None


def build_known(specs: Mapping[str, Mapping[str, Any]], internal: Sequence[str] = ()) -> Known:
    """Collect the `main` entry points of argument_specs.yml, given as role -> content of the file."""
    options: dict[str, Mapping[str, Any]] = {}
    owners: dict[str, str] = {}
    for role, content in specs.items():
        for entry in (content.get("argument_specs") or {}).values():
            for name, spec in (entry.get("options") or {}).items():
                # A shared variable (stack_name) stands in several specs: the role of that name has the last word.
                if name not in options or name.startswith(f"{role}_"):
                    options[name] = spec
                    owners[name] = role
    return Known(tuple(sorted(specs)), options, frozenset(internal), owners)


def narrowed(known: Known, roles: Sequence[str]) -> Known:
    """Return what some roles know: their own options, and those of others that their defaults refer to."""
    own = {name: spec for name, spec in known.options.items() if known.owners[name] in roles}
    read = {word for spec in own.values() for word in WORD.findall(str(spec.get("default", "")))}
    options = {name: spec for name, spec in known.options.items() if name in own or name in read}
    return Known(tuple(roles), options, known.internal, known.owners)


def is_secret(name: str, spec: Mapping[str, Any]) -> bool:
    """Whether the value of an option must not be shown: it says so, or its name does."""
    return bool(spec.get("no_log", SECRET_NAME.search(name) is not None))


def shown(value: object, *, secret: bool = False) -> str:  # noqa: PLR0911 - a table
    """Describe a value in a few words, without its content when it is secret."""
    if secret:
        return "the value (not shown)"
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a dictionary"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        text = " ".join(value.split()) if "\n" in value else value
        return f"'{text}'" if len(text) <= SHOWN_LENGTH else f"'{text[:SHOWN_LENGTH]}…'"
    return str(value)


def nearest(name: str, names: Sequence[str] | Mapping[str, Any], cutoff: float = NEAR_CUTOFF) -> str | None:
    """Return the known name that looks most like a given one."""
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=cutoff)
    return found[0] if found else None


def unknown_variables(
    names: Sequence[str],
    known: Known,
    allowed: Sequence[str] = (),
    renamed: Mapping[str, Mapping[str, str]] | None = None,
) -> list[str]:
    """Name every variable that has a role's prefix and means nothing, or that differs from a known one by a slip."""
    problems = []
    for name in sorted(names):
        if (renamed or {}).get(name):
            entry = (renamed or {})[name]
            problems.append(f"{name} was renamed to {entry['new']}: use the new name (the old one is read no more)")
        elif name in known.options or name in known.internal or name in PLAYBOOK_VARIABLES or _matches(name, allowed):
            continue
        elif known.role_of(name):
            problems += _unknown_with_prefix(name, known)
        elif not name.startswith("ansible_"):
            near = nearest(name, known.options, FOREIGN_CUTOFF) or _one_slip(name, known.options)
            if near:
                problems.append(
                    f"{name} is not read by any role: did you mean {near}? "
                    "(if it is yours, name it in preflight_allowed_variables)"
                )
    return problems


def doubtful_variables(names: Sequence[str], known: Known, allowed: Sequence[str] = ()) -> list[str]:
    """Name every variable that differs from a known one by two letters: it may be a misspelling, or somebody's own."""
    found = []
    for name in sorted(names):
        foreign = not (name in known.options or name in known.internal or known.role_of(name))
        if not foreign or len(name) < TWO_SLIPS_LENGTH or name.startswith("ansible_") or _matches(name, allowed):
            continue
        if nearest(name, known.options, FOREIGN_CUTOFF):
            continue
        near = next((option for option in known.options if slips(name, option) == 2), None)  # noqa: PLR2004 - see above
        if near:
            found.append(
                f"{name} is not read by any role: if {near} is meant, correct it (if it is yours, name it in "
                "preflight_allowed_variables)"
            )
    return found


def playbook_variable_problems(names: Sequence[str], allowed: Sequence[str] = ()) -> list[str]:
    """Name every variable that looks like a misspelling of what a playbook itself reads."""
    problems = []
    for name in sorted(names):
        if name in PLAYBOOK_VARIABLES or _matches(name, allowed):
            continue
        near = _one_slip(name, PLAYBOOK_VARIABLES)
        if not near:
            # What another playbook reads may well have much the same name.
            own = [known for known in PLAYBOOK_VARIABLES if name.startswith(f"{known.split('_')[0]}_")]
            near = nearest(name, own, PLAYBOOK_CUTOFF)
        if near:
            problems.append(
                f"{name} is not read by any playbook: did you mean {near}? "
                "(if it is yours, name it in preflight_allowed_variables)"
            )
    return problems


def _one_slip(name: str, names: Sequence[str] | Mapping[str, Any]) -> str | None:
    return next((known for known in names if slips(name, known) == 1), None)


def slips(left: str, right: str, limit: int = 2) -> int:
    """Count the letters that are wrong, missing, too many or swapped with their neighbour; more than limit is limit + 1."""
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, letter in enumerate(left, 1):
        before, last, row = row, before, [i]
        for j, other in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == right[j - 2] and left[i - 2] == other:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        # Most names differ in their first letters already, and a site has thousands of pairs.
        if min(row) > limit and min(before) > limit:
            return limit + 1
    return min(row[-1], limit + 1)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _unknown_with_prefix(name: str, known: Known) -> list[str]:
    role = known.role_of(name)
    if role is None or name.startswith(f"{role}__"):
        return []
    # The same role's names first: "mysql_pasword" must not be answered with "redis_password".
    own = [option for option in known.options if option.startswith(f"{role}_")]
    near = nearest(name, own) or nearest(name, known.options)
    hint = f"did you mean {near}?" if near else f"role {role} has no variable of that name."
    return [f"{name} is unknown: {hint} (if it is yours, name it in preflight_allowed_variables)"]


def _is_str(value: object) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _is_int(value: object) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"[+-]?\d+", value.strip()) is not None
    return isinstance(value, int) and not isinstance(value, bool)


def _is_float(value: object) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value.strip()) is not None
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_bool(value: object) -> bool:
    # `-e name=false` arrives as a string: the words that Ansible's `bool` filter understands are fine.
    return isinstance(value, bool) or (isinstance(value, (str, int)) and str(value).lower() in BOOLEAN_WORDS)


TYPE_TESTS: dict[str, Callable[[Any], bool]] = {
    "bool": _is_bool,
    "dict": lambda value: isinstance(value, Mapping),
    "float": _is_float,
    "int": _is_int,
    "list": lambda value: isinstance(value, (list, tuple)),
    "path": lambda value: isinstance(value, str),
    "str": _is_str,
}


def shape_problems(name: str, value: object, spec: Mapping[str, Any], *, secret: bool | None = None) -> list[str]:
    """Compare one resolved value with the spec of its option, nested options included."""
    hidden = is_secret(name.rsplit(".", 1)[-1], spec) if secret is None else secret
    if value is None:
        if spec.get("required") or spec.get("default") is not None:
            return [f"{name} is empty (null): give {_wanted(spec)}, or leave the variable out{_default(spec)}"]
        return []
    kind = str(spec.get("type", "str"))
    if isinstance(value, bool) and ("on" if value else "off") in (spec.get("choices") or ()):
        # Without quotes YAML makes a boolean of these words.
        return []
    if not TYPE_TESTS.get(kind, lambda _value: True)(value):
        return [f"{name} must be {_wanted(spec)}, not {_kind(value, hidden)}{_default(spec, hidden)}"]
    if hidden and kind == "str" and not isinstance(value, str):
        # By now it is another text than the one that was written: 0123 is 83, 1_000 is 1000, 1e3 is 1000.0.
        return [
            f"{name} is a number as it is written, and not the text that it looks like: put it in quotes (value not shown)"
        ]
    problems = _choice_problems(name, value, spec, hidden)
    if kind == "list":
        problems += _element_problems(name, value, spec, hidden)
    elif kind == "dict" and spec.get("options"):
        problems += _nested_problems(name, value, spec["options"])
    return problems or _ansible_problems(name, value, spec, hidden)


def _wanted(spec: Mapping[str, Any]) -> str:
    kind = str(spec.get("type", "str"))
    return TYPE_NAMES.get(kind, f"of type {kind}")


def _kind(value: object, hidden: bool) -> str:  # noqa: FBT001 - passed on, never a literal
    if isinstance(value, (Mapping, list, tuple)) or not hidden:
        return shown(value)
    return f"a value of type {_type_name(value)} (not shown)"


def _type_name(value: object) -> str:
    # Values from an inventory are tagged subclasses: the name of the plain type is what a reader knows.
    return next(plain.__name__ for plain in (bool, int, float, str, object) if isinstance(value, plain))


def _default(spec: Mapping[str, Any], hidden: bool = False) -> str:  # noqa: FBT001, FBT002 - passed on, never a literal
    default = spec.get("default")
    if hidden or isinstance(default, (Mapping, list)) or default in (None, "") or "{{" in str(default):
        return ""
    return f" (default: {shown(default)})"


def _choice_problems(name: str, value: object, spec: Mapping[str, Any], hidden: bool) -> list[str]:  # noqa: FBT001
    choices = spec.get("choices")
    if not choices:
        return []
    texts = [str(choice) for choice in choices]
    values = value if isinstance(value, (list, tuple)) else [value]
    wrong = [item for item in values if str(item) not in texts]
    if not wrong:
        return []
    near = None if hidden else nearest(str(wrong[0]), texts)
    hint = f" (did you mean {near}?)" if near else ""
    return [f"{name} must be one of {', '.join(texts)}, not {shown(wrong[0], secret=hidden)}{hint}"]


def _element_problems(name: str, value: Any, spec: Mapping[str, Any], hidden: bool) -> list[str]:  # noqa: ANN401, FBT001
    if not spec.get("elements"):
        return []
    element = {"type": spec["elements"], "options": spec.get("options"), "required": True}
    problems: list[str] = []
    for index, item in enumerate(value):
        problems += shape_problems(f"{name}[{index}]", item, element, secret=hidden)
    return problems


def _nested_problems(name: str, value: Any, options: Mapping[str, Any]) -> list[str]:  # noqa: ANN401
    problems = []
    for key in value:
        if key not in options:
            near = nearest(str(key), options)
            hint = f"did you mean {near}?" if near else f"known are {', '.join(sorted(options))}."
            problems.append(f"{name}.{key} is unknown: {hint}")
    for key, spec in options.items():
        if key in value:
            problems += shape_problems(f"{name}.{key}", value[key], spec)
        elif spec.get("required"):
            problems.append(f"{name}.{key} is missing: give {_wanted(spec)}")
    return problems


def _ansible_problems(name: str, value: object, spec: Mapping[str, Any], hidden: bool) -> list[str]:  # noqa: FBT001
    """Ask Ansible's own validator too: what it refuses later, in the middle of a run, is refused now."""
    result = ArgumentSpecValidator({name: dict(spec)}).validate({name: value})
    if not result.error_messages:
        return []
    return [f"{name} is not accepted" + (" (value not shown)" if hidden else f": {'; '.join(result.error_messages)}")]


def pattern_hosts(pattern: str, groups: Mapping[str, Sequence[str]], candidates: Sequence[str]) -> list[str]:
    """Return the candidates that an inventory pattern matches: names, groups, globs, and `!` and `&` terms."""
    terms = [term.strip() for term in re.split(r"[,:]", pattern) if term.strip()]
    chosen: set[str] = set()
    for term in (t for t in terms if t[0] not in "!&"):
        chosen |= _term_hosts(term, groups)
    for term in (t for t in terms if t[0] == "&"):
        chosen &= _term_hosts(term[1:], groups)
    for term in (t for t in terms if t[0] == "!"):
        chosen -= _term_hosts(term[1:], groups)
    return [host for host in candidates if host in chosen]


def _term_hosts(term: str, groups: Mapping[str, Sequence[str]]) -> set[str]:
    hosts = {host for name, members in groups.items() if fnmatch.fnmatchcase(name, term) for host in members}
    return hosts | {host for host in groups.get("all", ()) if fnmatch.fnmatchcase(host, term)}


def summary(problems: Sequence[str]) -> str:
    """Return what a person reads: one line for one problem, and one more for each of several."""
    if len(problems) == 1:
        return f"1 problem with the inventory, nothing was changed: {problems[0]}"
    lines = "".join(f"\n- {problem}" for problem in problems)
    return f"{len(problems)} problems with the inventory, nothing was changed:{lines}"
