import uuid

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import workerd.models.operation


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.SlugField(
                        help_text="The job's name in logs, in the command and here: letters, digits, - and _.",
                        max_length=100,
                        unique=True,
                        verbose_name="name",
                    ),
                ),
                (
                    "target",
                    models.CharField(
                        blank=True,
                        help_text="Dotted path of a function marked @job, such as “shop.jobs.ship_orders”. Either this or a command.",
                        max_length=500,
                        verbose_name="target",
                    ),
                ),
                (
                    "command",
                    models.CharField(
                        blank=True,
                        help_text="A management command with its arguments, such as “db_worker --queue-name mail”. Either this or a target.",
                        max_length=1000,
                        verbose_name="command",
                    ),
                ),
                (
                    "kwargs",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text='Keyword arguments as a JSON object, such as {"warehouse": "main"}. Take secrets from the environment: {"password": {"$env": "MAIL_PASSWORD"}}.',
                        verbose_name="arguments",
                    ),
                ),
                (
                    "enabled",
                    models.BooleanField(
                        default=True,
                        help_text="Off stops its processes gracefully and keeps the definition.",
                        verbose_name="enabled",
                    ),
                ),
                (
                    "processes",
                    models.PositiveSmallIntegerField(
                        default=1,
                        help_text="How many processes run at a time. A change starts or stops only the difference.",
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(1000),
                        ],
                        verbose_name="processes",
                    ),
                ),
                (
                    "restart",
                    models.CharField(
                        choices=[
                            ("always", "always, however it ended"),
                            ("on_failure", "on failure: an error, a crash, a kill"),
                            ("never", "never"),
                        ],
                        default="always",
                        help_text="Whether a process that ended by itself is started again.",
                        max_length=20,
                        verbose_name="restart",
                    ),
                ),
                (
                    "backoff_initial",
                    models.FloatField(
                        default=0.5,
                        help_text="The first restart is at once, the second after this, then twice as long each time. With 0 all are at once.",
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(315360000.0),
                        ],
                        verbose_name="first delay",
                    ),
                ),
                (
                    "backoff_max",
                    models.FloatField(
                        default=60.0,
                        help_text="The delay grows to this at most. It starts anew once the process has run well for this long.",
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(315360000.0),
                        ],
                        verbose_name="longest delay",
                    ),
                ),
                (
                    "max_restarts",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="After more failures than this the process is parked until someone resumes it. Empty never gives up.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(1000000),
                        ],
                        verbose_name="give up after",
                    ),
                ),
                (
                    "restart_window",
                    models.FloatField(
                        default=600.0,
                        help_text="Only failures within this time count for giving up.",
                        validators=[
                            django.core.validators.MinValueValidator(0.001),
                            django.core.validators.MaxValueValidator(315360000.0),
                        ],
                        verbose_name="failures counted within",
                    ),
                ),
                (
                    "start_grace",
                    models.FloatField(
                        default=1.0,
                        help_text="A process that has stayed alive this long counts as running.",
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(315360000.0),
                        ],
                        verbose_name="running after",
                    ),
                ),
                (
                    "start_timeout",
                    models.FloatField(
                        default=30.0,
                        help_text="A process that is not running by then counts as hung and is replaced.",
                        validators=[
                            django.core.validators.MinValueValidator(0.001),
                            django.core.validators.MaxValueValidator(315360000.0),
                        ],
                        verbose_name="start timeout",
                    ),
                ),
                (
                    "signals_ready",
                    models.BooleanField(
                        default=False,
                        help_text="Counts as running only when it has called context.ready().",
                        verbose_name="says when it is ready",
                    ),
                ),
                (
                    "heartbeat_timeout",
                    models.FloatField(
                        blank=True,
                        help_text="A process without a sign of life for this long counts as hung and is replaced. Empty sets no limit.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0.001),
                            django.core.validators.MaxValueValidator(315360000.0),
                        ],
                        verbose_name="heartbeat timeout",
                    ),
                ),
                (
                    "heartbeat",
                    models.CharField(
                        choices=[
                            ("any", "any sign of life: a beat, a database query, a line of output"),
                            ("explicit", "explicit beats only: context.beat, every, each, wait"),
                        ],
                        default="any",
                        help_text="What counts as a sign of life.",
                        max_length=20,
                        verbose_name="heartbeat",
                    ),
                ),
                (
                    "stop_signal",
                    models.CharField(
                        choices=[
                            ("TERM", "SIGTERM"),
                            ("INT", "SIGINT"),
                            ("QUIT", "SIGQUIT"),
                            ("HUP", "SIGHUP"),
                            ("USR1", "SIGUSR1"),
                            ("USR2", "SIGUSR2"),
                        ],
                        default="TERM",
                        help_text="The signal that asks a process to stop. Functions marked @job and commands stop at SIGTERM.",
                        max_length=10,
                        verbose_name="stop signal",
                    ),
                ),
                (
                    "stop_timeout",
                    models.FloatField(
                        default=10.0,
                        help_text="A process that was asked to stop and has not ended by then is killed.",
                        validators=[
                            django.core.validators.MinValueValidator(0.001),
                            django.core.validators.MaxValueValidator(315360000.0),
                        ],
                        verbose_name="stop timeout",
                    ),
                ),
                (
                    "max_memory",
                    models.FloatField(
                        blank=True,
                        help_text="A process whose own memory grew by more than this many MiB is replaced. Empty sets no limit.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(16777216),
                        ],
                        verbose_name="memory limit (MiB)",
                    ),
                ),
                (
                    "max_age",
                    models.FloatField(
                        blank=True,
                        help_text="A process older than this is replaced gracefully, give or take a tenth. Empty sets no limit.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0.001),
                            django.core.validators.MaxValueValidator(315360000.0),
                        ],
                        verbose_name="longest life",
                    ),
                ),
                (
                    "significant",
                    models.BooleanField(
                        default=False,
                        help_text="When it is parked, the whole service is reported as not healthy.",
                        verbose_name="significant",
                    ),
                ),
                (
                    "nice",
                    models.SmallIntegerField(
                        default=0,
                        help_text="Priority of its processes, from -20 (first; needs root) to 19 (last).",
                        validators=[
                            django.core.validators.MinValueValidator(-20),
                            django.core.validators.MaxValueValidator(19),
                        ],
                        verbose_name="niceness",
                    ),
                ),
                (
                    "notes",
                    models.TextField(
                        blank=True, help_text="For people: what the job is for, whom to ask.", verbose_name="notes"
                    ),
                ),
                (
                    "problem",
                    models.TextField(
                        blank=True,
                        editable=False,
                        help_text="Why the job cannot run as it is defined; workerd writes this.",
                        verbose_name="problem",
                    ),
                ),
            ],
            options={
                "verbose_name": "job",
                "verbose_name_plural": "jobs",
                "ordering": ("name",),
                "permissions": (("operate_job", "Can start, stop, restart, resume and dump jobs"),),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("target", ""), models.Q(("command", ""), _negated=True)),
                            models.Q(models.Q(("target", ""), _negated=True), ("command", "")),
                            _connector="OR",
                        ),
                        name="workerd_job_target_or_command",
                        violation_error_message="Set exactly one of target and command.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("backoff_max__gte", models.F("backoff_initial"))),
                        name="workerd_job_backoff_order",
                        violation_error_message="The longest delay must not be shorter than the first.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("signals_ready", True), ("start_timeout__gt", models.F("start_grace")), _connector="OR"
                        ),
                        name="workerd_job_start_order",
                        violation_error_message="The start timeout must be longer than “running after”, or it never counts as running.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("restart__in", ["always", "on_failure", "never"])),
                        name="workerd_job_restart_choice",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("heartbeat__in", ["any", "explicit"])), name="workerd_job_heartbeat_choice"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("stop_signal__in", ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2"))),
                        name="workerd_job_stop_signal_choice",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("processes__gte", 0), ("processes__lte", 1000)),
                        name="workerd_job_processes_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("backoff_initial__gte", 0), ("backoff_initial__lte", 315360000.0)),
                        name="workerd_job_backoff_initial_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("backoff_max__gte", 0), ("backoff_max__lte", 315360000.0)),
                        name="workerd_job_backoff_max_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("max_restarts__gte", 0), ("max_restarts__lte", 1000000)),
                        name="workerd_job_max_restarts_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("restart_window__gte", 0.001), ("restart_window__lte", 315360000.0)),
                        name="workerd_job_restart_window_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("start_grace__gte", 0), ("start_grace__lte", 315360000.0)),
                        name="workerd_job_start_grace_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("start_timeout__gte", 0.001), ("start_timeout__lte", 315360000.0)),
                        name="workerd_job_start_timeout_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("heartbeat_timeout__gte", 0.001), ("heartbeat_timeout__lte", 315360000.0)),
                        name="workerd_job_heartbeat_timeout_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("stop_timeout__gte", 0.001), ("stop_timeout__lte", 315360000.0)),
                        name="workerd_job_stop_timeout_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("max_memory__gte", 1), ("max_memory__lte", 16777216)),
                        name="workerd_job_max_memory_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("max_age__gte", 0.001), ("max_age__lte", 315360000.0)),
                        name="workerd_job_max_age_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("nice__gte", -20), ("nice__lte", 19)), name="workerd_job_nice_range"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Node",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="The daemon's name in the settings.", max_length=60, verbose_name="name"
                    ),
                ),
                ("host", models.CharField(max_length=255, verbose_name="host")),
                ("daemon_pid", models.PositiveIntegerField(blank=True, null=True, verbose_name="daemon's pid")),
                ("workerd_version", models.CharField(blank=True, max_length=50, verbose_name="version")),
                (
                    "generation",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="How many times it has loaded the project's code since it started.",
                        verbose_name="generation",
                    ),
                ),
                ("started", models.DateTimeField(blank=True, null=True, verbose_name="started")),
                (
                    "pulse",
                    models.DateTimeField(
                        blank=True,
                        help_text="When it last reached the database, by the database's clock.",
                        null=True,
                        verbose_name="pulse",
                    ),
                ),
                (
                    "record_version",
                    models.BigIntegerField(default=0, editable=False, verbose_name="version of the record"),
                ),
            ],
            options={
                "verbose_name": "node",
                "verbose_name_plural": "nodes",
                "ordering": ("name", "host"),
                "constraints": [models.UniqueConstraint(fields=("name", "host"), name="workerd_node_name_host")],
            },
        ),
        migrations.CreateModel(
            name="Operation",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "verb",
                    models.CharField(
                        choices=[
                            ("start", "start"),
                            ("stop", "stop"),
                            ("restart", "restart"),
                            ("resume", "resume"),
                            ("dump", "dump stacks"),
                            ("reload", "reload the code"),
                            ("shutdown", "shut the daemon down"),
                        ],
                        max_length=20,
                        verbose_name="verb",
                    ),
                ),
                (
                    "job_name",
                    models.CharField(
                        blank=True, help_text="Empty means every job.", max_length=100, verbose_name="job's name"
                    ),
                ),
                (
                    "slot",
                    models.CharField(
                        blank=True, help_text="Empty means every slot of the job.", max_length=120, verbose_name="slot"
                    ),
                ),
                ("requested_by", models.CharField(blank=True, max_length=255, verbose_name="requested by")),
                ("requested", models.DateTimeField(default=django.utils.timezone.now, verbose_name="requested")),
                (
                    "expires",
                    models.DateTimeField(
                        default=workerd.models.operation.expiry,
                        help_text="The order is dropped if no daemon has taken it by then.",
                        verbose_name="expires",
                    ),
                ),
                ("taken", models.DateTimeField(blank=True, null=True, verbose_name="taken")),
                ("result", models.TextField(blank=True, verbose_name="result")),
                (
                    "job",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="operations",
                        to="workerd.job",
                        verbose_name="job",
                    ),
                ),
                (
                    "node",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="Empty means the node that takes it first.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="operations",
                        to="workerd.node",
                        verbose_name="node",
                    ),
                ),
            ],
            options={
                "verbose_name": "operation",
                "verbose_name_plural": "operations",
                "ordering": ("-requested", "-id"),
                "indexes": [
                    models.Index(fields=["-requested", "-id"], name="workerd_operation_requested"),
                    models.Index(fields=["taken", "expires"], name="workerd_operation_open"),
                    models.Index(fields=["job", "-requested"], name="workerd_operation_job"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("verb__in", ["start", "stop", "restart", "resume", "dump", "reload", "shutdown"])
                        ),
                        name="workerd_operation_verb_choice",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name="run"
                    ),
                ),
                ("job_name", models.CharField(max_length=100, verbose_name="job's name")),
                ("node_name", models.CharField(blank=True, max_length=320, verbose_name="node's name")),
                ("slot", models.CharField(max_length=120, verbose_name="slot")),
                ("index", models.PositiveIntegerField(default=0, verbose_name="number of the slot")),
                ("generation", models.PositiveIntegerField(default=0, verbose_name="generation")),
                ("pid", models.PositiveIntegerField(blank=True, null=True, verbose_name="pid")),
                ("born", models.DateTimeField(blank=True, null=True, verbose_name="started")),
                ("ready", models.DateTimeField(blank=True, null=True, verbose_name="ready")),
                ("ended", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("stopped", "stopped, as asked"),
                            ("finished", "finished"),
                            ("error", "error"),
                            ("crashed", "crashed"),
                            ("hung", "hung"),
                            ("over_memory", "over its memory limit"),
                            ("recycled", "recycled"),
                            ("refused", "refused"),
                            ("killed", "killed"),
                            ("lost", "lost"),
                        ],
                        help_text="How the run ended; empty while it goes on.",
                        max_length=20,
                        verbose_name="outcome",
                    ),
                ),
                (
                    "reason",
                    models.TextField(
                        blank=True,
                        help_text="Why workerd ended the run, or regards it as ended.",
                        verbose_name="reason",
                    ),
                ),
                ("exit_code", models.IntegerField(blank=True, null=True, verbose_name="exit code")),
                (
                    "signal",
                    models.CharField(
                        blank=True, help_text="The signal that ended the process.", max_length=20, verbose_name="signal"
                    ),
                ),
                ("exception", models.TextField(blank=True, verbose_name="exception")),
                ("traceback", models.TextField(blank=True, verbose_name="traceback")),
                (
                    "stack",
                    models.TextField(
                        blank=True, help_text="The stack of every thread when it hung.", verbose_name="stack"
                    ),
                ),
                (
                    "note",
                    models.TextField(
                        blank=True, help_text="What the job last said it was doing.", verbose_name="last note"
                    ),
                ),
                ("peak_memory", models.FloatField(blank=True, null=True, verbose_name="peak memory (MiB)")),
                (
                    "last_lines",
                    models.TextField(
                        blank=True, help_text="The last lines that the job wrote.", verbose_name="last lines"
                    ),
                ),
                (
                    "connections_opened",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Connections to databases during the run; empty if it did not report them.",
                        null=True,
                        verbose_name="connections opened",
                    ),
                ),
                (
                    "connections_closed",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="connections closed"),
                ),
                ("version", models.BigIntegerField(default=0, editable=False, verbose_name="version of the record")),
                (
                    "job",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="runs",
                        to="workerd.job",
                        verbose_name="job",
                    ),
                ),
                (
                    "node",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="runs",
                        to="workerd.node",
                        verbose_name="node",
                    ),
                ),
            ],
            options={
                "verbose_name": "run",
                "verbose_name_plural": "runs",
                "ordering": ("-born", "id"),
                "permissions": (("view_output", "Can view what jobs wrote: last lines, tracebacks, stacks"),),
                "indexes": [
                    models.Index(fields=["-born", "id"], name="workerd_run_born"),
                    models.Index(fields=["job", "-born"], name="workerd_run_job"),
                    models.Index(fields=["job_name", "-born"], name="workerd_run_job_name"),
                    models.Index(fields=["job_name", "index", "-born"], name="workerd_run_slot"),
                    models.Index(fields=["outcome", "-born"], name="workerd_run_outcome"),
                    models.Index(fields=["node", "ended"], name="workerd_run_node_ended"),
                    models.Index(fields=["ended", "job", "outcome"], name="workerd_run_ended"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Slot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("job_name", models.CharField(max_length=100, verbose_name="job's name")),
                ("index", models.PositiveIntegerField(default=0, verbose_name="number")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("STOPPED", "stopped"),
                            ("STARTING", "starting"),
                            ("RUNNING", "running"),
                            ("STOPPING", "stopping"),
                            ("BACKOFF", "backing off"),
                            ("WAITING", "waiting"),
                            ("DONE", "done"),
                            ("PARKED", "parked"),
                        ],
                        default="STOPPED",
                        max_length=20,
                        verbose_name="state",
                    ),
                ),
                (
                    "reason",
                    models.TextField(blank=True, help_text="Why the slot is in this state.", verbose_name="reason"),
                ),
                ("since", models.DateTimeField(blank=True, null=True, verbose_name="since")),
                ("pid", models.PositiveIntegerField(blank=True, null=True, verbose_name="pid")),
                ("restarts", models.PositiveIntegerField(default=0, verbose_name="restarts")),
                ("next_start", models.DateTimeField(blank=True, null=True, verbose_name="next start")),
                (
                    "note",
                    models.TextField(blank=True, help_text="What the job last said it was doing.", verbose_name="note"),
                ),
                (
                    "memory",
                    models.FloatField(
                        blank=True,
                        help_text="How much the process's own memory has grown since it started.",
                        null=True,
                        verbose_name="memory (MiB)",
                    ),
                ),
                ("last_beat", models.DateTimeField(blank=True, null=True, verbose_name="last beat")),
                ("run", models.UUIDField(blank=True, null=True, verbose_name="run")),
                ("generation", models.PositiveIntegerField(default=0, verbose_name="generation")),
                ("version", models.BigIntegerField(default=0, editable=False, verbose_name="version of the record")),
                (
                    "job",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="slots",
                        to="workerd.job",
                        verbose_name="job",
                    ),
                ),
                (
                    "node",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="slots",
                        to="workerd.node",
                        verbose_name="node",
                    ),
                ),
            ],
            options={
                "verbose_name": "slot",
                "verbose_name_plural": "slots",
                "ordering": ("job_name", "index", "node_id"),
                "indexes": [
                    models.Index(fields=["job_name", "index"], name="workerd_slot_job_name"),
                    models.Index(fields=["state"], name="workerd_slot_state"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("node", "job_name", "index"), name="workerd_slot_place")
                ],
            },
        ),
    ]
