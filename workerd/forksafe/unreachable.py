"""Tells whether an error means that a database is out or has ended a session, or that the job has failed."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import DatabaseError, Error, InterfaceError

from . import sessions
from .db_errors import OUTAGES, DatabaseFault, classify, number_of
from .probe import is_read_only, why_no_session

PROBE_AGAIN_S = 0.1
PROBES = 4
"""Several, as a server that shuts down ends its sessions a moment before it stops to listen."""
_BY_THE_SERVER_ALONE = frozenset({1290, 1836, 3100, 3101})
"""MySQL's numbers of "read-only" that no setting of a session causes."""


class Outage(NamedTuple):
    """A database's part in the end of a job: it is out with ``fault``, or, where that is None, it ended a session."""

    alias: str
    fault: DatabaseFault | None


def is_unreachable(error: BaseException) -> str:
    """Return the alias of the database that is out and so caused ``error``; "" for any other error.

    A database is out where a connect failed, or where its server cannot be used now: it does not answer, refuses the
    login, is full, read-only, or has no free session. To ask the server takes a few seconds at most.
    """
    outage = judge(error)
    return outage.alias if outage is not None and outage.fault is not None else ""


def judge(error: BaseException) -> Outage | None:
    """Return the outage or the lost session that caused ``error``, asking the server; None for an error of the job's.

    A server that has ended a session, or was read-only, and is well by now, has cost the job a session.
    """
    chain = list(_causes(error))
    failed = [cause for cause in chain if isinstance(cause, Error) and _may_be_an_outage(cause)]
    if not failed:
        return None
    for cause in chain:
        if alias := getattr(cause, "workerd_alias", ""):  # set where a connect fails
            return Outage(str(alias), _of_connect(failed))
    suspects = [wrapper for wrapper in sessions.wrappers() if wrapper.errors_occurred]
    verdicts = [verdict for wrapper in suspects for cause in failed if (verdict := _ask(wrapper, cause))]
    return min(verdicts, key=lambda verdict: verdict.fault is None, default=None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _may_be_an_outage(error: BaseException) -> bool:
    return classify(error) in OUTAGES and isinstance(error, DatabaseError | InterfaceError)


def _of_connect(failed: list[Error]) -> DatabaseFault:
    """Return what a failed connect was, by its most telling error."""
    faults = [classify(cause) for cause in failed]
    return next((fault for fault in faults if fault is not DatabaseFault.UNREACHABLE), DatabaseFault.UNREACHABLE)


def _ask(wrapper: BaseDatabaseWrapper, error: BaseException) -> Outage | None:
    """Return whether ``error``, raised by a query of ``wrapper``, is its server's."""
    fault = classify(error)
    if fault is DatabaseFault.READ_ONLY:
        if is_read_only(wrapper):
            return Outage(wrapper.alias, fault)
        return Outage(wrapper.alias, None) if number_of(error) in _BY_THE_SERVER_ALONE else None
    if fault in {DatabaseFault.FULL, DatabaseFault.CROWDED}:
        return Outage(wrapper.alias, fault)
    if wrapper.connection is not None and wrapper.is_usable():
        return None
    if wrapper.__dict__.get(sessions.PEER) == "":  # it broke before its server's address could be learnt
        return Outage(wrapper.alias, DatabaseFault.UNREACHABLE)
    return Outage(wrapper.alias, _why_out(wrapper))


def _why_out(wrapper: BaseDatabaseWrapper) -> DatabaseFault | None:
    """Return why the server gives no session now or a moment later; None where it keeps giving them."""
    for probe in range(PROBES):
        if probe:
            time.sleep(PROBE_AGAIN_S)
        if (reason := why_no_session(wrapper)) is not None:
            return classify(reason)
    return None
