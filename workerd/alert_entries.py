"""The entries of ``WORKERD["ALERTS"]``: where alerts go, and which of them. A bad entry has faults, and no effect."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings

from .job_rules.env_references import ENVIRONMENT_KEY
from .wire.alerts import Severity

SHAPES = ("slack", "pagerduty")
WAYS = ("mail", "webhook", "sentry")
ANY_WAY = frozenset({"severity", "labels"})
WEBHOOK = frozenset({"secret", "shape", "routing_key"})
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
_EXAMPLE = 'Write {"mail": ["ops@example.org"]}, {"webhook": "https://…"}, "sentry" or "shop.alerts.page".'


class Fault(NamedTuple):
    """A fault of an entry, without its secrets, and the remedy."""

    message: str
    remedy: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class AlertEntry:
    """One way out. ``kind`` is a word of WAYS or “callable”; what may be secret is in no repr."""

    number: int
    """Its place in ALERTS, from 1."""
    kind: str = ""
    mail: tuple[str, ...] = ()
    """The addresses that it mails to; none means ADMINS."""
    url: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    shape: str = ""
    routing_key: str = field(default="", repr=False)
    target: str = ""
    severity: Severity = Severity.WARNING
    labels: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = field(default=(), repr=False)

    @property
    def is_usable(self) -> bool:
        return all(fault.is_warning for fault in self.faults)

    @property
    def name(self) -> str:
        """The name in logs. Of a URL it has the host alone, as its path may be a secret."""
        if not self.is_usable:
            return f"entry {self.number}"
        match self.kind:
            case "mail":
                return f"mail {', '.join(self.mail) or 'ADMINS'}"
            case "webhook":
                return f"webhook {urlsplit(self.url).hostname}"
            case "callable":
                return self.target
        return self.kind

    def takes(self, severity: Severity, job: str, labels: Mapping[str, str]) -> bool:
        """Return whether an alert goes this way; one that is about no job has no labels to match."""
        if self.severity is Severity.CRITICAL and severity is not Severity.CRITICAL:
            return False
        if not job:
            return not self.labels
        return all(labels.get(name) == value for name, value in self.labels.items())


def find_entries(raw: object) -> tuple[AlertEntry, ...]:
    """Return the entries that hold: of ``ALERTS`` as it was read, or by default mail to ADMINS, unless DEBUG is on."""
    if raw is None:
        return (AlertEntry(1, "mail"),) if admins() and not settings.DEBUG else ()
    entries = raw if isinstance(raw, list | tuple) else [raw]
    return tuple(_read(number, entry) for number, entry in enumerate(entries, start=1))


def admins() -> list[str]:
    """Return the addresses in ADMINS, which are pairs up to Django 5.2, and addresses alone from 6.0 on."""
    entries: Any = settings.ADMINS
    return [str(entry if isinstance(entry, str) else entry[-1]) for entry in entries]


def _read(number: int, entry: object) -> AlertEntry:
    if isinstance(entry, str):
        entry = {entry: []} if entry == "mail" else {"sentry": True} if entry == "sentry" else {"call": entry}
        return _read_mapping(number, entry)
    if not isinstance(entry, Mapping):
        message = f"is a {type(entry).__name__}, not a dictionary or a text"
        return AlertEntry(number, faults=(Fault(message, _EXAMPLE),))
    return _read_mapping(number, entry)


def _read_mapping(number: int, entry: Mapping[Any, Any]) -> AlertEntry:
    kinds = [name for name in (*WAYS, "call") if name in entry]
    if len(kinds) != 1:
        named = f"has {' and '.join(map(repr, kinds))}" if kinds else 'has no "mail", "webhook", "sentry" or "call"'
        return AlertEntry(number, faults=(Fault(f"{named}: it is to have one of them", _EXAMPLE),))
    kind = kinds[0]
    values: dict[str, Any] = {"kind": "callable" if kind == "call" else kind}
    known = ANY_WAY | {kind} | (WEBHOOK if kind == "webhook" else frozenset())
    faults = [
        Fault(f"has the key {name!r}, which {kind} does not take", f"Its keys are {', '.join(sorted(known))}.")
        for name in entry
        if name not in known
    ]
    faults += _READERS[kind](entry, values)
    faults += _read_filter(entry, values)
    return AlertEntry(number, **values, faults=tuple(faults))


def _read_filter(entry: Mapping[Any, Any], values: dict[str, Any]) -> Iterator[Fault]:
    severity = entry.get("severity", Severity.WARNING)
    if severity not in [*Severity]:
        yield Fault(f"has the severity {severity!r}", f"Write one of {', '.join(Severity)}.")
    else:
        values["severity"] = Severity(severity)
    labels = entry.get("labels", {})
    if not isinstance(labels, Mapping) or not all(isinstance(text, str) for pair in labels.items() for text in pair):
        yield Fault("has labels that are no dictionary of texts", 'Write {"team": "billing"}.')
    else:
        values["labels"] = dict(labels)


def _read_mail(entry: Mapping[Any, Any], values: dict[str, Any]) -> Iterator[Fault]:
    to = entry["mail"]
    if not isinstance(to, list | tuple) or not all(isinstance(text, str) for text in to):
        yield Fault("has no list of addresses for mail", 'Write {"mail": ["ops@example.org"]}; [] means ADMINS.')
        return
    values["mail"] = tuple(to)
    for text in to:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
            yield Fault(f"mails to {text!r}, which is no address", 'Write it as "ops@example.org".')
    if not to and not admins():
        yield Fault("mails to ADMINS, which is empty", "Fill in ADMINS, or name the addresses.")


def _read_webhook(entry: Mapping[Any, Any], values: dict[str, Any]) -> Iterator[Fault]:
    shape = entry.get("shape")
    if shape is not None and shape not in SHAPES:
        yield Fault(f"has the shape {shape!r}", f"Write {' or '.join(SHAPES)}, or leave it out.")
    for key in ("webhook", "secret", "routing_key"):
        if key in entry:
            text, fault = _text_of(key, entry[key])
            values["url" if key == "webhook" else key] = text
            if fault:
                yield fault
    values["shape"] = shape if shape in SHAPES else ""
    if url := values.get("url"):
        yield from _url_faults(url)
    if shape is None and "secret" not in entry:
        remedy = 'Add "secret": {"$env": "NAME"}, and have the receiver check the signature.'
        yield Fault("has no secret: its receiver cannot tell who has sent an alert", remedy, is_warning=True)
    if shape == "pagerduty" and "routing_key" not in entry:
        yield Fault("has no routing_key, which PagerDuty asks for", 'Add "routing_key": {"$env": "NAME"}.')


def _text_of(key: str, value: object) -> tuple[str, Fault | None]:
    """Return a text, or the value of the environment variable that ``{"$env": …}`` names. A fault has no secret."""
    if isinstance(value, str) and value:
        return value, None
    name = value.get(ENVIRONMENT_KEY) if isinstance(value, Mapping) and len(value) == 1 else None
    if not isinstance(name, str) or not name:
        remedy = f'Write a text, or {{"{ENVIRONMENT_KEY}": "NAME"}} for a variable of the environment.'
        return "", Fault(f"has a {key} that is neither a text nor names a variable", remedy)
    if not (found := os.environ.get(name)):
        message = f"takes its {key} from the environment variable {name}, which is not set here"
        return "", Fault(message, f"Set {name} where the daemon runs.")
    return found, None


def _url_faults(url: str) -> Iterator[Fault]:
    remedy = 'Write it as "https://hooks.example.org/alerts".'
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        yield Fault("has a URL that cannot be read", remedy)
        return
    if parts.scheme not in ("http", "https"):
        yield Fault("has a URL that begins with neither http:// nor https://", remedy)
    elif not host or re.search(r"[\s\x00-\x1f]", url):
        yield Fault("has a URL that cannot be read", remedy)
    elif parts.username is not None or parts.password is not None:
        yield Fault("has a URL with a user or a password in it", "Have the receiver check the signature of a secret.")


def _read_sentry(entry: Mapping[Any, Any], values: dict[str, Any]) -> Iterator[Fault]:  # noqa: ARG001 - as the others
    if entry["sentry"] is not True:
        yield Fault("has a value for sentry that is not True", 'Write "sentry", or {"sentry": True, …}.')


def _read_call(entry: Mapping[Any, Any], values: dict[str, Any]) -> Iterator[Fault]:
    target = entry["call"]
    if not isinstance(target, str) or not _DOTTED.fullmatch(target):
        yield Fault("names no callable by its dotted path", _EXAMPLE)
    else:
        values["target"] = target


_READERS = {"mail": _read_mail, "webhook": _read_webhook, "sentry": _read_sentry, "call": _read_call}
