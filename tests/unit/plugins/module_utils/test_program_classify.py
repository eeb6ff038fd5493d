# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an operation means for the code that serves, with Django's own operations and states."""

from __future__ import annotations

from typing import Any

import django
import pytest
from ansible_collections.barehost.django.plugins.module_utils import _program_classify
from django.conf import settings
from django.db import connection, migrations, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.functions import Now

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["django.contrib.contenttypes"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()

CASCADE = models.CASCADE
LOOSE = models.ForeignKey("shop.Author", CASCADE, db_constraint=False, related_name="+")
KEY = ("id", models.BigAutoField(primary_key=True))
BASE = [
    migrations.CreateModel("Author", [("id", models.AutoField(primary_key=True)), ("name", models.CharField(max_length=9))]),
    migrations.CreateModel("Editor", [KEY], options={"db_table": "people"}),
    migrations.CreateModel(
        "Item",
        [
            KEY,
            ("name", models.CharField(max_length=20)),
            ("note", models.CharField(max_length=20, null=True)),
            ("size", models.IntegerField()),
            ("amount", models.PositiveIntegerField()),
            ("state", models.CharField(max_length=9, db_default="new")),
            ("code", models.CharField(max_length=9, unique=True)),
            ("old", models.IntegerField(db_column="legacy")),
            ("author", models.ForeignKey("shop.Author", CASCADE)),
            ("loose", LOOSE),
            ("tags", models.ManyToManyField("shop.Author", related_name="+")),
        ],
        options={
            "unique_together": {("name", "size")},
            "constraints": [models.CheckConstraint(condition=models.Q(size__gt=0), name="sized")],
            "indexes": [models.Index(fields=["size"], name="by_size")],
        },
    ),
    migrations.CreateModel("Legacy", [KEY], options={"managed": False}),
    migrations.CreateModel("Proxy", [], options={"proxy": True}, bases=("shop.Item",)),
]  # fmt: skip


class Foreign(Operation):
    """Somebody else's operation."""

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Change nothing that Django knows."""


class Renamed(migrations.RemoveField):
    """Made from one of Django's."""


class Mute(migrations.AddField):
    """Cannot say what it does."""

    def describe(self) -> str:
        """Fail."""
        raise RuntimeError


def judged(*operations: Any) -> list[dict[str, Any]]:
    state = ProjectState()
    for operation in BASE:
        operation.state_forwards("shop", state)
    classifier = _program_classify.Classifier(connection, state)
    migration = migrations.Migration("0002_next", "shop")
    migration.operations = list(operations)
    return classifier.operations(migration)


def add(field: Any, model: str = "Item") -> Any:
    return migrations.AddField(model, "extra", field)


def alter(name: str, field: Any) -> Any:
    return migrations.AlterField("Item", name, field)


def both(*database: Any) -> Any:
    return migrations.SeparateDatabaseAndState(database, [])


UNIQUE = models.UniqueConstraint(fields=["size"], name="one_size")
TEXT = models.CharField(max_length=9, default="x")

ADDITIVE = [
    add(models.IntegerField(null=True)),
    add(models.IntegerField(null=True, unique=True)),
    add(models.IntegerField(db_default=3)),
    add(models.DateTimeField(db_default=Now(), unique=True)),
    add(models.ManyToManyField("shop.Author", related_name="+")),
    add(models.ForeignKey("shop.Author", CASCADE, null=True, related_name="+")),
    add(models.GeneratedField(expression=models.F("size") + 1, output_field=models.IntegerField(), db_persist=False)),
    add(TEXT, "Legacy"),
    alter("name", models.CharField(max_length=21)),
    alter("name", models.TextField()),
    alter("name", models.SlugField(max_length=20)),
    alter("name", models.CharField(max_length=20, null=True)),
    alter("name", models.CharField("a word", max_length=20, default="x", help_text="y", db_index=True, blank=True)),
    alter("name", models.CharField(max_length=20, db_default="x")),
    alter("size", models.BigIntegerField()),
    alter("amount", models.PositiveBigIntegerField()),
    alter("amount", models.BigIntegerField()),
    alter("code", models.CharField(max_length=9)),
    alter("author", models.ForeignKey("shop.Author", models.PROTECT, null=True, db_constraint=False)),
    alter("tags", models.ManyToManyField("shop.Author", related_name="+", blank=True)),
    migrations.AlterField("Author", "id", models.BigAutoField(primary_key=True)),
    migrations.RenameModel("Editor", "Chief"),
    migrations.AlterModelTable("Editor", "people"),
    migrations.AlterUniqueTogether("Item", set()),
    migrations.AlterUniqueTogether("Item", {("name", "size")}),
    migrations.AlterOrderWithRespectTo("Item", None),
    migrations.RemoveConstraint("Item", "sized"),
    migrations.AddIndex("Item", models.Index(fields=["name"], name="by_name")),
    migrations.RemoveIndex("Item", "by_size"),
    migrations.RenameIndex("Item", new_name="sizes", old_name="by_size"),
    migrations.CreateModel("Fresh", [KEY, ("name", TEXT)]),
    migrations.AlterModelOptions("Item", {"ordering": ["size"]}),
    migrations.AlterModelManagers("Item", []),
    migrations.AlterModelTableComment("Item", "what we sell"),
    migrations.DeleteModel("Legacy"),
    migrations.DeleteModel("Proxy"),
    migrations.RunPython(migrations.RunPython.noop),
    migrations.RunSQL(migrations.RunSQL.noop),
    migrations.SeparateDatabaseAndState([], [migrations.RemoveField("Item", "note")]),
    both(migrations.AddIndex("Item", models.Index(fields=["name"], name="by_name"))),
]
if hasattr(migrations, "AlterConstraint"):
    wordy = models.CheckConstraint(condition=models.Q(size__gt=0), name="sized", violation_error_message="no")
    ADDITIVE.append(migrations.AlterConstraint("Item", "sized", wordy))
DESTRUCTIVE = [
    (add(TEXT), "NOT NULL without a database default: an INSERT of the serving code, which does not know the column,"),
    (add(models.ForeignKey("shop.Author", CASCADE, related_name="+")), "NOT NULL without a database default"),
    (add(models.IntegerField(db_default=3, unique=True)), "unique, with one default for all"),
    (Mute("Item", "extra", TEXT), "NOT NULL without a database default"),
    (alter("name", models.CharField(max_length=19)), "the type goes from varchar(20) to varchar(19)"),
    (alter("name", models.IntegerField()), "the type goes from varchar(20) to integer"),
    (alter("size", models.SmallIntegerField()), "the type goes from integer to smallint"),
    (alter("note", models.CharField(max_length=20, default="")), "the column becomes NOT NULL"),
    (alter("name", models.CharField(max_length=20, unique=True)), "the column becomes unique"),
    (alter("name", models.CharField(max_length=20, db_column="title")), "the column is renamed from name to title"),
    (alter("size", models.PositiveIntegerField()), "the type goes from integer to integer unsigned"),
    (alter("state", models.CharField(max_length=9)), "the database default is taken away"),
    (alter("name", models.CharField(max_length=20, db_collation="nocase")), "another collation makes other values equal"),
    (alter("code", models.CharField(max_length=9, primary_key=True)), "the primary key becomes another one"),
    (alter("author", models.OneToOneField("shop.Author", CASCADE)), "the column becomes unique"),
    (alter("author", models.ForeignKey("shop.Editor", CASCADE)), "rows of the serving code may fail the new foreign key"),
    (alter("loose", models.ForeignKey("shop.Author", CASCADE, related_name="+")), "rows of the serving code may fail"),
    (alter("tags", models.ManyToManyField("shop.Editor", related_name="+")), "the table of the relation is renamed"),
    (migrations.RenameField("Item", "name", "title"), "the column is renamed from name to title"),
    (migrations.RenameField("Item", "tags", "labels"), "the table of the relation is renamed"),
    (migrations.RemoveField("Item", "note"), "the serving code reads and writes it"),
    (migrations.RemoveField("Item", "tags"), "the serving code reads and writes it"),
    (Renamed("Item", "note"), "the serving code reads and writes it"),
    (migrations.DeleteModel("Item"), "the serving code uses the table"),
    (migrations.RenameModel("Author", "Writer"), "the table is renamed from shop_author to shop_writer"),
    (migrations.AlterModelTable("Item", "things"), "the table is renamed from shop_item to things"),
    (
        migrations.AlterUniqueTogether("Item", {("name", "size"), ("note", "size")}),
        "rows of the serving code may be refused: (note, size) becomes unique",
    ),
    (migrations.AlterOrderWithRespectTo("Item", "author"), "NOT NULL without a database default"),
    (migrations.AddConstraint("Item", UNIQUE), "rows of the serving code may be refused"),
    (Foreign(), "operation of a third party that cannot be judged"),
    (
        both(migrations.RunSQL("SELECT 1"), migrations.RemoveField("Item", "note"), add(TEXT, "Legacy")),
        "Remove field note from Item: the serving code reads and writes it",
    ),
]  # fmt: skip


@pytest.mark.parametrize("operation", ADDITIVE, ids=_program_classify.describe)
def test_the_serving_code_goes_on(operation: Any) -> None:
    (found,) = judged(operation)
    assert (found["kind"], found["text"]) == ("additive", operation.describe()), found["reason"]


@pytest.mark.parametrize(("operation", "reason"), DESTRUCTIVE, ids=lambda value: str(value)[:40])
def test_the_serving_code_breaks(operation: Any, reason: str) -> None:
    (found,) = judged(operation)
    assert found["kind"] == "destructive"
    assert found["reason"].startswith(reason)


@pytest.mark.parametrize(
    ("operation", "reversible"),
    [
        (migrations.RunPython(lambda _apps, _editor: None), False),
        (migrations.RunPython(lambda _apps, _editor: None, migrations.RunPython.noop), True),
        (migrations.RunSQL("DELETE FROM shop_item"), False),
        (both(migrations.RunSQL("DELETE FROM shop_item")), False),
        (both(migrations.RunSQL("DELETE FROM shop_item", "SELECT 1")), True),
    ],
)
def test_content_is_not_judged(operation: Any, *, reversible: bool) -> None:
    (found,) = judged(operation)
    assert (found["kind"], found["reversible"]) == ("data", reversible)


def test_a_field_that_can_be_renamed_and_an_order_that_goes() -> None:
    found = judged(
        migrations.AlterField("Item", "old", models.IntegerField(db_column="legacy", null=True)),
        migrations.RenameField("Item", "old", "legacy"),
        migrations.RemoveField("Item", "legacy"),
        both(migrations.AlterOrderWithRespectTo("Item", "author")),
    )
    assert [item["kind"] for item in found] == ["additive", "additive", "destructive", "destructive"]


def test_the_order_column_is_used_by_the_serving_code() -> None:
    found = judged(
        migrations.AlterOrderWithRespectTo("Item", "author"), migrations.AlterOrderWithRespectTo("Item", None)
    )
    assert found[1]["reason"] == "the serving code uses the column _order"


def test_a_table_of_the_same_plan_is_free() -> None:
    found = judged(
        migrations.CreateModel("Fresh", [KEY]),
        migrations.AddField("Fresh", "name", TEXT),
        migrations.RenameModel("Fresh", "Newer"),
        migrations.AlterUniqueTogether("Newer", {("name",)}),
        migrations.DeleteModel("Newer"),
    )
    assert {item["kind"] for item in found} == {"additive"}
    assert found[1]["reason"] == "its table is made by the same plan"


def test_a_model_without_a_table_of_ours_is_not_a_new_table() -> None:
    found = judged(
        migrations.CreateModel("Adopted", [KEY], options={"managed": False}),
        migrations.AlterModelOptions("Adopted", {"managed": True}),
        migrations.AddField("Adopted", "name", TEXT),
        migrations.SeparateDatabaseAndState([], [migrations.CreateModel("Known", [KEY])]),
        migrations.AddField("Known", "name", TEXT),
    )
    assert [item["kind"] for item in found] == ["additive", "additive", "destructive", "additive", "destructive"]


class Nowhere:
    """Keeps everything out of this database."""

    def allow_migrate(self, _alias: str, _app_label: str, **_hints: Any) -> bool:
        """Refuse."""
        return False


def test_what_a_router_keeps_out_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import router  # noqa: PLC0415 - after the settings

    monkeypatch.setitem(router.__dict__, "routers", [Nowhere()])
    found = judged(add(TEXT), migrations.RunSQL("DELETE FROM shop_item"), migrations.RemoveField("Item", "note"))
    assert [item["kind"] for item in found] == ["additive"] * 3
    assert "router" in found[0]["reason"]


def test_what_cannot_be_rendered_counts_as_destructive() -> None:
    (found,) = judged(add(models.ForeignKey("nowhere.Thing", CASCADE)))
    assert found["kind"] == "destructive"
    assert found["reason"].startswith("it cannot be judged: ValueError: ")


@pytest.mark.parametrize(("digits", "places", "wider"), [(9, 2, True), (10, 3, True), (9, 3, False), (7, 2, False)])
def test_decimals_keep_both_sides_of_the_point(digits: int, places: int, *, wider: bool) -> None:
    old = models.DecimalField(max_digits=9, decimal_places=2)
    new = models.DecimalField(max_digits=digits, decimal_places=places)
    assert _program_classify.widens(old, new) is wider
