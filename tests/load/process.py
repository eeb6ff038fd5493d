# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The load in a process of its own: a test that works at the same time does not slow it down."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
# A test that forgets to stop it does not leave it for ever.
LONGEST_SECONDS = 3600


class Load:
    """Start the load, do something, stop it, read the report.

    with Load("http://127.0.0.1:8080", "example.test") as load:
        deploy()
    assert failures(load.report) == 0
    """

    def __init__(self, url: str, host_header: str = "", *arguments: str, longest: float = LONGEST_SECONDS) -> None:
        """Take the address, and more arguments of the command line."""
        self.arguments = ["--url", url, "--host-header", host_header, "--seconds", f"{longest:g}", *arguments]
        self.report: dict[str, Any] = {}
        self.output = ""
        self._process: subprocess.Popen[str] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> Self:
        """Start, and return when the clients have."""
        self._folder = tempfile.TemporaryDirectory(prefix="load-")
        command = [sys.executable, "-m", "tests.load", *self.arguments, "--report", str(self._file)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._process.stdout
        first = self._process.stdout.readline()
        if "running" not in first:
            message = f"the load did not start: {first}{self._process.stdout.read()}"
            self._end()
            raise RuntimeError(message)
        return self

    def stop(self, limit: float = 120) -> dict[str, Any]:
        """Send nothing more, wait for the answers that are under way, and return the report."""
        if self._process is None:
            return self.report
        self._process.terminate()
        try:
            self.output = self._process.communicate(timeout=limit)[0]
            if not self._file.exists():
                raise RuntimeError(f"the load wrote no report (exit code {self._process.returncode}): {self.output}")
            self.report = json.loads(self._file.read_text(encoding="utf-8"))
        finally:
            self._end()
        return self.report

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def _file(self) -> Path:
        assert self._folder
        return Path(self._folder.name) / "report.json"

    def _end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
        if self._folder:
            self._folder.cleanup()
        self._process = self._folder = None
