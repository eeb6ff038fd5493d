# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sending a source from the controller to the host: for action plugins alone."""

from __future__ import annotations

import tempfile
from typing import Any

from ansible_collections.barehost.django.plugins.module_utils import _litter, _source


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
