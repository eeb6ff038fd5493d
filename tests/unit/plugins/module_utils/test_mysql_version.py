# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which server may be started on which data directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _mysql_version
from ansible_collections.barehost.django.plugins.module_utils._mysql_version import Version, judge

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
# What stands at the beginning of a redo log that 8.0.36 has made.
REDO = b"\0\0\0\6" + b"\0" * 12 + b"MySQL 8.0.36" + b"\0" * 36


def version(text: str) -> Version:
    """Read one that is there."""
    found = _mysql_version.parse(text)
    assert found is not None
    return found


def verdict(data: str, image: str, *, upgrade: bool = False) -> _mysql_version.Verdict:
    """Judge two versions."""
    return judge(version(data), version(image), f"mysql:{image}", upgrade=upgrade)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("9.7.4-1.el9", "9.7.4"),
        ("8.0.36\n", "8.0.36"),
        ("9.7", "9.7"),
        ("9.0.0", "9.0.0"),
        ("26.10.0", "26.10.0"),
    ],
)
def test_a_version_is_read(text: str, wanted: str) -> None:
    assert str(version(text)) == wanted


@pytest.mark.parametrize("text", ["", "innovation", "lts", "9", "latest", "1.2.3.4"])
def test_what_is_no_version_is_none(text: str) -> None:
    assert _mysql_version.parse(text) is None


@pytest.mark.parametrize(
    ("data", "image", "kind"),
    [
        ("9.7.4", "9.7.4", "same"),
        ("9.7.4", "9.7", "same"),
        ("9.7.4", "9.7.5", "patch"),
        # Inside of an LTS series the format of the data stays.
        ("9.7.5", "9.7.4", "patch"),
        ("8.4.9", "8.4.1", "patch"),
        ("8.0.35", "8.0.36", "patch"),
        ("8.0.36", "8.0.35", "refused"),
        ("9.1.1", "9.1.0", "refused"),
        ("26.7.1", "26.7.0", "refused"),
        ("9.7.4", "8.4.7", "refused"),
        ("26.7.0", "9.7.4", "refused"),
    ],
)
def test_a_deploy_stays_in_the_series(data: str, image: str, kind: str) -> None:
    assert verdict(data, image).kind == kind


@pytest.mark.parametrize(
    ("data", "image", "kind"),
    [
        ("5.7.44", "8.0.36", "step"),
        ("8.0.36", "8.4.7", "step"),
        ("8.0.36", "8.3.0", "step"),
        ("8.3.0", "8.4.7", "step"),
        ("8.4.7", "9.7.4", "step"),
        ("8.4.7", "9.2.0", "step"),
        ("9.1.0", "9.3.0", "step"),
        ("9.3.0", "9.7.4", "step"),
        ("9.7.4", "26.7.0", "step"),
        ("26.7.0", "26.10.0", "step"),
        ("8.0.36", "9.7.4", "refused"),
        ("8.0.36", "9.0.0", "refused"),
        ("8.3.0", "9.0.0", "refused"),
        ("5.7.44", "8.4.7", "refused"),
        ("8.4.7", "26.7.0", "refused"),
        ("9.3.0", "26.7.0", "refused"),
        ("9.7.4", "8.4.7", "refused"),
    ],
)
def test_an_upgrade_goes_one_step(data: str, image: str, kind: str) -> None:
    assert verdict(data, image, upgrade=True).kind == kind


