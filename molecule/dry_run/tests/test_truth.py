# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A dry run touches nothing, and says exactly what the run after it does. In the order of the rows: each begins where the last ended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from conftest import SOURCE, TABLE, Host, Inventory, differences
from rows import LOOKS_ONLY, ROWS, STACK, Row

from tests.playbooks import MAKE_CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.playbooks import PlaybookRun

# A dry run cannot call the package manager on a bare host, nor modules that need what is installed by then: another task speaks
# for it.
SAME = {
    "Say what would be installed": "Install the packages",
    "Say that nftables would be installed": "Install nftables",
    # What is kept is what was tried.
    "Keep the rules": "Try the rules, which go back by themselves",
}
SAME |= MAKE_CERTIFICATE
# Whose services these are.
ROLES = {"web": "django", "worker": "celery", "beat": "celery"}
# What the parts of release_apply are elsewhere.
PARTS = {"image": "release_image", "prepare": "django_prepare", "switch": "release_switch"}
BARE, SAME_AGAIN = "bare host", "nothing changed"
SECRETS = ("not-for-production", "anotherPassword")
# And those that were generated on the host, a line each.
KEPT = f"for file in {STACK}/secrets/*; do test -f $file && cat $file && echo; done; true"


@dataclass(frozen=True)
class Result:
    """A line of the table."""

    name: str
    predicted: list[str]
    real: list[str]
    covered: frozenset[str]

    @property
    def true(self) -> bool:
        """Whether the dry run told the truth."""
        return self.predicted == self.real


MIGRATION = re.compile(r": \w+\.\d{4}_\w+$")

RESULTS: list[Result] = []


def parts(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the results in a result, by the modules that give such ones: a release is brought up in one call."""
    found = {module: result.get(part) for part, module in PARTS.items()}
    inner = {module: part for module, part in found.items() if isinstance(part, dict) and "changed" in part}
    # What is pending is the change of the task that applies it.
    inner = {module: {**part, "plan": []} for module, part in inner.items()}
    return inner or {str(result.get("action", "")).rpartition(".")[2]: result}


def details(result: dict[str, Any]) -> list[str]:
    """Return what a result says of single things: files, services, migrations, secrets, fields."""
    beside = result.get("beside") or {}
    steps = [*result.get("steps", []), *beside.get("steps", [])]
    found = [f"{step['service']} {step['action']}" for step in steps]
    found += [f"{item['path']} {item['action']}" for item in result.get("changes", []) if isinstance(item, dict)]
    found += [str(item) for item in result.get("changes", []) if not isinstance(item, dict)]
    found += [str(step["migration"]) for step in result.get("plan", [])]
    # Not its key `action`: there Ansible's report puts the name of the module.
    found += [name for name in ("built", "created") if result.get(name) is True]
    found += beside.get("accounts", [])
    found += [f"static {result['static']['changed']}"] if result.get("static") else []
    return found


def changes(run: PlaybookRun) -> list[str]:
    """Return everything that a run has changed, or would; nothing where it refused."""
    found = set()
    for name, whole in run.tasks.items():
        task = name.partition(":")[0]
        for result in parts(whole).values():
            if result.get("changed"):
                found |= {f"{SAME.get(task, task)}: {detail}" for detail in details(result)} or {SAME.get(task, task)}
    return sorted(found)


def covered(run: PlaybookRun) -> frozenset[str]:
    """Return the modules, and the roles by their services and trees of files, through which a run changed something."""
    found = set()
    for module, result in [item for whole in run.tasks.values() for item in parts(whole).items()]:
        if not result.get("changed"):
            continue
        found |= {module, *(["release_apply"] if module in PARTS.values() else [])}
        steps = [*result.get("steps", []), *(result.get("beside") or {}).get("steps", []), *result.get("changes", [])]
        found |= {"mysql_accounts"} if (result.get("beside") or {}).get("accounts") else set()
        services = {str(step["service"]) for step in steps if isinstance(step, dict)}
        found |= {ROLES.get(service, service) for service in services}
    return frozenset(found)


def prove(
    name: str, machine: Host, inventory: Inventory, playbook: str, *options: str
) -> tuple[PlaybookRun, PlaybookRun]:
    """Run dry and look whether anything was touched, then run, and note both."""
    before, since = machine.look(), machine.now()
    hidden = [*SECRETS, *machine.run(KEPT).split()]
    dry = inventory.play(playbook, "--check", "--diff", *options)
    assert machine.events(since) == []
    assert differences(before, machine.look()) == []
    assert [number for number, word in enumerate(hidden) if word in dry.output] == []
    real = inventory.play(playbook, *options)
    found = changes(dry), changes(real)
    if name == BARE:
        # Which migrations an image brings that is not built, and whose app does not run yet, nobody knows: only that there are.
        found = found[0], sorted({MIGRATION.sub("", line) for line in found[1]})
    RESULTS.append(Result(name, *found, covered(real)))
    # Also on the disk, for the one who does not want to wait for the last row.
    TABLE.write_text("".join(f"{line}\n" for result in RESULTS for line in lines(result)), encoding="utf-8")
    return dry, real


def lines(result: Result) -> list[str]:
    """Return what the table says of a row."""
    said = f"{'true ' if result.true else 'FALSE'} {result.name}: {'; '.join(result.predicted) or 'nothing'}"
    return [said] if result.true else [said, f"      really: {'; '.join(result.real) or 'nothing'}"]


@pytest.fixture(scope="module", autouse=True)
def table(request: pytest.FixtureRequest) -> Iterator[None]:
    """Print the table when all is done."""
    yield
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    reporter.write_line("")
    for result in RESULTS:
        for line in lines(result):
            reporter.write_line(line)


def test_a_bare_host(machine: Host, inventory: Inventory) -> None:
    dry, real = prove(BARE, machine, inventory, "site")
    assert (dry.code, real.code) == (0, 0), dry.message + real.message
    result = RESULTS[-1]
    assert result.predicted == result.real
    assert "Apply the migrations" in result.real


def test_nothing_changed(machine: Host, inventory: Inventory) -> None:
    dry, real = prove(SAME_AGAIN, machine, inventory, "site")
    assert (dry.code, real.code, dry.stats["changed"], real.stats["changed"]) == (0, 0, 0, 0)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_row(row: Row, machine: Host, inventory: Inventory) -> None:
    kept = dict(inventory.variables)
    inventory.variables.update(row.variables)
    for path, text in row.source.items():
        file = SOURCE / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as stream:
            stream.write(text)
    if row.host:
        machine.run(row.host)
    dry, real = prove(row.name, machine, inventory, row.playbook, *row.options)
    result = RESULTS[-1]
    if row.undo:
        machine.run(row.undo)
    if row.refused:
        inventory.variables = kept
        for path in row.source:
            (SOURCE / path).unlink()
        assert dry.code != 0
        assert dry.message == real.message
        return
    assert (dry.code, real.code) == (0, 0), dry.message + real.message
    assert result.predicted == result.real
    assert result.real
    assert set(row.covers) <= result.covered | {"release", "stack", "docker_engine", "tls"}


def test_every_mutation_was_tried() -> None:
    assert {result.name for result in RESULTS} == {BARE, SAME_AGAIN, *(row.name for row in ROWS)}
    # A run that is refused may put back what it has replaced.
    refused = {row.name for row in ROWS if row.refused}
    done = frozenset().union(*(result.covered for result in RESULTS if result.name not in refused))
    assert sorted(LOOKS_ONLY.keys() & done) == []
