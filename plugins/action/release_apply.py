# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Do the controller's part for a release that is brought up in one call: send its source, or build and push it."""

from __future__ import annotations

from typing import Any

from ansible_collections.barehost.django.plugins.action import release_image
from ansible_collections.barehost.django.plugins.module_utils import _run_image, _sender
from ansible_collections.barehost.django.plugins.module_utils._action import ModuleAction


def given_options(options: dict[str, Any] | None) -> dict[str, Any]:
    """Return the options of a part that are given."""
    return {key: value for key, value in (options or {}).items() if value is not None}


class ActionModule(release_image.ActionModule):
    """As the action of release_image, with the options of the image one level further down."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module once where the image is there, and twice where that is not known and it has to be built."""
        ModuleAction.run(self, tmp, task_vars)
        given = {key: value for key, value in self._task.args.items() if key != "git_revision"}
        secrets = {key: given.pop(key) for key in _run_image.SECRETS if key in given}
        # An option without a value is one that is not given: a template in a dictionary cannot leave it out.
        parts = {name: given_options(given.pop(name, None)) for name in ("image", "prepare", "switch")}
        image = {key: value for key, value in parts.pop("image").items() if key not in release_image.INTERNAL}
        if image.get("source"):
            given["git_revision"] = release_image.git_revision(str(image["source"]))

        def bring_up(found: dict[str, Any]) -> dict[str, Any]:
            own = {key: value for key, value in found.items() if key not in {*secrets, "project_dir"}}
            return self.call("release_apply", {**given, **secrets, **({"image": own} if image else {})}, task_vars)

        try:
            parts["prepare"] = _sender.send_for_dry_run(self, parts["prepare"], str(given["project_dir"]))
            given.update({name: options for name, options in parts.items() if options})
            return self._find({**image, **secrets, "project_dir": given["project_dir"]}, bring_up)
        finally:
            _sender.tidy(self)
