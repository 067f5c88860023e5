"""The row of a slot: one numbered place of a job on a node, and the process that is in it now."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from workerd.wire.words import State

from .job import Job
from .node import Node

STATE_CHOICES = [
    (State.STOPPED.value, _("stopped")),
    (State.STARTING.value, _("starting")),
    (State.RUNNING.value, _("running")),
    (State.STOPPING.value, _("stopping")),
    (State.BACKOFF.value, _("backing off")),
    (State.WAITING.value, _("waiting")),
    (State.DONE.value, _("done")),
    (State.PARKED.value, _("parked")),
]


class Slot(models.Model):
    """The live state of one slot, as its daemon last reported it. The ledger writes this row."""

    node = models.ForeignKey(
        Node, models.CASCADE, verbose_name=_("node"), related_name="slots", db_constraint=False, db_index=False
    )
    job = models.ForeignKey(
        Job, models.DO_NOTHING, verbose_name=_("job"), related_name="slots", null=True, blank=True, db_constraint=False
    )
    job_name = models.CharField(_("job's name"), max_length=100)
    index = models.PositiveIntegerField(_("number"), default=0)
    name = models.CharField(_("name"), max_length=120)
    state = models.CharField(_("state"), max_length=20, choices=STATE_CHOICES, default=State.STOPPED.value)
    reason = models.TextField(_("reason"), blank=True, help_text=_("Why the slot is in this state."))
    # Null where the release before this one wrote the row. A db_default would have each save ask the database
    # “default” for what it can, on MySQL and MariaDB by a connection, also where DATABASE is another one.
    public_reason = models.TextField(_("reason in workerd's own words"), blank=True, default="", null=True)
    since = models.DateTimeField(_("since"), null=True, blank=True)
    pid = models.PositiveIntegerField(_("pid"), null=True, blank=True)
    restarts = models.PositiveIntegerField(_("restarts"), default=0)
    next_start = models.DateTimeField(_("next start"), null=True, blank=True)
    note = models.TextField(_("note"), blank=True, help_text=_("What the job last said it was doing."))
    memory = models.FloatField(
        _("memory (MiB)"),
        null=True,
        blank=True,
        help_text=_("How much the process's own memory has grown since it started."),
    )
    last_beat = models.DateTimeField(_("last beat"), null=True, blank=True)
    longest_silence = models.FloatField(_("longest silence (s)"), null=True, blank=True)
    run = models.UUIDField(_("run"), null=True, blank=True)
    generation = models.PositiveIntegerField(_("generation"), default=0)
    # Seconds since 1970, as a moment without a zone is two moments in the hour that a clock change repeats.
    due = models.FloatField(
        null=True, blank=True, editable=False, help_text=_("The time of the schedule that it runs for, or is about to.")
    )
    settled_until = models.FloatField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("Every time of the schedule up to this one is accounted for."),
    )
    last_success = models.FloatField(
        null=True, blank=True, editable=False, help_text=_("When a run of its schedule last finished.")
    )
    due_rule = models.CharField(
        max_length=400, blank=True, null=True, default="", editable=False, help_text=_("What its times are found by.")
    )
    # Null until the ledger has brought them; a release before them leaves them alone.
    samples = models.TextField(
        _("samples"), null=True, blank=True, editable=False, help_text=_("What its processes used, in the last day.")
    )
    recent_memory = models.CharField(
        _("memory lately"), max_length=400, null=True, blank=True, editable=False, help_text=_("For a small curve.")
    )
    version = models.BigIntegerField(_("version of the record"), default=0, editable=False)

    class Meta:
        verbose_name = _("slot")
        verbose_name_plural = _("slots")
        ordering = ("job_name", "index", "node_id")
        constraints = (models.UniqueConstraint(fields=("node", "job_name", "index"), name="workerd_slot_place"),)
        indexes = (
            models.Index(fields=("job_name", "index"), name="workerd_slot_job_name"),
            models.Index(fields=("state",), name="workerd_slot_state"),
        )

    def __str__(self) -> str:
        return self.name
