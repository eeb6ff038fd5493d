"""Older code cannot live with this schema: it inserts into the column that goes."""

from django.db import migrations

from ._previous import previous


class Migration(migrations.Migration):
    """One column less."""

    dependencies = previous(__file__)
    operations = [migrations.RemoveField("entry", "agent")]
