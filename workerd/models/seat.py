"""The row of a seat: one numbered place of a job in the fleet, and the life of the daemon that holds it."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from workerd.wire.rollout_seat import ROLLOUT_JOB, ROLLOUT_NAME

from .job import Job
from .node import Node


class Seat(models.Model):
    """A place that at most one life holds, by compare and set on ``token`` and ``beat``. Ledgers write this row.

    One seat is no job's: its ``job_id`` is ROLLOUT_JOB, and whoever holds it may drain or reload its node.
    """

    job = models.ForeignKey(
        Job, models.DO_NOTHING, verbose_name=_("job"), related_name="seats", db_constraint=False, db_index=False
    )
    index = models.PositiveIntegerField(_("number"))
    node = models.ForeignKey(
        Node,
        models.DO_NOTHING,
        verbose_name=_("node"),
        related_name="seats",
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
    )
    """The holder's, or of a free seat the last one's."""
    life = models.UUIDField(_("life"), null=True, blank=True)
    """The holder; null while the seat is free."""
    token = models.BigIntegerField(_("token"), default=0)
    """The number of the holding: it only grows, whoever holds the seat."""
    beat = models.BigIntegerField(_("beat"), default=0)
    """Counts every claim, renewal and release; never a time."""
    takeover_ms = models.PositiveIntegerField(_("take over after (ms)"))
    """The holder's own, so that an edit of the job shortens nobody's."""
    renewed = models.DateTimeField(_("renewed"), null=True, blank=True)
    """By the database's clock, for people and as a hint; never for safety."""
    since = models.DateTimeField(_("held since"), null=True, blank=True)
    moves = models.PositiveIntegerField(_("moves"), default=0)
    """How often another node has taken it."""
    stopped_by = models.CharField(
        _("stopped by"), max_length=255, blank=True, default="", help_text=_("Who has stopped it in the whole fleet.")
    )
    settled_until = models.FloatField(null=True, blank=True, editable=False)
    """Every time of the schedule up to this one (seconds since 1970) is accounted for, in the whole fleet."""
    due = models.FloatField(null=True, blank=True, editable=False)
    """The time of the schedule that it runs for, and has not brought to an end."""
    last_success = models.FloatField(null=True, blank=True, editable=False)
    due_rule = models.CharField(max_length=400, blank=True, default="", editable=False)

    class Meta:
        verbose_name = _("seat")
        verbose_name_plural = _("seats")
        ordering = ("job_id", "index")
        constraints = (models.UniqueConstraint(fields=("job", "index"), name="workerd_seat_place"),)
        indexes = (models.Index(fields=("life",), name="workerd_seat_life"),)

    def __str__(self) -> str:
        return ROLLOUT_NAME if self.job_id == ROLLOUT_JOB else f"{self.job_id}:{self.index}"
