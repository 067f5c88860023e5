"""The row of a node: one daemon on one host."""

from datetime import timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

LATE = timedelta(seconds=15)
"""A node that has missed three pulses is silent: its slots are as it last reported them."""


class NodeManager(models.Manager["Node"]):
    """Finds nodes by name and host, for fixtures."""

    def get_by_natural_key(self, name: str, host: str) -> "Node":
        return self.get(name=name, host=host)


class Node(models.Model):
    """The daemon of one WORKERD["NAME"] on one host, and when it last reported. Its ledger writes this row."""

    name = models.CharField(_("name"), max_length=60, help_text=_("The daemon's name in the settings."))
    host = models.CharField(_("host"), max_length=255)
    daemon_pid = models.PositiveIntegerField(_("daemon's pid"), null=True, blank=True)
    workerd_version = models.CharField(_("version"), max_length=50, blank=True)
    generation = models.PositiveIntegerField(
        _("generation"), default=0, help_text=_("How many times it has loaded the project's code since it started.")
    )
    started = models.DateTimeField(_("started"), null=True, blank=True)
    pulse = models.DateTimeField(
        _("pulse"), null=True, blank=True, help_text=_("When it last reached the database, by the database's clock.")
    )
    halt = models.TextField(
        _("halt"),
        null=True,
        blank=True,
        default="",
        help_text=_("Why its reload goes no further; empty where it does."),
    )
    public_halt = models.TextField(_("halt in workerd's own words"), null=True, blank=True, default="")
    # What follows is null where a release before the fleet wrote the row.
    key = models.UUIDField(_("key"), null=True, blank=True, unique=True, editable=False)
    """The key that the daemon keeps in STATE_DIR: name and host are for people."""
    life = models.UUIDField(_("life"), null=True, blank=True, editable=False)
    """Made at the daemon's start: whoever writes another one here has taken the row over."""
    process = models.TextField(_("process"), null=True, blank=True, editable=False)
    """A JSON object: which process has the life, so that a later daemon beside it sees that it has ended."""
    contested = models.DateTimeField(_("contested"), null=True, blank=True, editable=False)
    """The last pulse of a life that was displaced and may still run: for long no run of it is called lost."""
    labels = models.TextField(_("labels"), null=True, blank=True, default="{}", editable=False)
    """WORKERD["LABELS"], a JSON object of texts."""
    draining = models.BooleanField(
        _("draining"), null=True, blank=True, default=False, editable=False, help_text=_("It gives its seats away.")
    )
    beat = models.BigIntegerField(_("beat"), null=True, blank=True, default=0, editable=False)
    """Counts the renewals: another node sees by it, and by no clock, that this one lives."""
    cannot = models.TextField(_("cannot run"), null=True, blank=True, default="{}", editable=False)
    """A JSON object: by job id why this node cannot run it."""
    server = models.TextField(_("server"), null=True, blank=True, editable=False)
    """The server of the database that its keeper has been in contact with for long enough to believe it."""
    record_version = models.BigIntegerField(_("version of the record"), default=0, editable=False)

    objects = NodeManager()

    class Meta:
        verbose_name = _("node")
        verbose_name_plural = _("nodes")
        ordering = ("name", "host")
        constraints = (models.UniqueConstraint(fields=("name", "host"), name="workerd_node_name_host"),)

    def __str__(self) -> str:
        return f"{self.name}@{self.host}"

    def natural_key(self) -> tuple[str, str]:
        """Return what fixtures write instead of the primary key."""
        return (self.name, self.host)
