"""Constraints that a later release may add: rows that were right may break them."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("workerd", "0001_initial")]

    operations = [
        migrations.AddConstraint(
            "Job",
            models.CheckConstraint(
                condition=Q(max_age__lte=86_400),
                name="made_up_max_age",
                violation_error_message="max_age is more than a day: lower it.",
            ),
        ),
        migrations.AddConstraint("Node", models.UniqueConstraint(fields=("host",), name="made_up_one_node_a_host")),
        migrations.AddField("Job", "priority", models.IntegerField(db_default=0)),
        migrations.AddConstraint("Job", models.CheckConstraint(condition=Q(priority=0), name="made_up_priority")),
    ]
