# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What becomes of a stack's settings and passwords when a run gives the lock back: by whether it has come to a good end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import (
    _accounts_run,
    _before,
    _credentials,
    _lock,
    _lock_state,
    _release,
)

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def serving_id(root: str) -> str:
    """Return the release that serves."""
    return str((_release.current_record(root) or {}).get("id", ""))


def settings(module: AnsibleModule) -> list[str]:
    """Keep the files with which a deploy came to a good end, or put back those of the release that serves; name the latter."""
    root, good = module.params["project_dir"], module.params["result"]["result"] == "ok"
    if module.check_mode or not serving_id(root):
        return []
    try:
        # A step that lost its connection may still be at work: it must not find other files than it began with.
        with _lock.hold(root, module.params["token"], "settings"):
            if good:
                _release.prove(root, module.params["result"]["to"])
                _before.settle(Path(root))
                return []
            before = file_texts(root)
            _release.restore_files(root)
            return sorted(name for name, text in file_texts(root).items() if text != before[name])
    # Also a file that is no text any more, or a damaged record: the lock has to be given back all the same.
    except (_lock_state.LockError, OSError, ValueError, TypeError, AttributeError) as error:
        module.warn(f"the settings of the serving release were not {'kept' if good else 'put back'}: {error}")
        return []


def finish(module: AnsibleModule) -> list[str]:
    """Take away what only a deploy on its way needs, where this one has come to its good end; return what was done."""
    root, good = module.params["project_dir"], module.params["result"]["result"] == "ok"
    # A rollback goes on with the passwords that it finds, and what it has left to others may still use the old ones.
    if module.check_mode or not good or not _credentials.noted(Path(root)) or not _before.installed(Path(root)):
        return []
    try:
        with _lock.hold(root, module.params["token"], "accounts"):
            return _accounts_run.finish(module, root)
    except _lock_state.LockError as error:
        module.warn(f"an old password is still taken beside the new one, until the next deploy: {error}")
        return []


def file_texts(root: str) -> dict[str, str]:
    """Return the files that the serving release reads."""
    return {name: _release.read_text(Path(root) / name) or "" for name in _release.SERVING_FILES}
