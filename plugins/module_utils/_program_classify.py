# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Part of the migrating program: what each operation means for code of an earlier release that goes on serving.

The verdict comes from Django's own operation objects and the project states around them, never from their text. What
cannot be known counts as the worse of the two.
"""

# ruff: noqa: PLC0415, SLF001 - Django is only there in the image; `_meta` is its documented interface
from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Django's objects, which have no type where Django is not installed.
    Object = Any
    Verdict = tuple[str, str]  # the kind, and why

ADDITIVE = "additive"
DESTRUCTIVE = "destructive"
DATA = "data"
# The worst first: what stands for an operation that is made of several.
SEVERITY = (DESTRUCTIVE, DATA, ADDITIVE)
FINE: Verdict = (ADDITIVE, "")
# Where the judgement itself has failed.
UNJUDGED = "it cannot be judged"
NO_COLUMN_FOR_OLD_CODE = (
    "NOT NULL without a database default: an INSERT of the serving code, which does not know the column, would fail; "
    "give it null=True or db_default, and make it NOT NULL in a later release"
)
SHORT_TEXTS = ("CharField", "SlugField", "FileField", "FilePathField")
# Each takes every value that the one before the colon takes.
WIDER = {
    "SmallIntegerField": ("IntegerField", "BigIntegerField"),
    "IntegerField": ("BigIntegerField",),
    "PositiveSmallIntegerField": ("PositiveIntegerField", "PositiveBigIntegerField", "IntegerField", "BigIntegerField"),
    "PositiveIntegerField": ("PositiveBigIntegerField", "BigIntegerField"),
    "SmallAutoField": ("AutoField", "BigAutoField"),
    "AutoField": ("BigAutoField",),
}


class Change:
    """One operation and the states around it. Models are only rendered where a verdict needs them: it takes long."""

    def __init__(self, connection: Object, app: str, operation: Object, before: Object, after: Object) -> None:
        """Take what the verdict is about."""
        self.connection = connection
        self.app = app
        self.operation = operation
        self.before = before
        self.after = after

    @property
    def model_name(self) -> str:
        """Name of the model after the operation; empty for one that is about no model."""
        for attribute in ("model_name", "new_name", "name"):
            name = getattr(self.operation, attribute, None)
            if name and (self.key(name) in self.after.models or self.key(name) in self.before.models):
                return str(name)
        return ""

    def key(self, name: str) -> tuple[str, str]:
        """Return what a state knows a model by."""
        return (self.app, name.lower())

    def old_model(self, name: str) -> Object:
        """Return a model as it was."""
        return self.before.apps.get_model(self.app, name)

    def new_model(self, name: str) -> Object:
        """Return a model as it will be."""
        return self.after.apps.get_model(self.app, name)

    def reaches_database(self) -> bool:
        """Whether anything happens in this database: not for a proxy, an unmanaged model, or where a router forbids it."""
        name = self.model_name
        if not name:
            return True
        model = self.new_model(name) if self.key(name) in self.after.models else self.old_model(name)
        return bool(self.operation.allow_migrate_model(self.connection.alias, model))


def given(field: Object, attribute: str) -> Object:
    """Return an attribute for which Django has a mark of its own where it is not set; None stands for that."""
    from django.db.models import NOT_PROVIDED

    value = getattr(field, attribute, NOT_PROVIDED)
    return None if value is NOT_PROVIDED else value


def same_for_all(default: Object) -> bool:
    """Whether a database default gives every row one value."""
    from django.db.models import Value

    return isinstance(default, Value) or not hasattr(default, "resolve_expression")


def add_field(change: Change) -> Verdict:
    """Judge a new field by what an INSERT does that does not name it."""
    field = change.operation.field
    default = given(field, "db_default")
    if field.many_to_many or getattr(field, "generated", False):
        return FINE
    if field.primary_key:
        return DESTRUCTIVE, "the primary key becomes another one"
    if field.null:
        return FINE
    if default is None:
        bound = change.new_model(change.operation.model_name)._meta.get_field(change.operation.name)
        has_column = bound.db_parameters(change.connection)["type"] is not None
        return (DESTRUCTIVE, NO_COLUMN_FOR_OLD_CODE) if has_column else (ADDITIVE, "it has no column")
    if field.unique and same_for_all(default):
        return DESTRUCTIVE, "unique, with one default for all: the second row that the serving code adds is refused"
    return FINE


def base_field(field: Object) -> Object:
    """Return the field whose type a column has: that of a foreign key is the type of what it points to."""
    while field.remote_field is not None:
        field = field.target_field
    return field


def widens(old: Object, new: Object) -> bool:
    """Whether every value of the old type is one of the new type."""
    old, new = base_field(old), base_field(new)
    before, after = old.get_internal_type(), new.get_internal_type()
    if before in SHORT_TEXTS and after == "TextField":
        return True
    if before in SHORT_TEXTS and after in SHORT_TEXTS:
        return new.max_length is None or (old.max_length is not None and new.max_length >= old.max_length)
    if before == after == "DecimalField":
        whole = new.max_digits - new.decimal_places >= old.max_digits - old.decimal_places
        return bool(whole and new.decimal_places >= old.decimal_places)
    return after in WIDER.get(before, ())


def reference(field: Object) -> tuple[str, str] | None:
    """Return table and column that a foreign key of the database points to; None where there is none."""
    if field.remote_field is None or not getattr(field, "db_constraint", True):
        return None
    return (field.remote_field.model._meta.db_table, field.target_field.column)


def column_problem(old: Object, new: Object, connection: Object) -> str:
    """Say what a changed column takes from the code that knows the old one; empty where that is nothing."""
    a, b = old.db_parameters(connection), new.db_parameters(connection)
    pointed = reference(new)
    findings = (
        (old.column != new.column, f"the column is renamed from {old.column} to {new.column}"),
        (getattr(old, "expression", None) != getattr(new, "expression", None), "the database computes it otherwise"),
        (old.primary_key != new.primary_key, "the primary key becomes another one"),
        (a["type"] != b["type"] and not widens(old, new), f"the type goes from {a['type']} to {b['type']}"),
        (old.null and not new.null, "the column becomes NOT NULL, and the serving code may write NULL"),
        (new.unique and not old.unique, "the column becomes unique, and the serving code may write a value twice"),
        (bool(b.get("check")) and a.get("check") != b.get("check"), "rows of the serving code may fail the new check"),
        (a.get("collation") != b.get("collation"), "another collation makes other values equal"),
        (pointed is not None and pointed != reference(old), "rows of the serving code may fail the new foreign key"),
        (
            given(old, "db_default") is not None and given(new, "db_default") is None,
            "the database default is taken away, and the serving code leaves the value to it",
        ),
    )
    return next((sentence for found, sentence in findings if found), "")


def field_problem(old: Object, new: Object, connection: Object) -> str:
    """Say what a changed field takes from the serving code; empty where that is nothing."""
    if bool(old.many_to_many) != bool(new.many_to_many):
        return "a column becomes a table, or a table a column"
    if not old.many_to_many:
        return column_problem(old, new, connection)
    names = [(f.m2m_db_table(), f.m2m_column_name(), f.m2m_reverse_name()) for f in (old, new)]
    targets = [f.remote_field.model._meta.db_table for f in (old, new)]
    if names[0] != names[1] or targets[0] != targets[1]:
        return "the table of the relation is renamed or points elsewhere"
    return ""


def alter_field(change: Change) -> Verdict:
    """Compare a field before and after."""
    name = change.operation.model_name
    old = change.old_model(name)._meta.get_field(change.operation.name)
    new = change.new_model(name)._meta.get_field(change.operation.name)
    problem = field_problem(old, new, change.connection)
    return (DESTRUCTIVE, problem) if problem else FINE


def rename_field(change: Change) -> Verdict:
    """Compare what is in the database: a field with a db_column can be renamed without it."""
    name = change.operation.model_name
    old = change.old_model(name)._meta.get_field(change.operation.old_name)
    new = change.new_model(name)._meta.get_field(change.operation.new_name)
    problem = field_problem(old, new, change.connection)
    return (DESTRUCTIVE, problem) if problem else (ADDITIVE, "the column keeps its name")


def remove_field(change: Change) -> Verdict:
    """Judge by whether there is anything to remove."""
    field = change.old_model(change.operation.model_name)._meta.get_field(change.operation.name)
    if not field.many_to_many and field.db_parameters(change.connection)["type"] is None:
        return ADDITIVE, "it has no column"
    return DESTRUCTIVE, "the serving code reads and writes it; remove it one release after the last code that uses it"


def delete_model(_change: Change) -> Verdict:
    """Judge a table that goes."""
    return DESTRUCTIVE, "the serving code uses the table; delete the model one release after the last code that uses it"


def rename_model(change: Change) -> Verdict:
    """Compare the tables: a model with a db_table can be renamed without it."""
    return table_verdict(change, change.operation.old_name, change.operation.new_name)


def alter_table(change: Change) -> Verdict:
    """Compare the tables."""
    return table_verdict(change, change.operation.name, change.operation.name)


def table_verdict(change: Change, old_name: str, new_name: str) -> Verdict:
    """Compare the table of a model before and after."""
    old, new = change.old_model(old_name)._meta.db_table, change.new_model(new_name)._meta.db_table
    if old == new:
        return ADDITIVE, "the table keeps its name"
    return DESTRUCTIVE, f"the table is renamed from {old} to {new}, and the serving code uses the old name"


def unique_together(change: Change) -> Verdict:
    """Compare the sets: only one that comes forbids anything."""
    key = change.key(change.operation.name)
    old, new = (
        {tuple(names) for names in state.models[key].options.get("unique_together") or ()}
        for state in (change.before, change.after)
    )
    if new - old:
        names = "; ".join(", ".join(group) for group in sorted(new - old))
        return DESTRUCTIVE, f"rows of the serving code may be refused: ({names}) becomes unique"
    return FINE


def order_with_respect_to(change: Change) -> Verdict:
    """Compare: it is a column `_order` that comes or goes."""
    key = change.key(change.operation.name)
    old, new = (bool(state.models[key].options.get("order_with_respect_to")) for state in (change.before, change.after))
    if old == new:
        return FINE
    return (DESTRUCTIVE, NO_COLUMN_FOR_OLD_CODE) if new else (DESTRUCTIVE, "the serving code uses the column _order")


def add_constraint(_change: Change) -> Verdict:
    """Judge a constraint that comes."""
    return DESTRUCTIVE, "rows of the serving code may be refused; add it one release after the code that keeps to it"


def data(change: Change) -> Verdict:
    """Judge code or SQL, whose content nobody can know, by whether it runs at all."""
    from django.db import router
    from django.db.migrations.operations import RunPython, RunSQL

    operation = change.operation
    body = getattr(operation, "code", None) or getattr(operation, "sql", None)
    if not body or body in (RunPython.noop, RunSQL.noop):
        return ADDITIVE, "it does nothing"
    if not router.allow_migrate(change.connection.alias, change.app, **(getattr(operation, "hints", None) or {})):
        return ADDITIVE, "a router keeps it from this database"
    return DATA, "nobody can say what it does to the rows that the serving code uses"


def fine(_change: Change) -> Verdict:
    """Judge what no code that serves notices."""
    return FINE


RULES = {
    "AddField": add_field,
    "AlterField": alter_field,
    "RenameField": rename_field,
    "RemoveField": remove_field,
    "DeleteModel": delete_model,
    "RenameModel": rename_model,
    "AlterModelTable": alter_table,
    "AlterUniqueTogether": unique_together,
    "AlterOrderWithRespectTo": order_with_respect_to,
    "AddConstraint": add_constraint,
    "RunPython": data,
    "RunSQL": data,
    "CreateModel": fine,
    "AlterIndexTogether": fine,
    "AlterModelTableComment": fine,
    "AlterModelOptions": fine,
    "AlterModelManagers": fine,
    "AddIndex": fine,
    "RemoveIndex": fine,
    "RenameIndex": fine,
    "RemoveConstraint": fine,
    "AlterConstraint": fine,
    # django.contrib.postgres
    "CreateExtension": fine,
    "CreateCollation": fine,
    "ValidateConstraint": fine,
}


def rule_of(operation: Object) -> Object:
    """Return the rule of the class of Django's that an operation is, or is made from; None where there is none."""
    from django.db.migrations import operations

    # Loaded only where an app uses it, as it needs a driver that others do not have.
    homes = [operations, sys.modules.get("django.contrib.postgres.operations")]
    known = {getattr(home, name): rule for home in homes for name, rule in RULES.items() if hasattr(home, name)}
    return next((known[cls] for cls in type(operation).__mro__ if cls in known), None)


