#!/usr/bin/env python3
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write the variable tables of the roles' READMEs from their argument specs.

A table that is written by hand is wrong after the second change. `--check` writes nothing and fails when one is stale.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- variables:begin -->", "<!-- variables:end -->"
HEAD = "| Variable | Type | Default | Meaning |\n| --- | --- | --- | --- |"
# Ansible's own markup in descriptions, which Markdown does not know.
MARKUP = re.compile(r"\b[BICVOEMUP]\(([^()]*)\)")


class SpecLoader(yaml.SafeLoader):
    """Plain YAML that also knows `!unsafe`, which keeps Ansible from templating the default in a spec."""


SpecLoader.add_constructor("!unsafe", lambda _loader, node: node.value)


def load_yaml(file: Path) -> Any:  # noqa: ANN401 - YAML is anything
    """Read a YAML file as Ansible reads it, without templating."""
    return yaml.load(file.read_text(encoding="utf-8"), Loader=SpecLoader)  # noqa: S506 - a safe loader


def sentences(description: str | list[str] | None) -> str:
    """Return a description as one Markdown paragraph."""
    parts = [description] if isinstance(description, str) else description or []
    return MARKUP.sub(r"`\1`", " ".join(" ".join(part.split()) for part in parts))


def cell(text: str) -> str:
    """Make a text fit into a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def code(value: object) -> str:
    """Return a value as Markdown code, in the notation of YAML that fits one line."""
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    flat = " ".join(str(text).split())
    fence = "``" if "`" in flat else "`"
    return f"{fence}{flat}{fence}"


def kind(spec: dict[str, Any]) -> str:
    """Return the type of an option, with that of its elements."""
    name = str(spec.get("type", "str"))
    return f"{name} of {spec['elements']}" if spec.get("elements") else name


def default(spec: dict[str, Any]) -> str:
    """Return what an option is when nobody sets it."""
    if spec.get("required"):
        return "**required**"
    return code(spec["default"]) if spec.get("default") is not None else "-"


def meaning(spec: dict[str, Any]) -> str:
    """Return the description with choices and secrecy."""
    text = sentences(spec.get("description"))
    if spec.get("choices"):
        text += f" One of {', '.join(code(choice) for choice in spec['choices'])}."
    if spec.get("no_log"):
        text += " Secret."
    return text.strip()


def rows(options: dict[str, Any], prefix: str = "") -> list[str]:
    """Return the rows of options and, below each, of its nested options."""
    lines = []
    for name, spec in options.items():
        place = f"{prefix}{name}"
        cells = (f"`{place}`", kind(spec), default(spec), meaning(spec))
        lines.append("| " + " | ".join(cell(text) for text in cells) + " |")
        if spec.get("options"):
            lines += rows(spec["options"], f"{place}[]." if spec.get("elements") else f"{place}.")
    return lines


def block(entry: dict[str, Any]) -> str:
    """Return the generated part of a README, markers included."""
    options = entry.get("options") or {}
    table = "\n".join([HEAD, *rows(options)]) if options else "This role has no variables."
    return f"{BEGIN}\n{table}\n{END}"


def skeleton(role: str, entry: dict[str, Any]) -> str:
    """Return a README for a role that has none."""
    short = str(entry.get("short_description", "")).rstrip(".")
    paragraphs = [f"# {role}", f"{short}.", sentences(entry.get("description")), "## Variables", f"{BEGIN}\n{END}\n"]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def render(role: Path, text: str | None) -> str:
    """Return what a role's README must be, given what it is."""
    entry = load_yaml(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]
    current = text if text is not None else skeleton(role.name, entry)
    if current.count(BEGIN) != 1 or current.count(END) != 1 or current.index(BEGIN) > current.index(END):
        msg = f"{role.name}/README.md: it must have the lines {BEGIN} and {END} once each, in this order"
        raise ValueError(msg)
    head, _, rest = current.partition(BEGIN)
    return head + block(entry) + rest.partition(END)[2]


def main(argv: list[str] | None = None) -> int:
    """Write or compare the READMEs of all roles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a README is stale")
    parser.add_argument("--root", type=Path, default=ROOT, help="root of the collection")
    options = parser.parse_args(argv)
    stale = []
    for spec in sorted(options.root.glob("roles/*/meta/argument_specs.yml")):
        role = spec.parents[1]
        readme = role / "README.md"
        text = readme.read_text(encoding="utf-8") if readme.exists() else None
        wanted = render(role, text)
        if wanted != text:
            stale.append(role.name)
            if not options.check:
                readme.write_text(wanted, encoding="utf-8")
    if stale and options.check:
        print(f"stale README in {', '.join(stale)}: run tools/role_docs.py", file=sys.stderr)
        return 1
    print(f"written: {', '.join(stale)}" if stale else "every README is current")
    return 0


if __name__ == "__main__":
    sys.exit(main())
