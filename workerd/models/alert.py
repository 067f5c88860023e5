"""The row of an alert about the fleet: which node sends it for all, and whether it has."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class FleetAlert(models.Model):
    """A matter of the fleet that holds. The node that inserts the row sends it; whoever deletes it sends its end.

    Notifiers write it. It has no foreign key: it is to stay readable whatever becomes of nodes and jobs.
    """

    key_hash = models.CharField(primary_key=True, max_length=64, editable=False)
    """SHA-256 of ``key``: on some servers texts that differ in case are one value."""
    key = models.CharField(_("matter"), max_length=300)
    alert_id = models.UUIDField(_("id"))
    """The id that the messages bear, whichever node sends them."""
    kind = models.CharField(_("kind"), max_length=40)
    text = models.TextField(_("text"), blank=True, default="")
    node = models.CharField(_("node"), max_length=400)
    """The node that is to send it, as it is shown: no key, as its row may go first."""
    claimed_at = models.DateTimeField(_("claimed"), db_index=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)

    class Meta:
        db_table = "workerd_alert"
        verbose_name = _("alert of the fleet")
        verbose_name_plural = _("alerts of the fleet")
        ordering = ("-claimed_at", "key_hash")

    def __str__(self) -> str:
        return self.key
