"""The row of a job: what to run and how to look after it. People write this row, and none of the others."""

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from workerd.conf import get_settings
from workerd.job_rules import find_faults, values_of
from workerd.job_rules.choices import STOP_SIGNALS
from workerd.job_rules.labels import tidied
from workerd.job_rules.start_order import Place, find_order_faults
from workerd.job_rules.texts import TEXT_LIMITS
from workerd.targets import find_row_problems
from workerd.wire.spec import JobSpec, with_defaults
from workerd.wire.words import Heartbeat, Overlap, Restart, Scope, WithoutDatabase

from .ranges import range_constraints, range_validators
from .stored_json import KeptValues, StoredJson

RESTART_CHOICES = [
    (Restart.ALWAYS.value, _("always, however it ended")),
    (Restart.ON_FAILURE.value, _("on failure: an error, a crash, a kill")),
    (Restart.NEVER.value, _("never")),
]
HEARTBEAT_CHOICES = [
    (Heartbeat.ANY.value, _("any sign of life of its own: a beat, a database query, a printed line")),
    (Heartbeat.EXPLICIT.value, _("explicit beats only: context.beat, every, each, wait")),
    (Heartbeat.GROUP.value, _("any sign of the processes that it starts, too, and any output")),
]
OVERLAP_CHOICES = [
    (Overlap.SKIP.value, _("skip: the time is missed")),
    (Overlap.QUEUE.value, _("queue: one more run follows")),
    (Overlap.REPLACE.value, _("replace: the run is stopped, and the next one starts")),
]
SCOPE_CHOICES = [
    (Scope.EACH_NODE.value, _("each node: so many processes on every node")),
    (Scope.FLEET.value, _("fleet: so many processes in all nodes together")),
]
WITHOUT_DATABASE_CHOICES = [
    (WithoutDatabase.STOP.value, _("stop: its process ends before another node may start one")),
    (WithoutDatabase.GO_ON.value, _("go on: two may run at a time, for jobs that use their token")),
]
PROGRAM = ("target", "command", "kwargs", "environment")
"""The fields that say what runs; each of them decides whether the others are right."""
ORDER = ("name", *Place._fields)
"""The fields that say after which jobs it starts, and whether others may start after it."""
STOP_SIGNAL_CHOICES = [(name, f"SIG{name}") for name in STOP_SIGNALS]


def _seconds(name: str, label: Any, help_text: Any, **options: Any) -> "models.FloatField[Any, Any]":
    return models.FloatField(label, validators=range_validators(name), help_text=help_text, **options)


class JobManager(models.Manager["Job"]):
    """Finds jobs by name, for fixtures."""

    def get_by_natural_key(self, name: str) -> "Job":
        return self.get(name=name)


