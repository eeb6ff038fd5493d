# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a dump may bring beside tables, and whose it is afterwards: root makes it, so nothing of it may run as root unasked."""

from __future__ import annotations

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _restore_text
from ansible_collections.barehost.django.plugins.module_utils._restore_objects import Item, Owners, item_of

HEAD = "-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)\n--\n-- Host: localhost    Database: shop\n-- Server version\t9.7.4\n\n"
END = "\n-- Dump completed on 2026-11-26 19:52:33\n"
ROOT, OURS = ("root", "localhost"), ("shop_migrate", "%")
FACTS = {name: [ROOT, OURS] for name in ("accounts", "trigger", "event")}
AS_ROOT = "CREATE DEFINER=`root`@`localhost` EVENT `e` ON SCHEDULE EVERY 1 SECOND DO DELETE FROM t"


def read(text: str) -> list[Item]:
    reader = _restore_text.Reader(lambda _piece: None)
    reader.feed((HEAD + text + END).encode())
    return reader.end().items


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("/*!50003 SET GLOBAL super_read_only = 1 */;\n", "sets what no dump has to set"),
        ("/*!50003 SET PASSWORD FOR root@localhost = 'x' */;\n", "sets what no dump has to set"),
        ("/*!50003 SET sql_mode = '', GLOBAL event_scheduler = 1 */;\n", "sets what no dump has to set"),
        ("/*!50003 SET @saved_x = (SELECT 1) */;\n", "sets what no dump has to set"),
        ("DELIMITER //\nDROP USER root@localhost//\nDELIMITER ;\n", "none that mysqldump writes there"),
        ("/*!50003 CREATE USER evil */;\n", "none that mysqldump writes there"),
        ("CREATE DEFINER=`a`@`b` EVENT ev ON SCHEDULE EVERY 1 DAY DO DELETE FROM t;\n", "none that mysqldump writes there"),
        ("CREATE VIEW v1 AS SELECT 1;\n", "none that mysqldump writes there"),
        (
            "DELIMITER //\nCREATE DEFINER=`a`@`b` TRIGGER `x` AFTER INSERT ON t FOR EACH ROW SET @a = 1;; DROP USER a//\nDELIMITER ;\n",
            "holds ;;",
        ),
        (
            "DELIMITER //\nCREATE DEFINER=`a`@`b` PROCEDURE `x`()\nBEGIN\nDELIMITER !!\nEND//\nDELIMITER ;\n",
            "the word delimiter",
        ),
        ("DELIMITER //\nCREATE PROCEDURE `x`() SELECT 1//\nDELIMITER ;\n", "does not say as whom it runs"),
        ("DELIMITER //\nCREATE DEFINER=root@localhost PROCEDURE `x`() SELECT 1//\nDELIMITER ;\n", "does not say as whom"),
        ("DELIMITER //\nCREATE DEFINER=CURRENT_USER PROCEDURE `x`() SELECT 1//\nDELIMITER ;\n", "does not say as whom"),
        (
            "DELIMITER //\nCREATE /* DEFINER=`shop_migrate`@`%` */ DEFINER=root@localhost PROCEDURE `x`() SELECT 1//\nDELIMITER ;\n",
            "does not say as whom",
        ),
        (
            "DELIMITER //\nCREATE /*!99999 DEFINER=`shop_migrate`@`%` */ PROCEDURE `x`() SELECT 1//\nDELIMITER ;\n",
            "does not say as whom",
        ),
        ("/*!50001 CREATE VIEW `v` AS SELECT * FROM mysql.user */;\n", "its view v is only begun"),
    ],
)  # fmt: skip
def test_what_root_must_not_run_is_refused(text: str, cause: str) -> None:
    with pytest.raises(_restore_text.TextError, match=cause):
        read(text)


def test_what_mysqldump_writes_is_taken() -> None:
    text = (
        "/*!50003 SET sql_mode              = 'STRICT_TRANS_TABLES,NO_ZERO_DATE' */ ;\n/*!50003 SET sql_mode = '' */ ;\n"
        "/*!50106 SET TIME_ZONE= @save_time_zone */ ;\n/*!50003 SET time_zone             = '+00:00' */ ;\n"
        "/*!50003 SET collation_connection  = utf8mb4_0900_ai_ci */ ;\n/*!50106 DROP EVENT IF EXISTS `e``1` */;\n"
    )
    assert [item.kind for item in read(text)] == ["set"] * 5


def item() -> Item:
    found = item_of(AS_ROOT)
    assert found is not None
    return found


def test_what_somebody_else_wrote_does_not_run_as_root() -> None:
    settled, moved = Owners.of(FACTS, "shop_migrate@%", ROOT, foreign=True).settle([item()])
    assert settled[0].definer == OURS
    assert moved == ["root@localhost to shop_migrate@%"]


def test_what_was_roots_here_is_roots_again() -> None:
    settled, moved = Owners.of(FACTS, "shop_migrate@%", ROOT).settle([item()])
    assert (settled, moved) == ([item()], [])


def test_what_nobody_of_ours_may_have_is_refused_rather_than_roots() -> None:
    facts = {**FACTS, "event": [ROOT]}
    with pytest.raises(ValueError, match="backup_restore_definer"):
        Owners.of(facts, "shop_migrate@%", ROOT, foreign=True).settle([item()])
