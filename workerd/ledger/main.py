"""The ledger's loop: it journals records, applies them to the database, polls the job rows and writes the pulse."""

import math
import time
from contextlib import suppress

from django.db import Error

from workerd.conf import Settings, get_settings
from workerd.targets import check_allowed
from workerd.wire import exit_codes
from workerd.wire.channel import Channel
from workerd.wire.messages import Drained, License, Message, VersionSeen
from workerd.wire.page import HeartbeatPage

from .availability import Availability
from .connection import prepare_connection, refresh
from .fleet_orders import ABOUT_THE_FLEET, FleetOrders
from .fleet_size import FleetSize
from .here import Here
from .history import RunHistory
from .inbox import Inbox
from .jobs import JobRows
from .journal_connection import journal_path
from .living_nodes import LivingNodes
from .node import NodeRow
from .node_problems import NodeProblems
from .operations import OpenOrders
from .poll_times import PollTimes
from .push import Push
from .receiver import DaemonGoneError, Receiver
from .records import RecordWriter
from .refusals import SharedRefusalError
from .registration import Claimant
from .samples import SlotSamples
from .seats.fleet import Fleet
from .silent_nodes import SilentNodes
from .slot_memory import SlotMemory
from .spool import Spool

PULSE_SECONDS = 5.0
APPLY_SECONDS = 0.1
"""Records that come within this time are applied together, so queries a second do not grow with the children."""
DRAIN_SECONDS = 5.0
RELEASE_SECONDS = 2.0
"""Of these at the most, to give up the seats of processes that have ended."""
DRAIN_AGAIN_S = 0.05
DRAIN_AGAIN_LOST_S = 0.5
LONGEST_WAIT_S = 5.0


def run_ledger(channel: Channel, page: HeartbeatPage, license: License) -> int:  # noqa: A002 - the wire's word
    """Run until the daemon asks to drain the journal, or is gone; return the exit code."""
    ledger = LedgerLoop(channel, page, license, get_settings())
    with suppress(DaemonGoneError):
        ledger.run()
    ledger.close()
    return exit_codes.DONE