class Job(models.Model):
    """A definition. The daemon keeps ``processes`` processes of it alive."""

    name = models.SlugField(
        _("name"),
        max_length=TEXT_LIMITS["name"],
        unique=True,
        help_text=_("The job's name in logs, in the command and here: letters, digits, - and _."),
    )
    target = models.CharField(
        _("target"),
        max_length=TEXT_LIMITS["target"],
        blank=True,
        help_text=_(
            "Dotted path of a function marked @job, such as “shop.jobs.ship_orders”. Either this or a command."
        ),
    )
    command = models.CharField(
        _("command"),
        max_length=TEXT_LIMITS["command"],
        blank=True,
        help_text=_(
            "A management command with its arguments, such as “db_worker --queue-name mail”. Either this or a target."
        ),
    )
    kwargs = StoredJson(
        _("arguments"),
        default=dict,
        blank=True,
        help_text=_(
            'Keyword arguments as a JSON object, such as {"warehouse": "main"}. '
            'Take secrets from the environment: {"password": {"$env": "MAIL_PASSWORD"}}.'
        ),
    )
    enabled = models.BooleanField(
        _("enabled"), default=True, help_text=_("Off stops its processes gracefully and keeps the definition.")
    )
    processes = models.PositiveSmallIntegerField(
        _("processes"),
        default=1,
        validators=range_validators("processes"),
        help_text=_("How many processes run at a time. A change starts or stops only the difference."),
    )
    restart = models.CharField(
        _("restart"),
        max_length=20,
        choices=RESTART_CHOICES,
        default=Restart.ALWAYS.value,
        help_text=_("Whether a process that ended by itself is started again."),
    )
    backoff_initial = _seconds(
        "backoff_initial",
        _("first delay"),
        _("The first restart is at once, the second after this, then twice as long each time. With 0 all are at once."),
        default=0.5,
    )
    backoff_max = _seconds(
        "backoff_max",
        _("longest delay"),
        _("The delay grows to this at most. It starts anew once the process has run well for this long."),
        default=60.0,
    )
    max_restarts = models.PositiveIntegerField(
        _("give up after"),
        null=True,
        blank=True,
        validators=range_validators("max_restarts"),
        help_text=_(
            "After more failures than this the process is parked until someone resumes it. Empty never gives up."
        ),
    )
    restart_window = _seconds(
        "restart_window",
        _("failures counted within"),
        _("Only failures within this time count for giving up."),
        default=600.0,
    )
    start_grace = _seconds(
        "start_grace",
        _("running after"),
        _("A process that has stayed alive this long counts as running."),
        default=1.0,
    )
    start_timeout = _seconds(
        "start_timeout",
        _("start timeout"),
        _("A process that is not running by then counts as hung and is replaced."),
        default=30.0,
    )
    signals_ready = models.BooleanField(
        _("says when it is ready"),
        default=False,
        help_text=_("Counts as running only when it has called context.ready()."),
    )
    heartbeat_timeout = _seconds(
        "heartbeat_timeout",
        _("heartbeat timeout"),
        _("A process without a sign of life for this long counts as hung and is replaced. Empty sets no limit."),
        null=True,
        blank=True,
    )
    heartbeat = models.CharField(
        _("heartbeat"),
        max_length=20,
        choices=HEARTBEAT_CHOICES,
        default=Heartbeat.ANY.value,
        help_text=_("What counts as a sign of life."),
    )
    stop_signal = models.CharField(
        _("stop signal"),
        max_length=10,
        choices=STOP_SIGNAL_CHOICES,
        default="TERM",
        help_text=_("The signal that asks a process to stop. Functions marked @job and commands stop at SIGTERM."),
    )
    stop_timeout = _seconds(
        "stop_timeout",
        _("stop timeout"),
        _("A process that was asked to stop and has not ended by then is killed."),
        default=10.0,
    )
    max_memory = models.FloatField(
        _("memory limit (MiB)"),
        null=True,
        blank=True,
        validators=range_validators("max_memory"),
        help_text=_("A process whose own memory grew by more than this many MiB is replaced. Empty sets no limit."),
    )
    max_age = _seconds(
        "max_age",
        _("longest life"),
        _("A process older than this is replaced gracefully, give or take a tenth. Empty sets no limit."),
        null=True,
        blank=True,
    )
    significant = models.BooleanField(
        _("significant"), default=False, help_text=_("When it is parked, the whole service is reported as not healthy.")
    )
    nice = models.SmallIntegerField(
        _("niceness"),
        default=0,
        validators=range_validators("nice"),
        help_text=_("Priority of its processes, from -20 (first; needs root) to 19 (last)."),
    )
    # Null where a release before schedules wrote the row: it means the default.
    schedule = models.CharField(
        _("schedule"),
        max_length=TEXT_LIMITS["schedule"],
        blank=True,
        null=True,
        default="",
        help_text=_(
            "When it runs: “30 2 * * *” (minute, hour, day of the month, month, day of the week), “@daily”, "
            "“every 15 min” or “at 2026-12-24 18:00”. Empty runs it always."
        ),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=TEXT_LIMITS["time_zone"],
        blank=True,
        null=True,
        default="",
        help_text=_("The zone of the schedule, such as Europe/Berlin. Empty is the project's TIME_ZONE."),
    )
    start_within = _seconds(
        "start_within",
        _("start within"),
        _("A start that was missed, as the machine was down, is made up for if it is at most this late."),
        null=True,
        blank=True,
        default=600.0,
    )
    overlap = models.CharField(
        _("overlap"),
        max_length=20,
        choices=OVERLAP_CHOICES,
        blank=True,
        null=True,
        default=Overlap.SKIP.value,
        help_text=_("What happens at a time of the schedule while the last run goes on."),
    )
    spread = _seconds(
        "spread",
        _("spread"),
        _("Each start is later by a fixed part of this, so that jobs of one time do not start together."),
        null=True,
        blank=True,
        default=0.0,
    )
    # Null where a release before adoption wrote the row: it means the default.
    environment = StoredJson(
        _("environment"),
        default=dict,
        blank=True,
        null=True,
        help_text=_(
            'Environment variables of its processes as a JSON object, such as {"QUEUE": "mail"}. '
            'Take secrets from the service\'s own: {"TOKEN": {"$env": "MAIL_TOKEN"}}.'
        ),
    )
    working_directory = models.CharField(
        _("working directory"),
        max_length=TEXT_LIMITS["working_directory"],
        blank=True,
        null=True,
        default="",
        help_text=_("The directory in which its processes begin, an absolute path. Empty is the service's own."),
    )
    umask = models.CharField(
        _("umask"),
        max_length=TEXT_LIMITS["umask"],
        blank=True,
        null=True,
        default="",
        help_text=_("The permissions that new files do not get, in octal, such as 027. Empty is the service's own."),
    )
    starts_after = StoredJson(
        _("starts after"),
        default=list,
        blank=True,
        null=True,
        help_text=_(
            "Names of jobs as a JSON list: when the service starts, this one waits until each of them has a process "
            "that runs, or has finished."
        ),
    )
    # Null where a release before the fleet wrote the row: it means the default.
    scope = models.CharField(
        _("scope"),
        max_length=20,
        choices=SCOPE_CHOICES,
        blank=True,
        null=True,
        default=Scope.EACH_NODE.value,
        help_text=_(
            "Whether each node runs so many processes, or all nodes together do; one in the fleet is a singleton."
        ),
    )
    where = models.CharField(
        _("where"),
        max_length=TEXT_LIMITS["where"],
        blank=True,
        null=True,
        default="",
        help_text=_(
            "The labels of the nodes that may run it, such as “zone=a, disk!=hdd”; a node's labels stand in "
            'WORKERD["LABELS"]. Empty is every node.'
        ),
    )
    takeover_after = _seconds(
        "takeover_after",
        _("take over after"),
        _("With scope fleet: when its node has not been heard of for this long, another one starts the process."),
        null=True,
        blank=True,
        default=30.0,
    )
    without_database = models.CharField(
        _("without the database"),
        max_length=20,
        choices=WITHOUT_DATABASE_CHOICES,
        blank=True,
        null=True,
        default=WithoutDatabase.STOP.value,
        help_text=_("With scope fleet: what its process does when its node cannot reach the database for so long."),
    )
    movable = models.BooleanField(
        _("movable"),
        blank=True,
        null=True,
        default=False,
        help_text=_("With scope fleet: its processes may be moved to other nodes to spread them evenly."),
    )
    # Null where a release before labels wrote the row: it means the default.
    labels = models.CharField(
        _("labels"),
        max_length=TEXT_LIMITS["labels"],
        blank=True,
        null=True,
        default="",
        help_text=_(
            "What the job belongs to, as names and values such as “team=billing, tier=1”: alerts go by them. A change "
            "restarts nothing."
        ),
    )
    source = models.CharField(
        _("source"),
        max_length=TEXT_LIMITS["source"],
        blank=True,
        null=True,
        default="",
        editable=False,
        help_text=_("The set of definitions that the row comes from. Empty for a row that was made in the admin."),
    )
    synced = KeptValues(
        _("synced values"),
        blank=True,
        null=True,
        default=None,
        editable=False,
        help_text=_("The values that sync has written last, by field."),
    )
    notes = models.TextField(_("notes"), blank=True, help_text=_("For people: what the job is for, whom to ask."))
    problem = models.TextField(
        _("problem"),
        blank=True,
        editable=False,
        help_text=_("Why the job cannot run as it is defined; workerd writes this."),
    )
    public_problem = models.TextField(
        _("problem in workerd's own words"), blank=True, editable=False, default="", null=True
    )

    objects = JobManager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ("name",)
        permissions = (("operate_job", _("Can start, stop, restart, resume and dump jobs, and run them now")),)
        constraints = (
            models.CheckConstraint(
                condition=(Q(target="") & ~Q(command="")) | (~Q(target="") & Q(command="")),
                name="workerd_job_target_or_command",
                violation_error_message=_("Set exactly one of target and command."),
            ),
            models.CheckConstraint(
                condition=Q(backoff_max__gte=F("backoff_initial")),
                name="workerd_job_backoff_order",
                violation_error_message=_("The longest delay must not be shorter than the first."),
            ),
            models.CheckConstraint(
                condition=Q(signals_ready=True) | Q(start_timeout__gt=F("start_grace")),
                name="workerd_job_start_order",
                violation_error_message=_(
                    "The start timeout must be longer than “running after”, or it never counts as running."
                ),
            ),
            models.CheckConstraint(
                condition=Q(restart__in=[value for value, _label in RESTART_CHOICES]), name="workerd_job_restart_choice"
            ),
            models.CheckConstraint(
                condition=Q(heartbeat__in=[value for value, _label in HEARTBEAT_CHOICES]),
                name="workerd_job_heartbeat_choice",
            ),
            models.CheckConstraint(
                condition=Q(schedule=None) | Q(schedule="") | ~Q(restart=Restart.ALWAYS.value),
                name="workerd_job_schedule_restart",
                violation_error_message=_(
                    "A job with a schedule does not restart always: choose on failure, or never."
                ),
            ),
            models.CheckConstraint(
                condition=Q(overlap=None) | Q(overlap__in=["", *(value for value, _label in OVERLAP_CHOICES)]),
                name="workerd_job_overlap_choice",
            ),
            models.CheckConstraint(
                condition=Q(scope=None) | Q(scope__in=["", *(value for value, _label in SCOPE_CHOICES)]),
                name="workerd_job_scope_choice",
            ),
            models.CheckConstraint(
                condition=Q(without_database=None)
                | Q(without_database__in=["", *(value for value, _label in WITHOUT_DATABASE_CHOICES)]),
                name="workerd_job_without_database_choice",
            ),
            models.CheckConstraint(condition=Q(stop_signal__in=STOP_SIGNALS), name="workerd_job_stop_signal_choice"),
            *range_constraints(),
        )

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> tuple[str]:
        """Return what fixtures write instead of the primary key."""
        return (self.name,)

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Bring each value into its column's type, have the row's rules judge it, and the project what it runs.

        A job that is off and whose program is stored as it is may be kept though it could not run.
        """
        for name in ("target", "command"):
            if isinstance(text := getattr(self, name), str):
                setattr(self, name, text.strip())
        if isinstance(self.labels, str):
            self.labels = tidied(self.labels)
        errors: dict[str, Any] = {}
        try:
            super().clean_fields(exclude=exclude)
        except ValidationError as error:
            errors = error.error_dict
        # Django's own validators stay, for whoever builds another form from the model; here a rule's sentence takes
        # the place of whatever they say about the same field.
        errors |= {fault.field: fault.sentence for fault in find_faults(values_of(self, leave_out=exclude or ()))}
        if not {*errors, *(exclude or ())}.intersection(ORDER) and self.starts_after:
            errors |= self._order_errors()
        if not {*errors, *(exclude or ())}.intersection(PROGRAM) and self._must_run():
            # A command's line may hold the number, unless it is at fault itself.
            processes = 1 if "processes" in {*errors, *(exclude or ())} else self.processes
            errors |= find_row_problems(JobSpec("job", processes=processes, **self._program()))
        if errors:
            raise ValidationError(errors)

    def _order_errors(self) -> dict[str, list[str]]:
        places = {**self.read_others(), self.name: Place.of(self.schedule, self.starts_after)}
        faults = find_order_faults(self.name, places)
        return {"starts_after": faults} if faults else {}

    def read_others(self) -> dict[str, Place]:
        """Return the place of every other job in the order of start."""
        others = Job.objects.using(self._state.db or get_settings().database).exclude(pk=self.pk)
        return {name: Place.of(*place) for name, *place in others.values_list("name", *Place._fields)}

    def _must_run(self) -> bool:
        if self.enabled or self.pk is None:
            return True
        stored: Any = Job.objects.using(self._state.db).filter(pk=self.pk).values(*PROGRAM).first()
        return stored is None or with_defaults(stored) != self._program()

    def _program(self) -> dict[str, Any]:
        return with_defaults({name: getattr(self, name) for name in PROGRAM})

    def to_spec(self) -> JobSpec:
        """Return the job in the form in which the daemon gets it."""
        return JobSpec(**with_defaults({name: getattr(self, name) for name in JobSpec._fields}))
