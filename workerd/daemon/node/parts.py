"""The parts of a daemon that shutdown, status and requests look at, and how they are built: from the bottom up.

A part is given the parts that it stands on; what those have to tell it, it subscribes to when it is built.
"""

import os
import resource
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from workerd.daemon.io.log import EventLog
from workerd.daemon.io.loop import Loop
from workerd.daemon.io.records import RecordQueue
from workerd.daemon.io.sd_notify import SdNotifier
from workerd.daemon.io.stdout import Stdout
from workerd.daemon.io.versions import Versions
from workerd.daemon.processes.births import Births
from workerd.daemon.processes.earlier import EarlierProcesses
from workerd.daemon.processes.generations import Generations
from workerd.daemon.processes.leftovers import Leftovers
from workerd.daemon.processes.roster import Roster
from workerd.daemon.processes.stack_dump import StackDumps
from workerd.daemon.rules.clock import Clock
from workerd.daemon.rules.dues import Times
from workerd.daemon.slots.agenda import Alarm
from workerd.daemon.slots.child_messages import ChildMessages
from workerd.daemon.slots.due_calendar import Calendar
from workerd.daemon.slots.due_effects import DueEffects
from workerd.daemon.slots.due_records import DueRecords
from workerd.daemon.slots.effects import Effects
from workerd.daemon.slots.ends import Ends
from workerd.daemon.slots.exits import Exits
from workerd.daemon.slots.gate import Gate
from workerd.daemon.slots.lifecycle import Lifecycle
from workerd.daemon.slots.pacing import Pacing
from workerd.daemon.slots.places import Places
from workerd.daemon.slots.rollout import Rollout
from workerd.daemon.slots.sampler import Sampler
from workerd.daemon.slots.slot import LiveSlot
from workerd.daemon.slots.slot_set import SlotSet
from workerd.daemon.slots.watchdog import Watchdog
from workerd.wire.config import DaemonConfig

from .database import Database
from .fleet import Fleet
from .identity import Identity
from .ledger import Ledger
from .node_drain import NodeDrain
from .seat_orders import SeatOrders

STDOUT = 1


class Parts(NamedTuple):
    """The parts of one daemon; ``started`` is wall seconds (UTC), ``limits`` are its children's on descriptors."""

    config: DaemonConfig
    clock: Clock
    started: float
    limits: tuple[int, int]
    loop: Loop
    stdout: Stdout
    log: EventLog
    sd_notifier: SdNotifier
    identity: Identity
    versions: Versions
    records: RecordQueue
    generations: Generations
    births: Births[LiveSlot]
    stack_dumps: StackDumps
    roster: Roster
    earlier: EarlierProcesses
    leftovers: Leftovers
    pacing: Pacing[LiveSlot]
    gate: Gate
    lifecycle: Lifecycle
    slot_set: SlotSet
    effects: Effects
    exits: Exits
    ends: Ends
    rollout: Rollout
    database: Database
    calendar: Calendar
    due_records: DueRecords
    messages: ChildMessages
    ledger: Ledger
    fleet: Fleet
    seat_orders: SeatOrders
    drain: NodeDrain
    sampler: Sampler


