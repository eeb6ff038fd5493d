# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A part of the measurement can be repeated without the other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.bench import __main__ as bench

if TYPE_CHECKING:
    from pathlib import Path


def test_no_round_keeps_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "results.json")
    assert bench.measured(0) == []
    bench.RESULTS.write_text(json.dumps({"samples": [{"case": "again"}]}))
    assert bench.measured(0) == [{"case": "again"}]


def test_nothing_that_could_be_kept_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "VERSIONS", tmp_path)
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr("sys.argv", ["make bench", "--rounds", "0"])
    with pytest.raises(SystemExit):
        bench.main()
    assert "leave --rounds out" in capsys.readouterr().err
