# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What makes tables and rows, and what is refused while a dump is read: with its line, before anything is touched."""

from __future__ import annotations

import time

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _restore_statements, _restore_text
from test_restore_text import END, HEAD, read

FIRST = HEAD.count(b"\n") + 1

# As the clients of MySQL 5.7, 8.0 and 8.4 write it around tables and rows, with whatever options.
MYSQL = rb"""
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET NAMES utf8 */;
/*!50503 SET NAMES utf8mb4 */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;
DROP TABLE IF EXISTS `t`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
CREATE TABLE `t` (
  `id` int NOT NULL COMMENT 'a; b, GLOBAL x, it''s a delimiter here',
  `global` int DEFAULT NULL, -- GRANT; in a comment
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
/*!50100 PARTITION BY RANGE (`id`)
(PARTITION p0 VALUES LESS THAN (10) ENGINE = InnoDB) */;
LOCK TABLES `t` WRITE;
/*!40000 ALTER TABLE `t` DISABLE KEYS */;
set autocommit=0;
/*!80002 ANALYZE TABLE `t` UPDATE HISTOGRAM ON `id` WITH 100 BUCKETS */;
commit;
START TRANSACTION;
UNLOCK TABLES;
SET @saved_cs_client     = @@character_set_client;
/*!50503 SET character_set_client = utf8mb4 */;
SET @x = @@GLOBAL.sql_mode;
"""
MARIADB = rb"""
/*!40101 SET NAMES utf8mb4 */;
/*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0 */;
SET @OLD_AUTOCOMMIT=@@AUTOCOMMIT, @@AUTOCOMMIT=0;
LOCK TABLES `t` WRITE;
UNLOCK TABLES;
COMMIT;
SET AUTOCOMMIT=@OLD_AUTOCOMMIT;
"""
PERCONA = rb"""
/*!50717 SELECT COUNT(*) INTO @rocksdb_has_p_s_session_variables FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = 'session_variables' */;
/*!50717 SET @rocksdb_enable_bulk_load = IF (@rocksdb_is_supported, 'SET SESSION rocksdb_bulk_load = 1', 'SET @x = 0') */;
/*!50717 PREPARE s FROM @rocksdb_enable_bulk_load */;
/*!50717 EXECUTE s */;
/*!50717 DEALLOCATE PREPARE s */;
/*!50112 SET @disable_bulk_load = IF (@is_rocksdb_supported, 'SET SESSION rocksdb_bulk_load = @old', 'SET @x = 0') */;
/*!50112 PREPARE s FROM @disable_bulk_load */;
"""
ONE_SCHEMA = rb"""
/*!40000 DROP DATABASE IF EXISTS `shop`*/;
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop` /*!40100 DEFAULT CHARACTER SET utf8mb4 */ /*!80016 DEFAULT ENCRYPTION='N' */;
USE `shop`;
ALTER DATABASE `shop` CHARACTER SET latin1 COLLATE latin1_swedish_ci ;
USE shop;
"""
REFUSED = [
    (b"CREATE USER 'evil'@'%' IDENTIFIED BY 'hush';", "CREATE USER", "the accounts of a server"),
    (b"/*!50003 ALTER USER root@localhost IDENTIFIED BY 'hush' */;", "ALTER USER", "none that mysqldump writes there"),
    (b"GRANT ALL ON *.* TO 'evil'@'%';", "GRANT ALL ON", "the accounts of a server"),
    (b"  grant all on *.* to evil;", "grant all", "the accounts of a server"),
    (b"/* harmless */ GRANT ALL ON *.* TO evil;", "GRANT", "the accounts of a server"),
    (b"# harmless\nGRANT ALL ON *.* TO evil;", "GRANT", "the accounts of a server"),
    (b"/*!40101 GRANT ALL ON *.* TO evil */;", "GRANT", "the accounts of a server"),
    (b"/*! GRANT ALL ON *.* TO evil */;", "GRANT", "the accounts of a server"),
    (b"SET @a = 'x;'; GRANT ALL ON *.* TO evil;", "GRANT", "the accounts of a server"),
    (b"/*!40101 SET @a=1; GRANT ALL ON *.* TO evil */;", "GRANT", "the accounts of a server"),
    (b"SET PASSWORD = 'hush';", "SET PASSWORD", "the accounts of a server"),
    (b"FLUSH PRIVILEGES;", "FLUSH PRIVILEGES", "for the whole server"),
    (b"SET GLOBAL max_connections = 1;", "SET GLOBAL", "for the whole server"),
    (b"SET @a = 1, @@GLOBAL.max_connections = 1;", "SET @a", "for the whole server"),
    (b"/*!50606 SET GLOBAL max_connections=1 */;", "SET GLOBAL", "for the whole server"),
    (b"SET PERSIST max_connections = 1;", "SET PERSIST", "for the whole server"),
    (b"STOP REPLICA;", "STOP REPLICA", "for the whole server"),
    (b"LOAD DATA INFILE '/etc/passwd' INTO TABLE t;", "LOAD DATA INFILE", "files of the server"),
    (b"LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t;", "LOAD DATA", "files of the server"),
    (b"SELECT * FROM t INTO OUTFILE '/tmp/x';", "SELECT", "files of the server"),
    (b"SYSTEM id;", "SYSTEM id", "a command of a client"),
    (b"\\! id;", "", "a command of a client"),
    (b"SOURCE /etc/passwd;", "SOURCE /etc/passwd", "a command of a client"),
    (b"delimiter //\nGRANT ALL ON *.* TO evil//\ndelimiter ;", "delimiter //", "a command of a client"),
    (b"SET @a = 1\nDELIMITER //\n;", "SET @a", "a command of a client"),
    (b"DELIMITER //\nGRANT ALL ON *.* TO evil//\nDELIMITER ;", "GRANT", "none that mysqldump writes there"),
    (b"DROP TABLE victim.t;", "DROP TABLE victim.t", "a table of another schema"),
    (b"DROP TABLE IF EXISTS `victim` . `t`;", "DROP TABLE", "a table of another schema"),
    (b"CREATE TABLE `mysql`.`t` (\n`id` int);", "CREATE TABLE", "a table of another schema"),
    (b"INSERT INTO `mysql`.`user` VALUES ('hush');", "INSERT INTO `mysql`", "a table of another schema"),
    (b"INSERT INTO mysql.user VALUES ('hush');", "INSERT INTO mysql", "a table of another schema"),
    (b"INSERT INTO `t` SELECT * FROM mysql.user;", "INSERT INTO `t`", "are not counted"),
    (b"INSERT  IGNORE INTO `t` VALUES ('hush');", "INSERT", "are not counted"),
    (b"REPLACE INTO `t` VALUES ('hush');", "REPLACE INTO", "are not counted"),
    (b"UPDATE t SET a = 'hush';", "UPDATE t SET a", "writes nothing like it"),
    (b"CALL p();", "CALL p", "writes nothing like it"),
    (b"CREATE SEQUENCE `s`;", "CREATE SEQUENCE", "writes nothing like it"),
]


