"""Every kind of alert, which an operator must hear of: how grave it is, whom it concerns, what it says."""

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """The gravity of an alert. CRITICAL: something does not run that should. WARNING: somebody should look soon."""

    WARNING = "warning"
    CRITICAL = "critical"


class AlertKind(NamedTuple):
    """A row of the table.

    One that ``fleet`` marks is a fact about the fleet, which every node may see: one of them sends it. One that
    ``outlives`` the daemon is over only when a daemon says so; of all others a new daemon knows whether they hold.
    One that is ``over_at_once`` has no end that anybody could tell.
    """

    severity: Severity
    says: str
    fleet: bool = False
    outlives: bool = False
    over_at_once: bool = False


_WARNING, _CRITICAL = Severity.WARNING, Severity.CRITICAL

ALERT_KINDS: dict[str, AlertKind] = {
    "parked": AlertKind(_CRITICAL, "a slot was given up until resume or an edit"),
    "hung": AlertKind(_WARNING, "a process gave no sign of life in time, and was killed"),
    "out_of_memory": AlertKind(_WARNING, "a process grew above its limit, or the kernel killed it for want of memory"),
    "circle": AlertKind(_WARNING, "a slot ends and starts again and again, though no end counts as a failure"),
    "down": AlertKind(_CRITICAL, "a significant job does not run"),
    "missed": AlertKind(_WARNING, "nothing ran at a time of a schedule", outlives=True),
    "failed": AlertKind(_CRITICAL, "a scheduled run failed, and is not tried again", outlives=True),
    "halted": AlertKind(_CRITICAL, "a rollout was halted: some slots keep the code before"),
    "rejected": AlertKind(_CRITICAL, "the new code does not load, or cannot fork: the code before goes on"),
    "ledger_lost": AlertKind(_CRITICAL, "the process that reads the job rows and writes the history does not run"),
    "database_out": AlertKind(_CRITICAL, "the ledger does not reach its database"),
    "set_aside": AlertKind(_WARNING, "the database has refused records of the history"),
    "node_silent": AlertKind(_CRITICAL, "a node of the fleet is not heard of any more", fleet=True),
    "seat_untaken": AlertKind(_CRITICAL, "no node of the fleet runs a job's slot", fleet=True),
    "seat_lost": AlertKind(_WARNING, "the node has lost a seat that it did not give away", over_at_once=True),
    "test": AlertKind(_WARNING, "an operator has asked for a test of the alerts", over_at_once=True),
}
"""By name. Names are API: they stand in mails, in the payload of webhooks, and in a project's callables."""
