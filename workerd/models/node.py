"""The row of a node: one daemon on one host."""

from django.db import models
from django.utils.translation import gettext_lazy as _


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
