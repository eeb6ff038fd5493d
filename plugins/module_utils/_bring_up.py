# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bringing named services up: decided first, then done, so that others can work between the two or beside them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.barehost.django.plugins.module_utils import (
    _accounts_run,
    _compose,
    _credentials,
    _data_lock,
    _edge,
    _guard,
    _release,
    _up,
    _validate,
    _wait,
    _way_back,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ansible.module_utils.basic import AnsibleModule

RELOAD_SPEC: dict[str, Any] = {
    "service": {"type": "str", "required": True},
    "digest": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "stamp": {"type": "str", "default": ""},
    "test": {"type": "list", "elements": "str", "required": True},
    "command": {"type": "list", "elements": "str", "required": True},
}

LATER: dict[str, Any] = {
    "services": {"type": "list", "elements": "str", "required": True},
    "remove_orphans": {"type": "bool", "default": False},
    "reload": {"type": "list", "elements": "dict", "options": RELOAD_SPEC, "default": []},
}
WISH: dict[str, Any] = {
    **LATER,
    "definitions": {"type": "dict"},
    "images": {"type": "dict", "default": {}},
    "timeout": {"type": "int", "default": 180},
    "ahead": {"type": "dict", "options": LATER},
    # What each server should let in; see _accounts_run.
    "accounts": {"type": "dict"},
}
# As WISH, for a call that makes the image meanwhile: there what is new can be asked about its files at no cost.
BESIDE: dict[str, Any] = {
    "project": {"type": "str", "required": True},
    **WISH,
    "validate": {"type": "list", "elements": "dict", "options": _validate.OPTIONS, "default": []},
    "guards": {"type": "list", "elements": "dict", "options": _guard.OPTIONS, "default": []},
    # Whether this run has upgraded a server before, which a dry run can only foresee.
    "upgraded": {"type": "bool", "default": False},
}
# What these begin with is used by nobody.
NEW = frozenset({"create", "start", "none"})
# What a switch does to an edge to which it gives another route; what is paused goes on with any switch.
WOKEN = ("start", "unpause")
# And these are made anew, from an image that may never have seen the files.
MADE_ANEW = frozenset({"create", "recreate"})


def running(item: dict[str, Any], containers: Sequence[_compose.Container]) -> list[_compose.Container]:
    """Return the running containers of a service."""
    return [c for c in containers if c.service == item["service"] and c.running]


def stale(item: dict[str, Any], container: _compose.Container, root: Path) -> bool:
    """Whether a container runs with other files than it should."""
    if not (container.address or container.pid):
        # It comes up with the engine, as a dry run foresees it, and loads what is there by then.
        return str(item["digest"]) not in (_release.read_text(root / item["stamp"]) or "")
    return _edge.ask(container.address, item["port"]) != str(item["digest"])


def needs_reload(item: dict[str, Any], containers: Sequence[_compose.Container], root: Path) -> bool:
    """Whether a service runs with other files than it should."""
    return any(stale(item, container, root) for container in running(item, containers))


def reload_service(item: dict[str, Any], engine: _up.Engine) -> None:
    """Have a service test and load its files, and wait until it says so."""
    root = Path(engine.project_dir)
    for container in running(item, engine.containers()):
        engine.reload(container, item["test"], item["command"], lambda c=container: not stale(item, c, root))  # type: ignore[misc]


@dataclass(frozen=True)
class Decision:
    """What has to be done to some services."""

    steps: list[_up.Step]
    reloads: list[dict[str, Any]]
    stray: list[_compose.Container]

    @property
    def active(self) -> list[str]:
        """The services that are created, recreated or started; a process that was paused is no new one."""
        return [step.service for step in self.steps if step.action not in ("none", "unpause")]

    @property
    def only_new(self) -> bool:
        """Whether nothing that is there is touched."""
        return not self.reloads and not self.stray and all(step.action in NEW for step in self.steps)

    def without(self, done: Sequence[str]) -> Decision:
        """Return what is left to do where some services are done."""
        steps = [_up.Step(step.service, "none") if step.service in done else step for step in self.steps]
        return Decision(steps, self.reloads, self.stray)

    def all_steps(self) -> list[_up.Step]:
        """Return everything that is done, as the result tells it."""
        return [
            *(step for step in self.steps if step.action != "none"),
            *(_up.Step(item["service"], "reload", "its files changed") for item in self.reloads),
            *(_up.Step(container.service, "remove", "no service of this name is left") for container in self.stray),
        ]