@pytest.mark.parametrize("upgrade", [False, True])
def test_a_jump_names_the_way(upgrade: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert verdict("8.0.36", "9.7.4", upgrade=upgrade).problem == (
        "the data is of MySQL 8.0.36, and the image mysql:9.7.4 is MySQL 9.7: it has to pass through 8.4. Give mysql_image an "
        "image of 8.4, then 9.7, and run barehost.django.upgrade_mysql for each"
    )
    assert "pass through 8.0 and 8.4 and 9.7" in verdict("5.7.44", "26.7.0", upgrade=upgrade).problem


def test_another_series_is_a_matter_of_the_upgrade() -> None:
    problem = verdict("8.4.7", "9.7.4").problem
    assert "a deploy does not change the series" in problem
    assert "Run barehost.django.upgrade_mysql" in problem


def test_a_downgrade_names_the_series_to_keep() -> None:
    assert "Give an image of MySQL 9.7 as mysql_image" in verdict("9.7.4", "8.4.7").problem
    assert "Give an image of MySQL 8.0.36 or later" in verdict("8.0.36", "8.0.30").problem


def test_what_nobody_knows_is_said() -> None:
    assert judge(None, version("9.7.4"), "mysql:9.7").kind == "unknown"
    assert judge(version("9.7.4"), None, "own/mysql").kind == "unknown"


@pytest.mark.parametrize(
    ("name", "wanted"), [("mysql_upgrade_history_974", "9.7.4"), ("mysql_upgrade_history_80_84_97", "9.7.1")]
)
def test_data_of_today_says_what_it_is(tmp_path: Path, name: str, wanted: str) -> None:
    (tmp_path / "mysql_upgrade_history").write_text((FIXTURES / f"{name}.json").read_text())
    # What an earlier server has left stays there.
    (tmp_path / "mysql_upgrade_info").write_text("8.0.36")
    assert str(_mysql_version.of_data(tmp_path)) == wanted


def test_data_of_before_says_it_elsewhere(tmp_path: Path) -> None:
    assert _mysql_version.of_data(tmp_path) is None
    (tmp_path / "#innodb_redo").mkdir()
    (tmp_path / "#innodb_redo" / "#ib_redo6").write_bytes(REDO)
    (tmp_path / "#innodb_redo" / "#ib_redo7_tmp").write_bytes(b"\0" * 64)
    assert str(_mysql_version.of_data(tmp_path)) == "8.0.36"
    (tmp_path / "mysql_upgrade_info").write_text("8.0.37\n")
    assert str(_mysql_version.of_data(tmp_path)) == "8.0.37"


def test_the_logs_of_5_7_say_it_too(tmp_path: Path) -> None:
    (tmp_path / "ib_logfile0").write_bytes(REDO.replace(b"8.0.36", b"5.7.44"))
    assert str(_mysql_version.of_data(tmp_path)) == "5.7.44"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"upgrade_history": []}', '{"upgrade_history": [{}]}'])
def test_a_damaged_history_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "mysql_upgrade_history").write_text(text)
    assert _mysql_version.of_data(tmp_path) is None


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        (["PATH=/bin", "MYSQL_MAJOR=9.7", "MYSQL_VERSION=9.7.4-1.el9"], "9.7.4"),
        (["MYSQL_MAJOR=innovation", "MYSQL_VERSION=26.7.0-1.el9"], "26.7.0"),
        (["MYSQL_MAJOR=9.7"], "9.7"),
        (["MYSQL_MAJOR=innovation"], "None"),
        ([], "None"),
    ],
)
def test_an_image_says_what_it_is(environment: list[str], wanted: str) -> None:
    assert str(_mysql_version.of_environment(environment)) == wanted


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ("mysql:9.7", "9.7"),
        ("registry.example/library/mysql:8.4.7-oraclelinux9", "8.4.7"),
        ("mysql:lts", "None"),
        ("mysql", "None"),
        ("own/database:9.7", "None"),
        ("mysql:9.7@sha256:0a1b", "9.7"),
    ],
)
def test_a_tag_says_what_it_can(reference: str, wanted: str) -> None:
    assert str(_mysql_version.of_reference(reference)) == wanted


def test_the_server_says_it_itself() -> None:
    said = "/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))\n"
    assert str(_mysql_version.of_answer(said)) == "9.7.4"
    assert _mysql_version.of_answer("sh: mysqld: not found") is None
