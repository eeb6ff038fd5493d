"""Fails in the middle on MySQL, which keeps what was done before."""

from django.db import migrations, models

from ._previous import previous


class Migration(migrations.Migration):
    """The first column is fine; the second is longer than MySQL can have one."""

    dependencies = previous(__file__)
    operations = [
        migrations.AddField("entry", "half_done", models.CharField(max_length=100, null=True)),
        migrations.AddField("entry", "half_refused", models.CharField(max_length=20000, null=True)),
    ]
