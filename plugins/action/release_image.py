# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Send the build context to the host, but only where the image is missing there."""

from __future__ import annotations

import subprocess
import tempfile
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.barehost.django.plugins.module_utils import _source

MODULE = "barehost.django.release_image"


def git_revision(source: str) -> str:
    """Return the revision that last touched the source, "+" behind it where the source differs from it; empty without git.

    For people who read the record: the release itself is named after its content.
    """
    try:
        revision, state = (
            subprocess.run(
                ["git", "-C", source, *words, "--", "."], capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in (("log", "-1", "--format=%h"), ("status", "--porcelain"))
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{revision}+" if revision and state else revision


class ActionModule(ActionBase):  # type: ignore[misc]
    """Asks the host first; packs, sends and builds only if it has to."""

    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module once where the image is there, and twice where it has to be built."""
        super().run(tmp, task_vars)
        args = {key: value for key, value in self._task.args.items() if key != "context"}
        result: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=args, task_vars=task_vars)
        if not result.get("needs_context"):
            return {**result, "git_revision": git_revision(str(args["source"]))}
        try:
            context = self._send(str(args["source"]), str(args.get("dockerfile", "Dockerfile")))
            result = self._execute_module(
                module_name=MODULE, module_args={**args, "context": context}, task_vars=task_vars
            )
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return {**result, "git_revision": git_revision(str(args["source"]))}

    def _send(self, source: str, dockerfile: str) -> str:
        folder = self._connection._shell.tmpdir or self._make_tmp_path()
        remote: str = self._connection._shell.join_path(folder, "context.tar")
        with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
            try:
                _source.pack(source, dockerfile, archive)
            except _source.SourceError as error:
                raise AnsibleActionFail(str(error)) from error
            archive.flush()
            self._transfer_file(archive.name, remote)
        return remote
