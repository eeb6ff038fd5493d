# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The site with a page that says what the application was told, and a look at what has come to the application at all."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clients import Answer, ask
from conftest import ROOT, Host, run_playbook

from tests.hosts import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.playbooks import PlaybookRun

TIMEOUT = 5
# Two years: what testssl.sh and the list of browsers ask for is half a year, and a year.
HSTS = 63072000
VALUES: dict[str, Any] = {"nginx_proxy_timeout_seconds": TIMEOUT, "django_hsts_seconds": HSTS}


@dataclass(frozen=True)
class Site:
    """The site, and where its source and its variables lie."""

    edge: Host
    folder: Path
    ca: str = ""

    def deploy(self, playbook: str = "deploy", **more: Any) -> PlaybookRun:
        """Deploy it with further variables; those of an earlier call go."""
        source, values = self.folder / "app", self.folder / "values.json"
        if not source.exists():
            shutil.copytree(ROOT / "app", source, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
            shutil.copy(ROOT / "molecule" / "edge" / "mirror" / "mirror.py", source / "settings")
            with (source / "settings" / "urls.py").open("a") as file:
                file.write('\nurlpatterns += [path("", include("settings.mirror"))]\n')
        values.write_text(json.dumps({"django_source_path": str(source), **VALUES, **more}))
        run = run_playbook(playbook, f"-e@{values}")
        assert run.code == 0, run.message
        return run

    def reached(self, words: list[str]) -> set[str]:
        """Return which of the words have come to the application in a request."""
        control = word()
        assert ask(f"/mirror/?{control}", ca=self.ca).status == 200
        seen = ""

        def there() -> bool:
            # Whatever was sent before the control is in the log with it.
            nonlocal seen
            seen = self.edge.run(f"docker logs --since 10m {self.edge.container('web')} 2>&1", seconds=60)
            return control in seen

        wait_until(there, "the application logs a request")
        return {item for item in words if item in seen}


def word() -> str:
    """Return a word that nobody has sent before."""
    return f"w{secrets.token_hex(8)}"


def told(answer: Answer) -> dict[str, Any]:
    """Return what the application says it was told."""
    found = json.loads(answer.body)
    assert found["word"] == "mirror"
    return dict(found)
