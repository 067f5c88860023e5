"""The row of an operation: an operator's order to a daemon, and its result. All of them are the audit trail."""

import uuid
from datetime import datetime, timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from workerd.conf import get_settings

from .clock import read_now
from .job import Job
from .node import Node

LIFETIME = timedelta(minutes=1)
"""An order that no daemon takes within this time is dropped: a restart of last week must not happen today."""

VERB_CHOICES = [
    ("start", _("start")),
    ("stop", _("stop")),
    ("restart", _("restart")),
    ("resume", _("resume")),
    ("dump", _("dump stacks")),
    ("trigger", _("run now")),
    ("reload", _("reload the code")),
    ("reload_go_on", _("go on with the reload")),
    ("reload_back", _("take the reload back")),
    ("shutdown", _("shut the daemon down")),
    ("reload_fleet", _("reload the code in the node's turn")),
    ("drain", _("drain")),
    ("drain_now", _("drain at once")),
    ("drain_force", _("drain, whatever stops")),
    ("drain_undo", _("take seats again")),
    ("move", _("give the seat to another node")),
    ("scale", _("set the processes")),
]


def database_now() -> datetime:
    """Return the time by the database's clock, which the ledger asks, too."""
    return read_now(get_settings().database)


def expiry() -> datetime:
    """Return when a new order expires, by the database's clock."""
    return database_now() + LIFETIME


class Operation(models.Model):
    """A verb for one job or for all, on one node. One ledger takes the order, and writes its ``result``.

    A shutdown is only recorded here: no row can ask for one, because nothing here could start the daemon again. So is a
    scaler's change of a row, which is done when its line is written.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    verb = models.CharField(_("verb"), max_length=20, choices=VERB_CHOICES)
    job = models.ForeignKey(
        Job,
        models.DO_NOTHING,
        verbose_name=_("job"),
        related_name="operations",
        null=True,
        blank=True,
        db_constraint=False,
    )
    job_name = models.CharField(_("job's name"), max_length=100, blank=True, help_text=_("Empty means every job."))
    slot = models.CharField(_("slot"), max_length=120, blank=True, help_text=_("Empty means every slot of the job."))
    node = models.ForeignKey(
        Node,
        models.DO_NOTHING,
        verbose_name=_("node"),
        related_name="operations",
        null=True,
        blank=True,
        db_constraint=False,
        help_text=_("Empty means the node that takes it first."),
    )
    requested_by = models.CharField(_("requested by"), max_length=255, blank=True)
    requested = models.DateTimeField(_("requested"), default=database_now)
    expires = models.DateTimeField(
        _("expires"), default=expiry, help_text=_("The order is dropped if no daemon has taken it by then.")
    )
    taken = models.DateTimeField(_("taken"), null=True, blank=True)
    result = models.TextField(_("result"), blank=True)
    ok = models.BooleanField(_("done as ordered"), null=True, blank=True, help_text=_("Unknown until it is answered."))
    public_result = models.TextField(_("result in workerd's own words"), blank=True, default="", null=True)

    class Meta:
        verbose_name = _("operation")
        verbose_name_plural = _("operations")
        ordering = ("-requested", "-id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(verb__in=[value for value, _label in VERB_CHOICES]),
                name="workerd_operation_verb_choice",
            ),
        )
        indexes = (
            models.Index(fields=("-requested", "-id"), name="workerd_operation_requested"),
            models.Index(fields=("taken", "expires"), name="workerd_operation_open"),
            models.Index(fields=("job", "-requested"), name="workerd_operation_job"),
        )

    def __str__(self) -> str:
        return f"{self.verb} {self.slot or self.job_name or '--all'}"