def describe(operation: Object) -> str:
    """Say what an operation does; an app's own operation may not be able to."""
    try:
        return str(operation.describe())
    except Exception:  # noqa: BLE001 - any code
        return type(operation).__name__


class Classifier:
    """Walks through a plan, from the state of what is applied."""

    def __init__(self, connection: Object, state: Object) -> None:
        """Take the state, which the walk changes."""
        self.connection = connection
        self.state = state
        # The code that serves cannot know a table that is only made now.
        self.made: set[tuple[str, str]] = set()

    def operations(self, migration: Object) -> list[dict[str, Any]]:
        """Judge the operations of the next migration of the plan."""
        return [self.step(migration.app_label, operation) for operation in migration.operations]

    def step(self, app: str, operation: Object) -> dict[str, Any]:
        """Judge the next operation."""
        before = self.state.clone()
        operation.state_forwards(app, self.state)
        kind, reason = self.judge(app, operation, before, self.state.clone())
        return {"text": describe(operation), "kind": kind, "reason": reason, "reversible": reversible(operation)}

    def judge(self, app: str, operation: Object, before: Object, after: Object) -> Verdict:
        """Judge one operation; a judgement that fails is the worse one."""
        from django.db.migrations.operations import SeparateDatabaseAndState

        if isinstance(operation, SeparateDatabaseAndState):
            return self.judge_parts(app, operation.database_operations, before)
        rule = rule_of(operation)
        if rule is None:
            return DESTRUCTIVE, "operation of a third party that cannot be judged"
        change = Change(self.connection, app, operation, before, after)
        try:
            if self.on_new_table(change):
                return ADDITIVE, "its table is made by the same plan"
            verdict: Verdict = rule(change)
            if verdict[0] == DESTRUCTIVE and not change.reaches_database():
                return ADDITIVE, "nothing happens in this database: a router or the model keeps it out"
        except Exception as error:  # noqa: BLE001 - rendering models runs any code
            return DESTRUCTIVE, f"{UNJUDGED}: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return verdict

    def on_new_table(self, change: Change) -> bool:
        """Whether an operation is about a table that the same plan made; takes note of one that it makes."""
        from django.db.migrations.operations import CreateModel, RenameModel

        operation = change.operation
        if isinstance(operation, CreateModel):
            if change.reaches_database():
                self.made.add(change.key(operation.name))
            return False
        if isinstance(operation, RenameModel):
            found = change.key(operation.old_name) in self.made
            if found:
                self.made.add(change.key(operation.new_name))
            return found
        return change.key(change.model_name) in self.made

    def judge_parts(self, app: str, operations: list[Object], state: Object) -> Verdict:
        """Judge what reaches the database, part by part, by the worst."""
        verdicts = []
        for operation in operations:
            after = state.clone()
            operation.state_forwards(app, after)
            kind, reason = self.judge(app, operation, state, after.clone())
            verdicts.append((kind, f"{describe(operation)}: {reason}" if reason else ""))
            state = after
        if not verdicts:
            return ADDITIVE, "only Django's own picture of the schema changes"
        return min(verdicts, key=lambda verdict: SEVERITY.index(verdict[0]))


def reversible(operation: Object) -> bool:
    """Whether Django can undo an operation; for one that is made of others, Django itself only finds out by trying."""
    parts = getattr(operation, "database_operations", None) or ()
    return bool(operation.reversible) and all(reversible(part) for part in parts)