@pytest.mark.parametrize("text", [MYSQL, MARIADB])
def test_what_the_clients_write_goes_on(text: bytes) -> None:
    out = read(HEAD + text + END)[1]
    wanted = [line for line in text.splitlines() if line and not line.startswith(b"/*M!")]
    assert out.splitlines() == wanted


def test_what_perconas_client_does_for_its_own_servers_is_left_out() -> None:
    found, out = read(HEAD + PERCONA + END)
    assert (out, found.dropped) == (b"", 7)


def test_a_dump_of_all_databases_is_called_one() -> None:
    text = b"/*!50606 SET @OLD_INNODB_STATS_AUTO_RECALC=@@INNODB_STATS_AUTO_RECALC */;\n/*!50606 SET GLOBAL INNODB_STATS_AUTO_RECALC=OFF */;\n"
    with pytest.raises(_restore_text.TextError, match=r"the schemas shop, sys \(line 9\).*without --all-databases"):
        read(HEAD.replace(b"shop", b"    ") + text + b"USE `shop`;\nUSE `sys`;\n" + END)


@pytest.mark.parametrize("name", [b"zoo_trigger", b"a b", b"`a``b`"])
def test_what_goes_first_is_left_out(name: bytes) -> None:
    # What --add-drop-trigger writes has no quotes.
    found, out = read(HEAD + b"/*!50032 DROP TRIGGER IF EXISTS " + name + b" */;\n" + END)
    assert (out, found.items, found.dropped) == (b"", [], 1)


