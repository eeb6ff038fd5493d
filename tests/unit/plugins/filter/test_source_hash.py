# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter around the content hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.barehost.django.plugins.filter.source_hash import FilterModule, source_hash
from ansible_collections.barehost.django.plugins.module_utils import _source

if TYPE_CHECKING:
    from pathlib import Path


def test_first_digits(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    whole = _source.content_hash(str(tmp_path), build_args={"A": 1}, base_images=["a"], extra=["b"])
    arguments = {"build_args": {"A": 1}, "base_images": ["a"], "extra": ["b"]}
    assert source_hash(str(tmp_path), **arguments) == whole[:12]
    assert source_hash(str(tmp_path), "Dockerfile", length=64, **arguments) == whole
    assert FilterModule().filters() == {"source_hash": source_hash}


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(AnsibleFilterError, match="source_hash: there is no file 'Dockerfile'"):
        source_hash(str(tmp_path))
    with pytest.raises(AnsibleFilterError, match="length 3 is not within 8 to 64"):
        source_hash(str(tmp_path), length=3)
