"""The ways out that the settings name, each with what it takes, and its secrets hidden from what is logged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from workerd.alert_entries import AlertEntry
from workerd.wire.alerts import Severity
from workerd.wire.visible import visible

from .mail import MailWay
from .project import CallableWay, SignalWay
from .sentry import SentryWay
from .way import Way
from .webhook import WebhookWay

SIGNALS = "signals"
_REASON_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class NamedWay:
    """A way with the name that logs and the journal call it."""

    name: str
    way: Way
    entry: AlertEntry

    def takes(self, severity: Severity, job: str, labels: Mapping[str, str]) -> bool:
        return self.entry.takes(severity, job, labels)

    def tell(self, error: BaseException) -> str:
        """Return what went wrong, on one line, without what is secret of the entry."""
        text = str(error) if type(error).__module__.startswith("workerd.") else f"{type(error).__name__}: {error}"
        for secret in (self.entry.secret, self.entry.routing_key, self.entry.url, urlsplit(self.entry.url).path):
            if len(secret) > 1:
                text = text.replace(secret, "…")
        return visible(text)[:_REASON_CHARACTERS]


def find_ways(entries: tuple[AlertEntry, ...]) -> list[NamedWay]:
    """Return a way for each entry that is usable, and one for the signals where they have receivers."""
    ways: list[NamedWay] = []
    for entry in entries:
        if entry.is_usable:
            taken = any(other.name == entry.name for other in ways)
            name = f"{entry.name} (entry {entry.number})" if taken else entry.name
            ways.append(NamedWay(name, _MAKERS[entry.kind](entry), entry))
    if SignalWay.has_receivers():
        ways.append(NamedWay(SIGNALS, SignalWay(), AlertEntry(0, SIGNALS)))
    return ways


_MAKERS: dict[str, Callable[[AlertEntry], Way]] = {
    "mail": MailWay,
    "webhook": WebhookWay,
    "sentry": lambda _entry: SentryWay(),
    "callable": CallableWay,
}
