"""The answers at /livez, /readyz and /metrics; a failed check answers 503 with its reasons."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workerd.wire.words import Outcome

OK, NOT_FOUND, NOT_IMPLEMENTED, UNAVAILABLE = 200, 404, 501, 503
TEXT = "text/plain; charset=utf-8"

Ask = Callable[[str], dict[str, Any]]
"""Takes a verb and returns the daemon's answer. Raises OSError or ValueError where none comes in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response; ``kind`` is its content type."""

    status: int
    body: bytes
    kind: str = TEXT


def live(ask: Ask) -> Answer:
    """Answer whether the daemon's loop runs."""
    try:
        ask("ping")
    except (OSError, ValueError) as error:
        return _unavailable(f"the daemon does not answer: {error}")
    return Answer(OK, b"ok\n")


def ready(ask: Ask) -> Answer:
    """Answer whether the service is up, as systemd sees it, and all is well with its schedules and significant jobs."""
    try:
        status = ask("status")
    except (OSError, ValueError) as error:
        return _unavailable(f"the daemon does not answer: {error}")
    daemon, reasons = status["daemon"], []
    if not daemon["ready"]:
        reasons.append("some enabled slots have not finished their first start")
        if trouble := daemon.get("public_forkserver_trouble"):
            reasons.append(f"no process can be started: {trouble}")
    if daemon["stopping"]:
        reasons.append("the daemon is stopping")  # why, may be in a job's words
    reasons += [f"{name} is parked, and its job is significant" for name in daemon["significant_parked"]]
    reasons += [
        f"{name} was due more than a minute ago and workerd has not started it: please report it"
        for name in daemon.get("overdue", ())  # a daemon of an older version does not tell, nor the next
    ]
    reasons += [
        f"{slot['slot']} {'missed its last time' if slot['outcome'] == Outcome.MISSED else 'failed at its last time'}"
        f", and its job is significant"
        for slot in daemon.get("significant_failed", ())
    ]
    reasons += [f"no node runs {slot['slot']}: {slot['reason']}" for slot in daemon.get("unheld", ())]
    return _unavailable("\n".join(reasons)) if reasons else Answer(OK, b"ok\n")


def metrics(ask: Ask) -> Answer:
    """Answer the figures in Prometheus's text format; 501 without prometheus-client."""
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
    return Answer(NOT_FOUND, f"no such path; there are {', '.join(PATHS)}\n".encode())


def _unavailable(reason: str) -> Answer:
    return Answer(UNAVAILABLE, f"{reason}\n".encode())


PATHS: Mapping[str, Callable[[Ask], Answer]] = {"/livez": live, "/readyz": ready, "/metrics": metrics}
