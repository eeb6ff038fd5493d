# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One call of release_switch: what is wanted, what there is, what that takes, and what is written down about it.

A release is committed by its record, and by the link to it: these alone say what serves, and a run that was cut off before
them has changed neither. It is proven once its deploy has come to a good end; a commit that is not proven yet can still be
taken back, by a later run, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _compose,
    _edge,
    _release,
    _rollover,
    _switch,
    _switch_host,
    _up,
)

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

# What a commit writes into the record; the rest of it was there before.
COMMITTED_KEYS = ("activated", "before", "override", "proven", "rejected", "settings", "switch")


class Job:
    """What one call of the module has to do."""

    def __init__(self, module: AnsibleModule) -> None:
        """Read the parameters and the host."""
        self.module = module
        self.params = module.params
        params = self.params
        self.root = Path(params["project_dir"])
        self.release_id = _release.check_id(params["release_id"])
        self.path = _release.record_path(params["project_dir"], self.release_id)
        self.saved = _release.read_record(self.path) or {}
        self.committed = _release.committed(params["project_dir"])
        self.serving_record = _release.current_record(params["project_dir"]) or {}
        self.services = [_rollover.service_of(item) for item in params["services"]]
        base = str(self.root / _compose.BASE_FILE)
        self.engine = _up.Engine(module.run_command, params["project_dir"], [base], params["project"])
        self.edge = _switch_host.edge_of(params["edge"])
        self.wanted: dict[str, dict[str, str]] = {}
        self.text = ""
        self.works: list[_rollover.Work] = []
        self.edge_id = ""
        self.containers: list[_compose.Container] = []

    @property
    def serving(self) -> str:
        """The release that serves, empty where none does."""
        return self.committed.release_id

    @property
    def resumed(self) -> bool:
        """Whether the release was committed by a run that did not come to its end."""
        record = self.serving_record
        return self.serving == self.release_id and not record.get("proven") and bool(_release.before_of(record))

    @property
    def before(self) -> dict[str, Any]:
        """What there is to come back to: the release, what it was started with, and the copy of its settings."""
        record = self.serving_record
        if self.resumed:
            return dict(_release.before_of(record))
        return {
            "id": self.serving,
            "switch": record.get("switch", {}),
            _release.SETTINGS: record.get(_release.SETTINGS, ""),
        }

    def look(self) -> None:
        """Find out what each service should be made from, and what has to happen to it."""
        if not self.services:
            raise _up.UpError("services is empty: name the services that run the release's image")
        definitions = self.params["definitions"] or self.engine.definitions_in_files()
        # First of all: of an engine that does not answer nothing else can be said.
        self.containers = containers = self.engine.containers()
        image = self.params["image"]
        image_id = self.engine.image_ids([image]).get(image, "")
        if self.module.check_mode and not image_id:
            # It may only have lost its name.
            image_id = self.params["image_id"]
        unknown = sorted(service.name for service in self.services if service.name not in definitions)
        if unknown:
            raise _up.UpError(f"no service {', '.join(unknown)} in the Compose files: deploy the stack first")
        if not image_id and not self.module.check_mode:
            raise _up.UpError(f"there is no image {image} on the host: build or pull the release first")
        for service in self.services:
            definition = definitions[service.name]
            name = _rollover.generation(self.release_id, definition, image_id)
            self.wanted[service.name] = {
                "definition": definition,
                "image_id": image_id,
                "image": image,
                "generation": name,
            }
        self.text = _release.serving_text(
            self.release_id,
            image,
            {name: wanted["generation"] for name, wanted in self.wanted.items()},
            networks={item["name"]: item["networks"] for item in self.params["services"]},
            routed=[service.name for service in self.services if service.routed],
            static_root=self.params["static_root"],
        )
        edges = [c.id for c in containers if self.edge and c.service == self.edge.service and c.running]
        self.edge_id = edges[0] if edges else ""
        generations = self.committed.generations
        self.works = [
            _rollover.plan(service, containers, self.wanted[service.name], generations) for service in self.services
        ]

    def route(self) -> _edge.Route:
        """Return where requests should go."""
        upstream = self.params["edge"].get("upstream", "") if self.edge else ""
        if upstream not in self.wanted:
            return _edge.Route()
        port = int(self.params["edge"]["probe"]["port"])
        return _edge.Route(_rollover.alias(upstream, self.wanted[upstream]["generation"]), port)

    def route_before(self, now: _edge.Route) -> _edge.Route:
        """Return where requests went by the last commit; by the edge's files where nobody knows."""
        if self.committed.generations is None:
            return now
        edge = self.serving_record.get("switch", {}).get("edge") or self.params["edge"]
        generation = self.committed.generations.get(edge.get("upstream", ""), "")
        if not generation:
            return _edge.Route()
        return _edge.Route(_rollover.alias(edge["upstream"], generation), int(edge["probe"]["port"]))

    def static_before(self, now: tuple[str, ...]) -> tuple[str, ...]:
        """Return the static files that were served by the last commit, the first choice first."""
        if self.committed.generations == {}:
            return ()
        if self.serving in ("", self.release_id) or now[:1] != (self.release_id,):
            return now
        # A run was cut off behind its step `static`. A release that has served before was among the others then.
        left_out = {self.serving} if self.saved.get("activated") else {self.serving, self.release_id}
        return (self.serving, *(name for name in now if name not in left_out))

    def host(self) -> _switch_host.SwitchHost:
        """Return the host, as the switch sees it."""
        draft = Path(self.module.tmpdir) / _compose.OVERRIDE_FILE
        draft.write_text(self.text, encoding="utf-8")
        self.engine.files = [str(self.root / _compose.BASE_FILE), str(draft)]
        tasks = self.params["tasks"]
        return _switch_host.SwitchHost(
            engine=self.engine,
            root=self.root,
            release_id=self.release_id,
            edge=self.edge,
            probe_of=_switch_host.probe_of(self.params["edge"].get("probe", {})),
            tasks_of=(tasks["service"], tasks["command"]) if tasks else None,
            on_commit=self.commit,
            on_uncommit=self.uncommit,
            on_note=self.note,
            edge_id=self.edge_id,
            planned=self.containers,
        )

    def target(self, host: _switch_host.SwitchHost) -> _switch.Target:
        """Return what the switch is to come to, and what to go back to."""
        return _switch.Target(
            release_id=self.release_id,
            static=bool(self.params["static_root"]),
            route=self.route(),
            works=self.works,
            route_before=self.route_before(host.route()),
            static_before=self.static_before(host.static()),
            route_stale=not host.route_loaded(),
        )

    def commit(self) -> None:
        """Let everything on the host speak of the release."""
        # With what it takes to come back to it: a rollback asks no inventory.
        again = {key: self.params[key] for key in ("services", "edge", "tasks", "static_root")}
        details = {
            **self.params["details"],
            "activated": _release.now(),
            "before": self.before,
            "override": self.text,
            # A release that is gone back to has come to its good end long ago.
            "proven": self.params["settings_before"],
            "rejected": None,
            _release.SETTINGS: _release.store_settings(str(self.root)),
            "switch": again,
        }
        if self.params["reject"] and self.serving not in ("", self.release_id):
            path = _release.record_path(str(self.root), self.serving)
            rejected = {"at": _release.now(), "reason": self.params["reject"]}
            _release.update_record(path, self.serving, self.serving_record.get("image", ""), {"rejected": rejected})
        _release.update_record(self.path, self.release_id, self.params["image"], details)
        _release.name_current(str(self.root), self.release_id, self.text)

    def uncommit(self) -> None:
        """Let everything on the host speak of the earlier release again."""
        record = _release.read_record(self.path) or {}
        kept = {key: value for key, value in record.items() if key not in COMMITTED_KEYS}
        earlier = {key: self.saved[key] for key in COMMITTED_KEYS if key in self.saved}
        if record:
            _release.write_record(self.path, {**kept, **earlier})
        if self.serving != self.release_id and self.serving_record:
            _release.write_record(_release.record_path(str(self.root), self.serving), self.serving_record)
        _release.name_current(str(self.root), self.serving, self.committed.override)

    def note(self, step: str) -> None:
        """Write into the record which step begins."""
        _release.update_record(self.path, self.release_id, self.params["image"], {"step": step})
