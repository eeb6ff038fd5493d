"""Changes rows, not the schema."""

from typing import Any

from django.db import migrations

from ._previous import previous


def name_the_nameless(apps: Any, _editor: Any) -> None:
    """Fill what was left empty."""
    apps.get_model("traffic", "Entry").objects.filter(agent="").update(agent="unknown")


class Migration(migrations.Migration):
    """Every entry has an agent."""

    dependencies = previous(__file__)
    operations = [migrations.RunPython(name_the_nameless, migrations.RunPython.noop)]
