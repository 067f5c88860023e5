"""An alert as it leaves: the one value that every way out is given, a project's own callable included."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from workerd.wire.alerts import ALERT_KINDS, Severity

State = Literal["raised", "resolved", "passed"]
"""Of a message: the matter holds, or is over, or was over before it could be sent."""

_ONE_FOR_ALL = frozenset({"database_out"})
"""Kinds that each node sees for itself, of which all nodes say the same."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One message about one matter. It is API, as the payload of a webhook is: fields are added, never changed.

    Times are wall seconds (UTC). A job's own words may be in ``job``, ``text`` and ``labels``, and nowhere else.
    """

    id: str
    """A UUID: the same over each retry, and of “raised” and the “resolved” that ends it."""
    state: State
    key: str
    """The matter: “parked mail-outbox:0”. Alerts of one key are about the same."""
    kind: str
    severity: Severity
    node: str
    """The name of the node, as the admin shows it: “workerd@host”."""
    since: float
    """When it was raised."""
    at: float
    """When it was over; where it holds, when it was raised."""
    text: str
    """A sentence; it may have a job's words in it."""
    public: str = ""
    """The part of ``text`` that is workerd's own."""
    job: str = ""
    slot: str = ""
    run: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    count: int = 1
    """How often it was raised since the last message about it left this way."""
    held_back: Mapping[str, int] = field(default_factory=dict)
    """By kind: how many other alerts were not sent by this way since its last message, as there were too many."""

    @property
    def message_id(self) -> str:
        """The id that tells this message from every other; a retry has the same."""
        return f"{self.id}.{self.state}"

    @property
    def says(self) -> str:
        """The meaning of the kind, in a few words."""
        return ALERT_KINDS[self.kind].says if self.kind in ALERT_KINDS else self.kind

    @property
    def dedup_key(self) -> str:
        """The key, with the node where the matter is one node's own: the same for all who tell of the same."""
        kind = ALERT_KINDS.get(self.kind)
        shared = (kind is not None and kind.fleet) or self.kind in _ONE_FOR_ALL
        return self.key if shared else f"{self.node} {self.key}"

    @property
    def remedy(self) -> str:
        """A command that shows more, or ends the matter."""
        if self.kind == "parked" and self.job:
            return f"workerd resume {self.slot or self.job}"
        fleet = self.kind in ALERT_KINDS and ALERT_KINDS[self.kind].fleet
        return {"set_aside": "workerd records"}.get(self.kind, "workerd status --fleet" if fleet else "workerd status")
