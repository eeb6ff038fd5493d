# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Having a release serve in one call: its image, its static files and plan, the switch.

Each part is the module of its own that it is elsewhere, with parameters of its own. A call over SSH costs half a second and
more before it does anything, so three in one are a second and a half saved in every run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _asleep,
    _compose,
    _lock,
    _release,
    _run_image,
    _run_prepare,
    _run_switch,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from ansible.module_utils.basic import AnsibleModule

# What follows from the image, where that is one of the parts.
HANDED_ON = frozenset({"image", "image_id", "release_id"})


def options_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a part that need not be the first one."""
    return {name: {"type": "str", "default": ""} if name in HANDED_ON else spec for name, spec in options.items()}


ARGUMENTS: dict[str, Any] = {
    **_lock.ARGUMENTS,
    **_asleep.ARGUMENTS,
    "project_dir": {"type": "path", "required": True},
    "image": {"type": "dict", "options": _run_image.OPTIONS, **_run_image.RULES},
    "prepare": {"type": "dict", "options": options_of(_run_prepare.OPTIONS)},
    "switch": {"type": "dict", "options": options_of(_run_switch.OPTIONS)},
    **_run_image.SECRETS,
    **_run_prepare.SECRETS,
    "git_revision": {"type": "str", "default": ""},
}


# An image may take an hour. One that takes no longer than a switch does leaves nobody less attended than that does.
UNATTENDED_SECONDS = 30


class Part:
    """The call as one of its parts sees it: with the parameters of that part, and with what the earlier ones have done."""

    def __init__(self, module: AnsibleModule, name: str, done: Mapping[str, Any], **handed_on: Any) -> None:  # noqa: ANN401 - parameters
        """Take the part's own parameters out of those of the call."""
        shared = {
            key: value for key, value in module.params.items() if not isinstance(ARGUMENTS[key].get("options"), dict)
        }
        self.params = {**shared, **module.params[name], **handed_on}
        self._module = module
        self._done = done

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a module has
        """Leave everything else to the module."""
        return getattr(self._module, name)

    def fail_json(self, msg: str, **result: Any) -> None:  # noqa: ANN401 - results are JSON
        """End the call; what was done before stays in the result."""
        changed = bool(result.pop("changed", False)) or any(part["changed"] for part in self._done.values())
        self._module.fail_json(msg=msg, changed=changed, **{**self._done, **result})


def run(module: AnsibleModule) -> dict[str, Any]:
    """Go from the image to the switch, or as far as can be gone in one call; return what the module returns."""
    params = module.params
    done: dict[str, Any] = {}
    known: dict[str, Any] = {}
    if params["image"]:
        with step(module, _run_image.STEP):
            image = _run_image.run(Part(module, "image", done))
        if image.get("needs"):
            return image
        image["git_revision"] = image["git_revision"] or params["git_revision"]
        done["image"] = image
        if (image.get("seconds") or 0) > UNATTENDED_SECONDS:
            # Whoever has gone while it was made or fetched must not find a release switched to that nobody has proven:
            # whether to go on is asked again, by the next call.
            return whole(done)
        known = {key: image[key] for key in ("release_id", "image", "image_id")}
    if params["prepare"]:
        with step(module, _run_prepare.STEP):
            done["prepare"] = _run_prepare.run(Part(module, "prepare", done, **files(params, known)))
    if params["switch"] and nothing_between(done):
        with step(module, _run_switch.STEP):
            done["switch"] = _run_switch.run(Part(module, "switch", done, **known, details=details(params, done)))
    return whole(done)


def step(module: AnsibleModule, name: str) -> AbstractContextManager[None]:
    """Do one part under the lock."""
    return _lock.step_of(module, module.params["project_dir"], name)


def files(params: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a one-shot container of the release is described by."""
    if not known:
        return {}
    root, release_id = params["project_dir"], known["release_id"]
    candidate = str(_release.candidate_path(root, release_id))
    return {"release_id": release_id, "compose_files": [f"{root}/{_compose.BASE_FILE}", candidate]}


def details(params: Mapping[str, Any], done: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else the record says of the release, with what the parts before have found."""
    found = dict(params["switch"]["details"])
    if "prepare" in done:
        found["heads"] = done["prepare"].get("heads", {})
    if "image" in done:
        found["git_revision"] = done["image"]["git_revision"]
    return found


def nothing_between(done: Mapping[str, Any]) -> bool:
    """Whether the switch may follow at once: nothing has to be applied to the schema before it."""
    prepared = done.get("prepare")
    return prepared is None or bool(prepared["plan_known"] and not prepared["plan"])


def whole(done: Mapping[str, Any]) -> dict[str, Any]:
    """Put the results of the parts together."""
    found = [part.pop("diff", None) for part in done.values()]
    diffs = [diff for diff in found if diff and (diff["before"] or diff["after"])]
    return {
        "changed": any(part["changed"] for part in done.values()),
        "msg": "; ".join(part["msg"] for part in done.values() if part.get("msg")),
        "diff": diffs,
        **done,
    }