def test_the_one_schema_of_a_dump_may_be_named() -> None:
    found, out = read(HEAD + ONE_SCHEMA + END)
    assert (out, found.schemas, found.database, found.dropped) == (b"", ["shop"], "shop", 5)


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize(("text", "named", "reason"), REFUSED)
def test_what_would_fail_or_reach_further_is_refused_with_its_line(
    text: bytes, named: str, reason: str, size: int
) -> None:
    before = b"DROP TABLE IF EXISTS `t`;\nCREATE TABLE `t` (\n  `id` int\n);\nINSERT INTO `t` VALUES (1);\n\n"
    line = FIRST + before.count(b"\n") + text.startswith(b"DELIMITER")
    with pytest.raises(_restore_text.TextError) as error:
        read(HEAD + before + text + b"\n" + END, size)
    said = str(error.value)
    assert f"the statement {named!r}"[:-1] in said.replace("\\\\!", "")
    assert f"in line {line} is not run" in said
    assert reason in said
    assert ("take it out" in said) == ("not counted" not in said)
    # What is in quotes may be a password, or a row.
    assert "hush" not in said


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (b"USE mysql;", "the server's own schema mysql (line 8)"),
        (b"USE `mysql`;", "the server's own schema mysql (line 8)"),
        (b"/*!40000 DROP DATABASE IF EXISTS `other`*/;", "the schemas shop, other (line 8)"),
        (b"DROP DATABASE other;", "the schemas shop, other (line 8)"),
        (b"DROP SCHEMA IF EXISTS other;", "the schemas shop, other (line 8)"),
        (b"CREATE DATABASE IF NOT EXISTS `other`;", "the schemas shop, other (line 8)"),
        (b"USE other;", "the schemas shop, other (line 8)"),
        (b"USE `other`;", "the schemas shop, other (line 8)"),
        (b"SET @a = 1; USE `other`;", "the schemas shop, other (line 8)"),
    ],
)
def test_another_schema_is_refused_with_its_line(text: bytes, cause: str) -> None:
    before = b"SET @a = 1;" if "own schema" in cause else b"DROP TABLE IF EXISTS `t`;"
    data = HEAD + before + b"\n\n" + text + END
    with pytest.raises(_restore_text.TextError) as error:
        read(data)
    assert cause in str(error.value)


def test_the_client_ends_a_statement_at_each_semicolon_that_is_none_of_a_text() -> None:
    text = b"a ';' \";\" `;` /* ; */ -- ;\n # ;\n ; b '\\';' ;c"
    assert [part.strip()[:1] for part in _restore_statements.parts(text)] == [b"a", b"b", b"c"]
    assert _restore_statements.parts(b"x") == [b"x"]


@pytest.mark.parametrize("text", [b"/* ", b"'\\", b"''", b'"', b"`", b"# ", b"-- ", b";"])
def test_a_long_statement_takes_no_longer_than_its_length(text: bytes) -> None:
    begin = time.process_time()
    _restore_statements.parts(text * 200_000)
    _restore_statements.refusal(text * 200_000)
    # It would be minutes.
    assert time.process_time() - begin < 5