class LedgerLoop:
    """One process with one connection. Only the database may make it wait; the receiver listens meanwhile."""

    def __init__(self, channel: Channel, page: HeartbeatPage, license: License, settings: Settings) -> None:  # noqa: A002
        self._channel = channel
        self._page = page
        self._fleet = Fleet(settings.database, license, settings.labels, self._send)
        self._samples = SlotSamples(settings.database)
        self._inbox = Inbox(channel, self._hear_of_seats, self._samples.hear)
        path = journal_path(settings.state_dir, settings.name) if settings.state_dir else None
        self._spool = Spool(path, settings.spool_max_bytes)
        self._receiver = Receiver(self._inbox, self._spool, self._send)
        self._connection = prepare_connection(settings.database, settings.conn_max_age)
        self._size = FleetSize()
        self._availability = Availability(self._connection, self._send, settings.poll_seconds, self._size)
        self._push = Push(self._connection, self._send, self._fleet.hurry)
        here = Here(settings.database, license.host, settings.labels)
        who = Claimant.from_license(license, self._spool.highest_version())
        self._node = NodeRow(settings.database, who, self._send, settings.labels)
        self._problems = NodeProblems(settings.database, self._node)
        self._jobs = JobRows(settings.database, check_allowed, self._problems.agree, here, self._size)
        self._memory = SlotMemory(settings.database, self._node, self._spool)
        self._operations = OpenOrders(settings.database, self._node)
        self._fleet_orders = FleetOrders(settings.database, self._node, self._send)
        self._records = RecordWriter(
            settings.database, self._node, self._spool.set_aside, self._jobs.note_problem, self._operations
        )
        self._history = RunHistory(settings.database, self._node, settings.run_retention_s, self._size)
        self._polls = PollTimes(settings.poll_seconds, self._size)
        self._living = LivingNodes(settings.database, self._size)
        self._silent = SilentNodes(settings.database, self._send, self._size) if settings.alerts else None
        self._pulse_at = self._apply_at = 0.0
        self._has_compared = self._has_remembered = False

    def run(self) -> None:
        if version := self._spool.highest_version():
            self._send(VersionSeen(version, "journal"))
        self._receiver.start()
        while not self._inbox.closed and not self._inbox.drain_asked:
            self._page.beat()
            self._receiver.read(self._due_in(), self._push.descriptor)
            if not self._inbox.closed:
                with self._receiver.away():
                    self._turn()
        if self._inbox.drain_asked:
            self._drain()

    def close(self) -> None:
        """Close the journal; whoever ends the process closes the connection."""
        self._receiver.close()

    def _send(self, message: Message) -> None:
        try:
            self._channel.send(message)
        except OSError as error:
            raise DaemonGoneError from error

    def _hear_of_seats(self, message: Message) -> None:
        if isinstance(message, ABOUT_THE_FLEET):
            self._fleet_orders.hear(message)
        else:
            self._fleet.hear(message)

    def _due_in(self) -> float:
        """Return the seconds until the next thing is due."""
        due = self._availability.retry_at
        if self._node.is_displaced:
            due = max(due, self._apply_at if self._spool else math.inf)
        elif self._availability.up:
            polls = self._polls.due
            due = max(due, min(polls, self._pulse_at, self._apply_at if self._spool else polls))
        return min(max(due - time.monotonic(), 0.0), LONGEST_WAIT_S)

    # work with the database

    def _turn(self) -> None:
        """Do what is due; an error of the database ends the turn and sets the time of the next try."""
        self._spool.mend()
        if time.monotonic() < self._availability.retry_at:
            return
        try:
            if self._availability.up:
                self._do_what_is_due()
            else:
                self._try_to_reach()
        except (Error, OSError, SharedRefusalError) as error:
            self._availability.failed(error)

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        if self._node.is_displaced:
            self._finish(now)
            return
        self._push.listen()
        if self._push.heard():
            self._polls.push(now)
        if now >= self._polls.due:
            self._poll(now)
        if now >= self._pulse_at:
            self._pulse(now)
        self._fleet_orders.carry_out()
        if now >= self._apply_at and self._spool:
            self._apply()
        if not self._spool:  # the rows of new slots come first
            self._samples.write(self._node.pk)
        self._history.tend(drained=not self._spool)
        self._availability.settle(empty=not self._spool)

    def _finish(self, now: float) -> None:
        """Write only what is left: another daemon has the node's row, and the jobs of this one are to end."""
        if now >= self._apply_at and self._spool:
            self._apply()
        self._availability.settle(empty=not self._spool)

    def _try_to_reach(self) -> None:
        """Try to read the jobs, write the pulse and apply a batch: a database that does all three is reached."""
        now = time.monotonic()
        changes = self._remember() + self._look()
        try:
            self._pulse(now)
            self._compare_versions()
            if self._spool:
                self._apply()
            self._availability.answered()
        finally:
            self._tell(changes)  # jobs that could be read can start, even where nothing can be written
        self._polls.read(now, now, self._jobs.weight)
        self._has_remembered = True
        if not self._node.is_displaced:
            self._fleet.want(self._node.pk, self._jobs.fleet_jobs())

    def _compare_versions(self) -> None:
        """Tell the daemon once, before any record is written, which versions earlier lives have left."""
        if not self._has_compared and not self._node.is_displaced:
            self._send(VersionSeen(self._node.highest_version(), "database"))
            self._has_compared = True

    def _poll(self, now: float) -> None:
        self._tell(self._look())
        self._living.count(now)
        self._fleet.want(self._node.pk, self._jobs.fleet_jobs())
        self._polls.read(now, time.monotonic(), self._jobs.weight)
        self._problems.publish(self._jobs.problems(), self._fleet.declined)
        self._jobs.write_problems()
        self._tell(self._operations.claim())

    def _look(self) -> list[Message]:
        refresh(self._connection)
        return self._jobs.poll()

    def _remember(self) -> list[Message]:
        """Return what the daemon has to know of its slots before it hears of any job; once."""
        if self._has_remembered:
            return []
        refresh(self._connection)
        return [*self._memory.tell()]

    def _tell(self, messages: list[Message]) -> None:
        for message in messages:
            self._send(message)

    def _pulse(self, now: float) -> None:
        self._node.write_pulse()
        if self._silent is not None:
            self._silent.look(now)
        self._pulse_at = now + self._size.varied(PULSE_SECONDS)

    def _apply(self) -> None:
        """Apply one batch; if more is left, the next batch is due at once."""
        written = self._records.apply(self._spool.oldest())
        self._spool.forget(written)
        self._availability.caught_up += len(written)
        self._apply_at = time.monotonic() + (0.0 if self._spool else APPLY_SECONDS)
        self._receiver.acknowledge()

    def _drain(self) -> None:
        """Apply the journal for at most five seconds, then tell the daemon how many records are left.

        The records of a file stay there for the next ledger, so an outage ends this at once. Records that are only in
        memory would be lost, so they go to whichever is there first: the database, or the file.
        """
        deadline = time.monotonic() + DRAIN_SECONDS
        self._fleet.end(RELEASE_SECONDS)
        self._spool.mend(at_once=True)
        while self._spool and time.monotonic() < deadline and not (self._availability.lost and self._spool.durable):
            self._page.beat()
            try:
                self._apply()
            except (Error, OSError, SharedRefusalError) as error:
                self._availability.failed(error)
                pause = DRAIN_AGAIN_LOST_S if self._availability.lost else DRAIN_AGAIN_S
                time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
                self._spool.mend(at_once=True)
        if self._availability.up:
            with suppress(Error, OSError):  # then the row stays this life's, whose daemon has ended
                self._node.leave()
        self._receiver.acknowledge()
        self._send(Drained(len(self._spool)))
