"""Decides what is sent when: pure functions. Times are wall seconds, as they have to outlive the process."""

from enum import Enum
from typing import NamedTuple

from workerd.wire.alerts import ALERT_KINDS, AlertKind, Severity
from workerd.wire.backoff import delay_after

from .alert import State

HOUR_S = 3600.0
RETRY_FIRST_S, RETRY_CAP_S = 1.0, 300.0
GIVE_UP_AFTER_S = 86400.0
"""A message that could not be sent for so long is set aside."""
REFUSED_TRIES = 5
"""The number of tries for what the other end says that it will never take."""

_UNKNOWN = AlertKind(Severity.WARNING, "a kind that this release does not know")


class Heard(Enum):
    """The meaning of a message of the daemon beside what is known of its key."""

    NOTHING_NEW = 0
    RAISED = 1
    OVER = 2


def kind_of(name: str) -> AlertKind:
    """Return the row of a kind; one that a newer daemon has is a warning."""
    return ALERT_KINDS.get(name, _UNKNOWN)


def hear(kind: str, *, over: bool, at: float, holds: bool, raised_at: float | None) -> Heard:
    """Return what is new. ``holds`` and ``raised_at`` are the key's: whether it is raised, and when it was last.

    Each raising of a kind that has no end is a new one, unless it is told twice.
    """
    if over:
        return Heard.OVER if holds else Heard.NOTHING_NEW
    if kind_of(kind).over_at_once:
        return Heard.NOTHING_NEW if at == raised_at else Heard.RAISED
    return Heard.NOTHING_NEW if holds else Heard.RAISED


def outlived(kind: str) -> bool:
    """Return whether a key that a new daemon does not say to hold may hold all the same."""
    return kind_of(kind).outlives or kind_of(kind).over_at_once


def state_to_send(*, told: bool, holds: bool) -> State | None:
    """Return what a way is to be told of an alert that it was ``told`` of, or was not; None where nothing is due."""
    if told:
        return None if holds else "resolved"
    return "raised" if holds else "passed"


def quiet_until(last_sent: float | None, now: float, quiet_s: float) -> float:
    """Return when a key that was raised may be sent: 0 for at once. A clock that was set back ends no quiet time."""
    if last_sent is None or not now - quiet_s < last_sent <= now:
        return 0.0
    return last_sent + quiet_s


def may_leave(sent_at: list[float], now: float, per_hour: int) -> bool:
    """Return whether one more may leave by a way, after messages at these times."""
    return sum(now - HOUR_S < at <= now for at in sent_at) < per_hour


class Failed(NamedTuple):
    """The consequence of a try that failed: the next one at a time, or none."""

    retry_at: float | None


def after_failure(tries: int, first_try_at: float, now: float, *, refused: bool) -> Failed:
    """Return when a message is tried again that has failed so often; never where it is to be set aside.

    ``refused`` says that the other end will not take it later either.
    """
    if now - first_try_at > GIVE_UP_AFTER_S or (refused and tries >= REFUSED_TRIES):
        return Failed(None)
    return Failed(now + delay_after(tries - 1, RETRY_FIRST_S, RETRY_CAP_S))