def decide(wish: Mapping[str, Any], snapshot: _up.Snapshot, root: Path) -> Decision:
    """Compare what is wanted with what there is."""
    steps = _up.plan(wish["services"], snapshot)
    idle = [step.service for step in steps if step.action == "none"]
    due = (item for item in wish["reload"] if item["service"] in idle)
    reloads = [item for item in due if needs_reload(item, snapshot.containers, root)]
    return Decision(steps, reloads, _up.orphans(snapshot) if wish["remove_orphans"] else [])


class BringUp:
    """One call for some services: what it decides, what it does, what it says of both."""

    def __init__(self, module: AnsibleModule, wish: Mapping[str, Any]) -> None:
        """Take what is wanted, as WISH describes it."""
        self.wish = wish
        self._run = lambda argv, data: module.run_command(argv, data=data)
        self.check = module.check_mode
        self.ahead: list[_up.Step] = []
        self.decision = Decision([], [], [])
        self.settled = False
        self.there = _way_back.There()
        # Whether services that are lost go back to what they had.
        self.returns = False
        directory = wish["project_dir"]
        # In a dry run there may be nothing to compare with yet.
        self.installed = module.get_bin_path("docker") is not None
        self.nothing_there = self.check and not ((Path(directory) / _compose.BASE_FILE).exists() and self.installed)
        files = _up.compose_files(directory)
        self.accounts = _accounts_run.Accounts(module, directory, wish["project"], wish.get("accounts"))
        self.containers: list[_compose.Container] = []
        self.engine = _up.Engine(module.run_command, directory, files, wish["project"], wish["definitions"])
        self.guards = _guard.Guards(
            self.engine, wish.get("guards", ()), check=self.check, upgraded=wish.get("upgraded", False)
        )

    @classmethod
    def beside(cls, module: AnsibleModule, wish: Mapping[str, Any]) -> BringUp:
        """Read a wish that a module takes beside its own parameters; ValueError says what is wrong with it."""
        found = ArgumentSpecValidator(BESIDE).validate(dict(wish))
        if found.error_messages:
            raise ValueError("; ".join(found.error_messages))
        try:
            task = cls(module, {**found.validated_parameters, "project_dir": module.params["project_dir"]})
        except _credentials.AccountsError as error:
            raise ValueError(str(error)) from error
        # Nothing else of this run has been put in place by then, so all its files can go back.
        task.returns = True
        return task

    def decide(self) -> Decision:
        """Compare what is wanted with what there is, for now and for later."""
        later = self.wish["ahead"]
        if self.nothing_there:
            wishes = [self.wish, later or {"services": []}]
            steps, self.ahead = [
                [_up.Step(service, "create", "nothing is deployed yet") for service in wish["services"]]
                for wish in wishes
            ]
            self.decision = Decision(steps, [], [])
            # Nor is there data where no engine ever was.
            if self.installed:
                self.guards.look(steps, _up.Snapshot(self.known(), {}, []))
        else:
            self.guards.recover(self.wish["services"])
            snapshot, root = self.engine.snapshot(self.wish["images"]), Path(self.engine.project_dir)
            self.decision = self.foreseen(decide(self.wish, snapshot, root))
            self.ahead = decide(later, snapshot, root).all_steps() if later else []
            self.guards.look(self.decision.steps, snapshot)
            self.decision = self.decision.without(self.guards.started)
            self.there = _way_back.There.of(snapshot.containers)
            self.containers = list(snapshot.containers)
            wanted = [c for c in snapshot.containers if c.service in self.wish["services"]]
            self.settled = not self.decision.all_steps() and all(c.ready for c in wanted)
        return self.decision

    def known(self) -> dict[str, _compose.Wanted]:
        """Return what is known of the services without their files."""
        return {name: _compose.Wanted(image, "") for name, image in self.wish["images"].items()}

    def foreseen(self, decision: Decision) -> Decision:
        """Return what is left to do once the switch before this call has been at the edge, which a dry run does not see."""
        switched = self.wish.get("switched")
        if not (self.check and switched):
            return decision
        name, done = switched["service"], WOKEN if switched["routed"] else ("unpause",)
        if switched["remade"]:
            # By then from its files of now, whatever else was to be new with it.
            done = (*done, *MADE_ANEW)
        steps = [
            _up.Step(name, "none") if step.service == name and step.action in done else step for step in decision.steps
        ]
        loaded = [name] if switched["routed"] else []
        return Decision(steps, [item for item in decision.reloads if item["service"] not in loaded], decision.stray)

    def validate_ahead(self) -> None:
        """Have what a later call makes anew say whether it accepts its files, which pulls its image, too."""
        self._validate_services([step.service for step in self.ahead if step.action in MADE_ANEW])

    def _validate_services(self, services: Sequence[str]) -> None:
        """Ask services at the same time; not in a dry run, since it takes containers."""
        wanted = [item for item in self.wish.get("validate", []) if item["service"] in services]
        if self.check or not wanted:
            return
        questions = [_validate.Question.from_params(item) for item in wanted]
        with ThreadPoolExecutor(len(questions)) as pool:
            root = self.engine.project_dir
            answers = list(pool.map(lambda question: _validate.ask_image(self._run, question, root, root), questions))
        refusals = [text for text in (answer.refusal("nothing that serves was changed") for answer in answers) if text]
        if refusals:
            raise _up.UpError("; ".join(refusals))

    def see_to_accounts(self) -> None:
        """Have the servers that go on as they are let in whom they should: before anything that takes its time."""
        idle = [step.service for step in self.decision.steps if step.action == "none"]
        try:
            self.accounts.prepare()
            self.accounts.converge(self.containers, None if self.check else idle)
        except (_credentials.AccountsError, OSError) as error:
            raise _up.UpError(str(error)) from error

    def act(self) -> None:
        """Do what was decided, and wait until the services are healthy; nothing in a dry run, or where all is well."""
        self.see_to_accounts()
        if self.settled and not self.check:
            self.guards.mark(self.wish["services"])
            return
        with self._alone():
            if not self.check:
                self._carry_out()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for a backup where a server is ended that it reads from, or in a dry run refuse what would be refused."""
        anew = {step.service for step in self.decision.steps if step.action == "recreate"}
        ended = {c.service for c in self.containers if c.service in anew and c.labels.get(_up.TIER_LABEL) == "data"}
        if not ended:
            yield
            return
        root, who = Path(self.engine.project_dir), f"a new container of {', '.join(sorted(ended))}"
        # Without a server that runs nobody could go on with a restore that was killed.
        settles = not any(c.state == "running" for c in self.containers if c.service in ended)
        try:
            if not self.check:
                with _data_lock.held(root, who, settles=settles):
                    yield
                return
            if not settles:
                _data_lock.foresee(root)
            yield
        except _data_lock.BusyError as error:
            raise _up.UpError(f"{', '.join(sorted(ended))} was left as it is: {error}") from error

    def _carry_out(self) -> None:
        """Do what was decided."""
        # A MySQL that first starts with an option that it does not know leaves a data directory that none can use any more.
        self._validate_services([step.service for step in self.decision.steps if step.action == "create"])
        self.guards.before_start()
        try:
            self.engine.carry_out(self.decision.steps)
            self._wait()
        except (_up.UpError, _credentials.AccountsError) as error:
            told = self.guards.explain(self.wish["services"], str(error))
            if not self.returns:
                raise _up.UpError(told) from error
            back = _way_back.WayBack(self.engine, self.wish["services"], self.there, self.wish["timeout"])
            raise _up.UpError(back.go(told)) from error
        self.guards.mark(self.wish["services"])
        for item in self.wish["reload"]:
            # Asked again: a container that was to be recreated may have been left as it is.
            if item["service"] in self.wish["services"] and needs_reload(
                item, self.engine.containers(), Path(self.engine.project_dir)
            ):
                reload_service(item, self.engine)
        self.engine.remove(self.decision.stray)

    def _wait(self) -> None:
        """Wait until the services are healthy, and have those that were started let in whom they should."""
        containers = self.engine.containers() if self.accounts.servers else []
        with self.accounts.meanwhile(containers):
            _wait.for_services(self.engine, self.wish["services"], self.wish["timeout"], fresh=self.decision.active)
        self.accounts.converge(containers, healthy=True)

    def result(self) -> dict[str, Any]:
        """Return what was done, as the modules return it."""
        steps = [*self.guards.steps, *self.decision.all_steps()]
        return {
            "steps": [vars(step) for step in steps],
            "changed_services": sorted({step.service for step in steps}),
            **({"ahead": [vars(step) for step in self.ahead]} if self.wish["ahead"] else {}),
            **({"accounts": self.accounts.texts} if self.accounts.servers else {}),
        }

    def text(self) -> str:
        """Return what is done, a line for each service."""
        steps = [
            f"{step.service}: {step.action} ({step.reason})\n"
            for step in [*self.guards.steps, *self.decision.all_steps()]
        ]
        return "".join([*steps, *(f"{text}\n" for text in self.accounts.texts)])
