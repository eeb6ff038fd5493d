"""The first schema."""

from django.db import migrations, models

KEY = ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))


class Migration(migrations.Migration):
    """Three tables."""

    initial = True
    operations = [
        migrations.CreateModel(
            name="Entry",
            fields=[
                KEY,
                ("uid", models.CharField(max_length=64)),
                ("release", models.CharField(max_length=100)),
                ("agent", models.CharField(default="", max_length=200)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="Execution",
            fields=[
                KEY,
                ("number", models.BigIntegerField()),
                ("task_id", models.CharField(max_length=64)),
                ("release", models.CharField(max_length=100)),
                ("worker", models.CharField(max_length=100)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="Tick",
            fields=[
                KEY,
                ("sent_ms", models.BigIntegerField()),
                ("beat", models.CharField(max_length=100)),
                ("release", models.CharField(max_length=100)),
                ("task_id", models.CharField(max_length=64)),
                ("worker", models.CharField(max_length=100)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
