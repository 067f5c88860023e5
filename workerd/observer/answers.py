"""What each path answers: /livez, /readyz and /metrics; 503 and why, where it is not so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

OK, NOT_FOUND, NOT_IMPLEMENTED, UNAVAILABLE = 200, 404, 501, 503
TEXT = "text/plain; charset=utf-8"

Ask = Callable[[str], dict[str, Any]]
"""Asks the daemon a verb; raises OSError or ValueError where no answer comes in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, content type and body of a response."""

    status: int
    body: bytes
    kind: str = TEXT


def live(ask: Ask) -> Answer:
    """Say whether the daemon's loop turns."""
    try:
        ask("ping")
    except (OSError, ValueError) as error:
        return _unavailable(f"the daemon does not answer: {error}")
    return Answer(OK, b"ok\n")


def ready(ask: Ask) -> Answer:
    """Say whether the service is up, as systemd was told, and no significant job is parked."""
    try:
        picture = ask("status")
    except (OSError, ValueError) as error:
        return _unavailable(f"the daemon does not answer: {error}")
    daemon, reasons = picture["daemon"], []
    if not daemon["ready"]:
        reasons.append("not every enabled slot has left its first start")
    if daemon["stopping"]:
        reasons.append(f"stopping: {daemon['stopping']}")
    reasons += [f"{name} is parked, and is significant" for name in daemon["significant_parked"]]
    return _unavailable("\n".join(reasons)) if reasons else Answer(OK, b"ok\n")


def metrics(ask: Ask) -> Answer:
    """Show the figures, for Prometheus."""
    try:
        from .metrics import CONTENT_TYPE, render
    except ImportError:
        sentence = "prometheus-client is not installed: pip install 'django-workerd[metrics]'\n"
        return Answer(NOT_IMPLEMENTED, sentence.encode())
    try:
        return Answer(OK, render(ask("status")), CONTENT_TYPE)
    except (OSError, ValueError) as error:
        return _unavailable(f"the daemon does not answer: {error}")


def not_found(_ask: Ask) -> Answer:
    """Say what there is."""
    return Answer(NOT_FOUND, f"there are {', '.join(PATHS)}\n".encode())


def _unavailable(reason: str) -> Answer:
    return Answer(UNAVAILABLE, f"{reason}\n".encode())


PATHS: Mapping[str, Callable[[Ask], Answer]] = {"/livez": live, "/readyz": ready, "/metrics": metrics}
