"""The row of a run: one life of a child, from birth to exit."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from workerd.wire.words import Outcome, Trigger

from .job import Job
from .node import Node

OUTCOME_CHOICES = [
    (Outcome.STOPPED.value, _("stopped, as asked")),
    (Outcome.FINISHED.value, _("finished")),
    (Outcome.ERROR.value, _("error")),
    (Outcome.CRASHED.value, _("crashed")),
    (Outcome.HUNG.value, _("hung")),
    (Outcome.OVER_MEMORY.value, _("over its memory limit")),
    (Outcome.RECYCLED.value, _("recycled")),
    (Outcome.REFUSED.value, _("refused")),
    (Outcome.KILLED.value, _("killed")),
    (Outcome.LOST.value, _("lost")),
    (Outcome.OVERTIME.value, _("ran for too long")),
    (Outcome.MISSED.value, _("missed")),
]
TRIGGER_CHOICES = [
    (Trigger.SCHEDULE.value, _("on time")),
    (Trigger.CATCH_UP.value, _("made up for")),
    (Trigger.RETRY.value, _("tried again")),
    (Trigger.OPERATOR.value, _("an operator")),
]


class Run(models.Model):
    """One process and its end. The ledger writes this row; it stays when its job or node is deleted."""

    id = models.UUIDField(_("run"), primary_key=True, default=uuid.uuid4, editable=False)
    job = models.ForeignKey(
        Job,
        models.DO_NOTHING,
        verbose_name=_("job"),
        related_name="runs",
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
    )
    job_name = models.CharField(_("job's name"), max_length=100)
    node = models.ForeignKey(
        Node,
        models.DO_NOTHING,
        verbose_name=_("node"),
        related_name="runs",
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
    )
    node_name = models.CharField(_("node's name"), max_length=320, blank=True)
    slot = models.CharField(_("slot"), max_length=120)
    index = models.PositiveIntegerField(_("number of the slot"), default=0)
    generation = models.PositiveIntegerField(_("generation"), default=0)
    pid = models.PositiveIntegerField(_("pid"), null=True, blank=True)
    born = models.DateTimeField(_("started"), null=True, blank=True)
    ready = models.DateTimeField(_("ready"), null=True, blank=True)
    ended = models.DateTimeField(_("ended"), null=True, blank=True)
    outcome = models.CharField(
        _("outcome"),
        max_length=20,
        blank=True,
        choices=OUTCOME_CHOICES,
        help_text=_("How the run ended; empty while it goes on."),
    )
    reason = models.TextField(
        _("reason"), blank=True, help_text=_("Why workerd ended the run, or regards it as ended.")
    )
    exit_code = models.IntegerField(_("exit code"), null=True, blank=True)
    signal = models.CharField(_("signal"), max_length=20, blank=True, help_text=_("The signal that ended the process."))
    exception = models.TextField(_("exception"), blank=True)
    traceback = models.TextField(_("traceback"), blank=True)
    stack = models.TextField(_("stack"), blank=True, help_text=_("The stack of every thread when it hung."))
    note = models.TextField(_("last note"), blank=True, help_text=_("What the job last said it was doing."))
    peak_memory = models.FloatField(_("peak memory (MiB)"), null=True, blank=True)
    longest_silence = models.FloatField(
        _("longest silence (s)"),
        null=True,
        blank=True,
        help_text=_("The longest time between two signs of life; waiting in every and wait is none."),
    )
    last_lines = models.TextField(_("last lines"), blank=True, help_text=_("The last lines that the job wrote."))
    connections_opened = models.PositiveIntegerField(
        _("connections opened"),
        null=True,
        blank=True,
        help_text=_("Connections to databases during the run; empty if it did not report them."),
    )
    connections_closed = models.PositiveIntegerField(_("connections closed"), null=True, blank=True)
    due = models.DateTimeField(
        _("due"), null=True, blank=True, help_text=_("The time of the schedule that it ran for, or that was missed.")
    )
    # Null where a release before schedules wrote the row.
    trigger = models.CharField(
        _("started by"), max_length=20, blank=True, null=True, default="", choices=TRIGGER_CHOICES
    )
    missed = models.PositiveIntegerField(
        _("times missed"), null=True, blank=True, help_text=_("How many times of the schedule the row stands for.")
    )
    samples = models.TextField(
        _("samples"), null=True, blank=True, editable=False, help_text=_("What it used, until its end; as text.")
    )
    recorded = models.DateTimeField(
        _("written down"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When the ledger last wrote this row, by the database's clock; a daemon's own may be wrong."),
    )
    version = models.BigIntegerField(_("version of the record"), default=0, editable=False)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ("-born", "id")
        permissions = (("view_output", _("Can view what jobs wrote: last lines, tracebacks, stacks")),)
        indexes = (
            models.Index(fields=("-born", "id"), name="workerd_run_born"),
            models.Index(fields=("job", "-born"), name="workerd_run_job"),
            models.Index(fields=("job_name", "-born"), name="workerd_run_job_name"),
            models.Index(fields=("job_name", "index", "-born"), name="workerd_run_slot"),
            models.Index(fields=("outcome", "-born"), name="workerd_run_outcome"),
            models.Index(fields=("node", "ended"), name="workerd_run_node_ended"),
            models.Index(fields=("ended", "job", "outcome"), name="workerd_run_ended"),
            models.Index(fields=("recorded",), name="workerd_run_recorded"),
            models.Index(fields=("trigger", "-born"), name="workerd_run_trigger"),
        )

    def __str__(self) -> str:
        return f"{self.slot} {self.id}"
