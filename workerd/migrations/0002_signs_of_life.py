from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workerd", "0001_initial"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="job",
            name="workerd_job_heartbeat_choice",
        ),
        migrations.AlterField(
            model_name="job",
            name="heartbeat",
            field=models.CharField(
                choices=[
                    ("any", "any sign of life of its own: a beat, a database query, a printed line"),
                    ("explicit", "explicit beats only: context.beat, every, each, wait"),
                    ("group", "any sign of the processes that it starts, too, and any output"),
                ],
                default="any",
                help_text="What counts as a sign of life.",
                max_length=20,
                verbose_name="heartbeat",
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.CheckConstraint(
                condition=models.Q(("heartbeat__in", ["any", "explicit", "group"])), name="workerd_job_heartbeat_choice"
            ),
        ),
        migrations.AddField(
            model_name="run",
            name="longest_silence",
            field=models.FloatField(
                blank=True,
                help_text="The longest time between two signs of life; waiting in every and wait is none.",
                null=True,
                verbose_name="longest silence (s)",
            ),
        ),
        migrations.AddField(
            model_name="slot",
            name="longest_silence",
            field=models.FloatField(blank=True, null=True, verbose_name="longest silence (s)"),
        ),
    ]
