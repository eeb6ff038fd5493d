"""Older code can live with this schema."""

from django.db import migrations, models

from ._previous import previous


class Migration(migrations.Migration):
    """One more column, which may be empty."""

    dependencies = previous(__file__)
    operations = [migrations.AddField("entry", "note", models.CharField(max_length=100, null=True))]
