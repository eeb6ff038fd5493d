# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""gixy over the configuration that Nginx would load, in every mode."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _edge
from findings import Finding, problems, program, said, unexplained

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Rendered

DIRECTORY = "/etc/nginx/stack"
MAIN = "nginx.conf"
# What a release writes, and what the image has.
SERVERS = _edge.servers_text(_edge.Route("web-0123456789abcdef", 8000, ("172.18.0.7",)))
BESIDE = {
    "/etc/nginx/upstream/servers.conf": SERVERS,
    "/etc/nginx/upstream/stamp.conf": _edge.stamp_text(SERVERS),
    "/etc/nginx/mime.types": "types {\n    text/html html;\n}\n",
}


def dump(files: dict[str, str]) -> str:
    """Return files in the form in which `nginx -T` prints what it has loaded, the main one first."""
    named = {f"{DIRECTORY}/{name}": text for name, text in sorted(files.items(), key=lambda item: item[0] != MAIN)}
    return "".join(f"# configuration file {path}:\n{text}\n" for path, text in {**named, **BESIDE}.items())


def look(files: dict[str, str], folder: Path, mode: str) -> list[Finding]:
    """Return what gixy finds, of whatever weight."""
    path = folder / f"{mode}.conf"
    path.write_text(dump(files), encoding="utf-8")
    report = json.loads(said([program("gixy"), "--format", "json", "--no-default-vars", str(path)]))
    return [
        Finding(mode, 0, item["plugin"], " ".join(f"{item['summary']} {item['reason']} {item['config']}".split()))
        for item in report
    ]


def configurations(rendered: Rendered) -> dict[str, dict[str, str]]:
    """Return the files of Nginx, by mode."""
    return {
        mode: {path.name: path.read_text(encoding="utf-8") for path in sorted((folder / "nginx").glob("*.conf"))}
        for mode, folder in rendered.modes.items()
    }


def test_nothing_in_a_configuration_is_unexplained(rendered: Rendered, tmp_path: Path) -> None:
    found = [one for mode, files in configurations(rendered).items() for one in look(files, tmp_path, mode)]
    assert problems("gixy", found) == []


def test_all_that_is_included_is_looked_at(rendered: Rendered) -> None:
    for files in configurations(rendered).values():
        text = dump(files)
        included = re.findall(r"^\s*include\s+([^;*]+);", text, re.MULTILINE)
        assert included
        assert [path for path in included if f"# configuration file {path}:\n" not in text] == []


def test_flaws_are_found(rendered: Rendered, tmp_path: Path) -> None:
    files = configurations(rendered)["plain"]
    assert "location /api/ {" in files["site.conf"]
    flaw = "location /i {\nalias /srv/media/;\n}\nlocation /x {\nadd_header X-A b;\nreturn 302 https://$host$uri;\n}\nlocation /api/ {"
    broken = {**files, "site.conf": files["site.conf"].replace("location /api/ {", flaw)}
    found = {line.split()[1] for line in unexplained("gixy", look(broken, tmp_path, "plain"))}
    assert {"alias_traversal", "http_splitting", "add_header_redefinition"} <= found, found
