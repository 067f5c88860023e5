"""Every fault of ``WORKERD["ALERTS"]``: of each entry, and of what it needs of the project. Nothing is sent."""

from collections.abc import Iterator
from importlib.util import find_spec

from django.utils.module_loading import import_string

from .alert_entries import AlertEntry, Fault


def find_alert_faults(entries: tuple[AlertEntry, ...]) -> Iterator[Fault]:
    """Yield a sentence for each fault, with the place of its entry."""
    for entry in entries:
        for fault in (*entry.faults, *_missing(entry)):
            yield fault._replace(message=f'Entry {entry.number} of WORKERD["ALERTS"] {fault.message}.')


def _missing(entry: AlertEntry) -> Iterator[Fault]:
    if entry.kind == "sentry" and find_spec("sentry_sdk") is None:
        yield Fault("needs sentry_sdk, which is not installed", "Run: pip install sentry-sdk")
    if entry.target:
        try:
            found = import_string(entry.target)
        except Exception as error:  # noqa: BLE001 - the project's module runs here and may raise anything
            reason = f"{type(error).__name__}: {error}"
            message = f"names {entry.target!r}, which does not load ({reason})"
            yield Fault(message, "Name a function with one argument by its full dotted path.")
        else:
            if not callable(found):
                yield Fault(f"names {entry.target!r}, which cannot be called", "Name a function with one argument.")