def build_parts(config: DaemonConfig, clock: Clock) -> Parts:
    """Build the parts of a daemon, each from those below it."""
    loop = Loop(clock, lambda error: _log_fault(log, error))
    stdout = Stdout(loop, STDOUT, lambda lines, error: log.emit("log.dropped", lines=lines, reason=error or None))
    log = EventLog(stdout, config.log_format == "console", clock.monotonic)
    identity = Identity(config.state_dir, config.name)
    versions = Versions(f"{config.state_dir}/{config.name}.epoch", clock)
    records = RecordQueue(versions)

    limits = _raise_descriptor_limit()
    generations = Generations(loop, log, config, limits)
    births: Births[LiveSlot] = Births(loop, log, generations, lambda slot: slot.builtin, lambda slot: slot.program)
    stack_dumps = StackDumps(loop, log)
    roster = Roster(config.state_dir, config.name)
    earlier = EarlierProcesses(loop, log, config.tree, roster)
    leftovers = Leftovers(loop, log, config.tree, births)

    lifecycle = Lifecycle(loop, log)
    slot_set = SlotSet(loop, records, lifecycle)
    generations.sound_jobs = slot_set.sound_jobs
    leftovers.on_found.add(slot_set.blame)
    pacing: Pacing[LiveSlot] = Pacing(len(os.sched_getaffinity(0)))
    gate = Gate(loop, log, lifecycle, slot_set, pacing)
    node, places = (config.name, config.host), Places(config.max_processes)
    effects = Effects(loop, log, lifecycle, gate, places, births, stack_dumps, earlier, roster, node)
    where = f"{config.name}@{config.host}"
    due_records = DueRecords(log, records, slot_set, clock, where)
    due_effects = DueEffects(lifecycle, gate, due_records)
    effects.on_licensing.add(due_effects.begin)
    effects.hold_back = due_records.hold_back
    records.on_safe.add(effects.try_held_up)
    calendar = Calendar(loop, log, lifecycle, due_records, where, partial(_wall_timer, loop), _parse_schedule)

    messages = ChildMessages(log, records, lifecycle, births)
    Watchdog(loop, log, lifecycle, slot_set.slots, messages.recycle, generations.obstacle)

    database = Database(log, clock)
    database.on_recovered.add(lambda: effects.database_recovered(slot_set.job_slots()))
    ledger = Ledger(log, records, lifecycle, slot_set, effects, messages, database, calendar)
    boot_timer = partial(_boot_timer, loop)
    fleet = Fleet(
        loop,
        log,
        lifecycle,
        slot_set,
        gate,
        effects,
        leftovers,
        generations,
        messages,
        ledger,
        database,
        calendar,
        due_records,
        boot_timer,
    )
    exits = Exits(loop, log, records, lifecycle)
    exits.on_ended.add(due_records.note_end)
    sampler = Sampler(
        loop, log, lifecycle, slot_set, f"{config.state_dir}/{config.name}.samples", config.sample_seconds
    )
    sampler.deliver = ledger.offer
    exits.curve_of = sampler.curve_of
    rollout = Rollout(loop, log, lifecycle, slot_set, generations, births, exits, config.max_unavailable)
    rollout.rows_are_judged = ledger.has_told
    rollout.seat_obstacle = fleet.seats.obstacle
    return Parts(
        config=config,
        clock=clock,
        started=clock.wall(),
        limits=limits,
        loop=loop,
        stdout=stdout,
        log=log,
        sd_notifier=SdNotifier(loop),
        identity=identity,
        versions=versions,
        records=records,
        generations=generations,
        births=births,
        stack_dumps=stack_dumps,
        roster=roster,
        earlier=earlier,
        leftovers=leftovers,
        pacing=pacing,
        gate=gate,
        lifecycle=lifecycle,
        slot_set=slot_set,
        effects=effects,
        exits=exits,
        ends=Ends(slot_set, exits),
        rollout=rollout,
        database=database,
        calendar=calendar,
        due_records=due_records,
        messages=messages,
        ledger=ledger,
        fleet=fleet,
        seat_orders=SeatOrders(fleet, slot_set),
        drain=NodeDrain(loop, log, lifecycle, slot_set, fleet, config.max_unavailable),
        sampler=sampler,
    )


def _wall_timer(loop: Loop, call: Callable[[], None]) -> Alarm:
    from workerd.daemon.io.wall_timer import WallTimer  # only schedules need it: the first one loads it

    return WallTimer(loop, call)


def _boot_timer(loop: Loop, call: Callable[[], None]) -> Alarm:
    from workerd.daemon.io.boot_timer import BootTimer  # loaded with the first seat

    return BootTimer(loop, call)


def _parse_schedule(text: str, zone: str) -> Times:
    from workerd.wire.schedule import parse

    return parse(text, zone)


def _log_fault(log: EventLog, error: Exception) -> None:
    trace = "".join(traceback.format_exception(error))
    with suppress(Exception):  # the log may be what has failed: supervision goes on without it
        about = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        log.emit("daemon.degraded", reason=f"internal error, please report it: {error!r}{about}", traceback=trace)


def _raise_descriptor_limit() -> tuple[int, int]:
    """Raise the daemon's soft limit on descriptors to the hard one; return the limits that children get back."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    return limits
