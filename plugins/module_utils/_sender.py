# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sending a source from the controller to the host: for action plugins alone."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleActionFail
from ansible_collections.barehost.django.plugins.module_utils import _litter, _serving, _source

if TYPE_CHECKING:
    from collections.abc import Mapping


def send_source(action: Any, source: str, dockerfile: str, project_dir: str, largest: int | None = None) -> str | None:  # noqa: ANN401 - Ansible's
    """Pack a source and put it into the host's temporary folder; None where it is larger than it may be.

    Who calls it removes the folder.
    """
    with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
        _source.pack(source, dockerfile, archive)
        archive.flush()
        if largest is not None and archive.tell() > largest:
            return None
        shell = action._connection._shell  # noqa: SLF001 - the base class of action plugins has only private names
        folder = shell.tmpdir or action._make_tmp_path()  # noqa: SLF001 - as above
        remote = str(shell.join_path(folder, _litter.context_name(project_dir)))
        action._transfer_file(archive.name, remote)  # noqa: SLF001 - as above
    return remote


def send_for_dry_run(action: Any, options: Mapping[str, Any], project_dir: str) -> dict[str, Any]:  # noqa: ANN401 - Ansible's
    """Return the options of django_prepare for the host: in a dry run, in which nobody builds it, with the source that was sent."""
    own = {key: value for key, value in options.items() if key not in ("source", "context")}
    if not action._task.check_mode or not options.get("source"):  # noqa: SLF001 - as above
        return own
    try:
        # Sent only where the module has to ask it: the release that serves is asked as it runs.
        dockerfile = str(own.get("dockerfile") or "Dockerfile")
        own["context"] = send_source(action, str(options["source"]), dockerfile, project_dir, _serving.LARGEST_SOURCE)
    except _source.SourceError as error:
        raise AnsibleActionFail(str(error)) from error
    return own


def tidy(action: Any) -> None:  # noqa: ANN401 - Ansible's
    """Remove the folder on the host, where one was made."""
    folder = action._connection._shell.tmpdir  # noqa: SLF001 - as above
    if folder:
        action._remove_tmp_path(folder)  # noqa: SLF001 - as above
