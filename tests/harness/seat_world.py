"""Nodes, their clocks and a database, simulated: what each does is the product's own rules, when is a seed's choice.

One world is a story of two or three nodes with one seat. Its times are true seconds; each node has a clock that runs at
a rate of its own. Statements are sent, committed and answered at different moments, or lost on each way; daemons and
ledgers are stopped, thawed and killed; links are cut; the server restarts, or another takes its place that lacks the
last renewals. ``overlaps`` are the moments at which two processes of the seat ran.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from workerd.daemon.rules.holdings import Holdings
from workerd.ledger.seats.bars import NOBODY, Bars
from workerd.ledger.seats.known import Known, Short, one_server
from workerd.ledger.seats.look import Look
from workerd.ledger.seats.place import Held, SeatSeen
from workerd.ledger.seats.renewal import Renewed
from workerd.ledger.seats.returned import Returned
from workerd.ledger.seats.session import patience
from workerd.ledger.seats.window import Seen, Windows
from workerd.wire import lease
from workerd.wire.spec import JobSpec

F = 10.0
R = lease.renewal_interval(F)
PLACE = (1, 0)
JOB = JobSpec(name="feed", id=1, scope="fleet", takeover_after=F)
LATE_S = 0.05
"""So much later than the daemon the warden kills."""
PATIENCE_S = patience(F)
FAULTS = (
    *("cut", "cut", "cut", "cut", "daemon", "ledger", "both", "kill", "kill ledger"),
    *("forgetful", "forgetful", "left and forgotten", "left and forgotten"),
    *("server", "failover", "failover", "there and back", "stopped, then cut", "leave"),
    *("slow, then cut", "slow, then cut"),
)
AWAY_S = lease.LOOK_GAP * R * 1.1
"""A server that was left is not returned to before: a look would not notice."""
LAG_S = 2 * R
"""Another server lacks at most what was renewed for so long."""


@dataclass
class Rules:
    """What a world keeps to; a test switches one off, to see that the others do not hold without it."""

    counts_from_sending: bool = True
    kills_at_deadline: bool = True
    claims_at_the_server_looked_at: bool = True
    releases_after_reaping: bool = True
    waits_for_leftovers: bool = True
    has_warden: bool = True
    renews_for_a_living_daemon_only: bool = True
    doubts_what_is_returned: bool = True
    bars_free_seats: bool = True
    asks_which_server_others_believe: bool = True
    asks_which_server_the_ledger_before_believed: bool = True
    rates: tuple[float, float] = (1 - lease.RATE_BOUND, 1 + lease.RATE_BOUND)


@dataclass
class Row:
    life: str | None = None
    token: int = 0
    beat: int = 0
    believed: dict[str, str] = field(default_factory=dict)
    """By node: the server that its own row says it believes."""

    def copy(self) -> "Row":
        return Row(self.life, self.token, self.beat, dict(self.believed))


@dataclass(eq=False)
class Process:
    node: "SimulatedNode"
    token: int
    deadline: float
    """On the node's clock; the page that the process reads."""
    killed: bool = False
    gone: bool = False
    barred: bool = False
    """Its page lets it do nothing more, though nobody could kill it."""


@dataclass(eq=False)
class Statement:
    kind: str
    sent: float
    """On the node's clock."""
    server: str
    seen: Seen | None = None
    token: int = 0
    believed: dict[str, str] = field(default_factory=dict)
    """What the rows of the nodes say, as the statement has found them."""
    answer: Any = None
    lost: bool = False


@dataclass
class Actor:
    """A process that may be stopped: what it had to do meanwhile it does when it is thawed."""

    alive: bool = True
    stopped: bool = False
    waiting: list[Callable[[], None]] = field(default_factory=list)


class World:
    def __init__(self, seed: int, rules: Rules) -> None:
        self.rules = rules
        self.random = Random(seed)
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count(1)
        self.row = Row()
        self.server = "server 0"
        self._history: list[tuple[float, Row]] = []
        self._left: dict[str, tuple[float, Row]] = {}
        self.processes: list[Process] = []
        self.overlaps: list[str] = []
        self.log: list[str] = []
        self.takeovers = 0
        self.faults = True
        self.nodes = [SimulatedNode(self, name) for name in "abc"[: self.random.choice((2, 3))]]
        self.row.believed = {node.name: self.server for node in self.nodes}  # they have been there before

    def number(self) -> int:
        return next(self._numbers)

    def say(self, text: str) -> None:
        self.log.append(f"{self.now:8.3f} {text}")

    def at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, self.number(), action))

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        self.at(self.now + seconds, action)

    def run(self, steps: int) -> "World":
        """Do so many steps, with a fault now and then."""
        if not self._events:
            self._begin()
        for _ in range(steps):
            self.now, _, action = heapq.heappop(self._events)
            action()
            if self.overlaps:
                break
        return self

    def _begin(self) -> None:
        for node in self.nodes:
            node.begin()
        if self.faults:
            self.later(self.random.uniform(0, F), self._fault)

    def watch(self) -> None:
        """Note an overlap, if two processes of the seat may do something."""
        acting = [process for process in self.processes if not (process.gone or process.barred)]
        if len(acting) > 1:
            self.overlaps.append(f"{self.now:.3f}: {[(process.node.name, process.token) for process in acting]}")
            self.say("OVERLAP")

    # the database

    def commit(self, node: "SimulatedNode", statement: Statement) -> None:
        """Carry out a statement, if its server still is there."""
        if statement.server != self.server:
            statement.answer = None
            return
        statement.believed = dict(self.row.believed)
        statement.answer = getattr(self, f"_{statement.kind}")(node, statement)
        self._history.append((self.now, self.row.copy()))

    def _renew(self, node: "SimulatedNode", _: Statement) -> list[Held]:
        if node.bars.believed:
            self.row.believed[node.name] = node.bars.believed
        if self.row.life != node.life:
            return []
        self.row.beat += 1
        return [Held(PLACE, self.row.token, int(F * 1000), "")]

    def _look(self, _: "SimulatedNode", __: Statement) -> Short:
        return Short(1, self.row.token, self.row.beat, int(F * 1000), self.row.life is None, is_stopped=False)

    def _whole(self, _: "SimulatedNode", __: Statement) -> SeatSeen:
        life: Any = self.row.life
        return SeatSeen(PLACE, None, life, self.row.token, self.row.beat, int(F * 1000), "", 0.0)

    def _claim(self, node: "SimulatedNode", statement: Statement) -> list[list[Any]]:
        seen = statement.seen
        if seen is None or (self.row.token, self.row.beat) != (seen.token, seen.beat):
            return []
        self.takeovers += self.row.life is not None
        self.say(f"{node.name} claims from {self.row.life}")
        self.row = Row(node.life, statement.token, self.row.beat + 1, self.row.believed)
        return [[*PLACE, self.row.token, F]]

    def _release(self, node: "SimulatedNode", statement: Statement) -> bool:
        seen = statement.seen
        if seen is not None and (self.row.life, self.row.token) == (node.life, seen.token):
            self.row = Row(None, self.row.token, self.row.beat + 1, self.row.believed)
        return True

    def _there_and_back(self, holder: "SimulatedNode") -> None:
        """Go to another server and back again, unseen by all but the holder, which then is cut off."""
        for node in self.nodes:
            if node is not holder:
                node.cut(AWAY_S)
        self._change_server("restart")
        self.later(AWAY_S, lambda: self._change_server("back"))
        self.later(AWAY_S, lambda: holder.cut(1.5 * F))

    def _change_server(self, kind: str) -> None:
        """Restart the server, or have another one take its place, or go back to one that was left for a while.

        A replica lacks the last renewals; a forgetful one everything that was committed in the last moments.
        """
        back = [name for name, (since, _) in self._left.items() if self.now - since > AWAY_S * 0.99]
        if kind == "back" and not back:
            return
        self._left[self.server] = self.now, self.row.copy()
        if kind == "back":
            self.server = self.random.choice(back)
            self._forget(self._left.pop(self.server)[1])
        else:
            self.server = f"server {self.number()}"
        if kind in {"replica", "forgetful"}:
            since = self.now - self.random.uniform(0, LAG_S)
            row = next((row for when, row in self._history if when >= since), self.row)
            if kind == "forgetful":
                self.row = row.copy()
            else:
                self._forget(row)
        self.say(f"{kind}: {self.server} with {self.row}")

    def _forget(self, row: Row) -> None:
        """Go back to an earlier beat; claims and releases are not forgotten."""
        if (row.life, row.token) == (self.row.life, self.row.token):
            self.row.beat = row.beat

    # faults

    def _fault(self) -> None:
        holders = [process.node for process in self.processes]
        node = self.random.choice((*self.nodes, *holders * len(self.nodes)))
        lasts = self.random.choice((0.3, 2.0)) * F * self.random.uniform(0.5, 1.0)
        fault = self.random.choice(FAULTS)
        self.say(f"fault {fault} {node.name} for {lasts:.2f}")
        self._carry_out(fault, node, lasts)
        quiet = self.random.choice((0.1 * F, F, 2 * F, 2 * F)) * self.random.uniform(0.5, 1.0)
        self.later(quiet, self._fault)

    def _carry_out(self, fault: str, node: "SimulatedNode", lasts: float) -> None:
        carry_out: dict[str, Callable[[], None]] = {
            "cut": lambda: node.cut(lasts),
            "daemon": lambda: node.stop(node.daemon, lasts),
            "ledger": lambda: node.stop(node.ledger, lasts),
            "both": lambda: node.stop_both(lasts),
            "kill": lambda: node.kill_daemon(lasts),
            "kill ledger": node.kill_ledger,
            "leave": node.leave,
            "server": lambda: self._change_server(self.random.choice(("restart", "replica", "back"))),
            "forgetful": lambda: self._change_server("forgetful"),
            "left and forgotten": lambda: self._forget_who_left(node),
            "failover": lambda: self._fail_over(node, lasts),
            "there and back": lambda: self._there_and_back(node),
            "slow, then cut": node.slow_and_cut,
            "stopped, then cut": lambda: node.stop_and_cut(self.random.uniform(0, F)),
        }
        carry_out[fault]()

    def _forget_who_left(self, node: "SimulatedNode") -> None:
        """Have a node give the seat away, which the next server has forgotten, and its ledger with the former one."""
        node.leave()

        def forget() -> None:
            self._change_server("forgetful")
            node.kill_ledger()

        self.later(self.random.uniform(0.1, 0.6) * F, forget)

    def _fail_over(self, node: "SimulatedNode", lasts: float) -> None:
        self._change_server("replica")
        node.cut(lasts)


class SimulatedNode:
    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self._rate = world.random.choice((*world.rules.rates, world.random.uniform(*world.rules.rates)))
        self._offset = world.random.uniform(0, 1e6)
        self._cuts = 0
        self._slow = ""
        """Whether the next renewal is to be answered late, or one is underway that is."""
        self._there, self._back = (world.random.choice((0.01, 0.01, PATIENCE_S)) for _ in range(2))
        self.daemon, self.ledger = Actor(alive=False), Actor(alive=False)
        self.life = ""
        self.earlier: str | None = None
        self.process: Process | None = None

    # the clock

    def clock(self) -> float:
        return self._offset + self.world.now * self._rate

    def at(self, actor: Actor, when: float, action: Callable[[], None]) -> None:
        """Have a living actor act once its clock shows ``when``, or when it is thawed after that."""

        def act() -> None:
            if actor.stopped:
                actor.waiting.append(act)
            elif actor.alive:
                action()

        self.world.at(max((when - self._offset) / self._rate, self.world.now), act)

    def soon(self, actor: Actor, action: Callable[[], None]) -> None:
        self.at(actor, self.clock(), action)

    # lives and faults

    def begin(self) -> None:
        """Start a daemon, and the ledger by it."""
        world = self.world
        self.earlier, self.life = self.life or None, f"{self.name}{world.number()}"
        self.daemon, self.holdings = Actor(), Holdings()
        self.process = None
        self.leaving = False
        self._begin_ledger()
        self._say_alive()

    def _begin_ledger(self) -> None:
        self.ledger, self.windows, self.known = Actor(), Windows(), Known()
        self.bars, self.returned = Bars(), Returned()
        self._has_begun = False
        self.heard = -1e9
        self.wards: dict[Process, float] = {}
        self._turn_at = self.clock()
        self._release_token: int | None = None
        self._told_renewed = False
        self.soon(self.ledger, self._turn)
        self._say_alive_once()

    def stop_both(self, lasts: float) -> None:
        self.stop(self.daemon, lasts)
        self.stop(self.ledger, lasts)

    def stop_and_cut(self, after: float) -> None:
        self.stop(self.daemon, 3 * F)
        self.world.later(after, lambda: self.cut(2 * F))

    def slow_and_cut(self) -> None:
        """Have the answer to one renewal come as late as it may, and nothing more after it."""
        self._slow = "next"
        self.world.later(F, self._be_as_usual)

    def _be_as_usual(self) -> None:
        self._slow = ""

    def stop(self, actor: Actor, lasts: float) -> None:
        if not actor.alive:
            return
        actor.stopped = True

        def thaw() -> None:
            actor.stopped = False
            waiting, actor.waiting = actor.waiting, []
            for action in waiting:
                action()

        self.world.later(lasts, thaw)

    def cut(self, lasts: float) -> None:
        self._cuts += 1
        self.world.later(lasts, self._mend)

    def _mend(self) -> None:
        self._cuts -= 1

    def kill_daemon(self, away: float) -> None:
        """The ledger and the process end with the daemon, though not at once."""
        if not self.daemon.alive:
            return
        self.daemon.alive = self.ledger.alive = False
        if self.process is not None:
            self._end(self.process)
        self.world.later(away * self.world.random.choice((0, 0, 1)), self._restart)

    def _restart(self) -> None:
        if not self.world.rules.waits_for_leftovers or self.process is None:
            self.begin()
        else:
            self.world.later(0.05, self._restart)

    def kill_ledger(self) -> None:
        if not self.daemon.alive or not self.ledger.alive:
            return
        self.ledger.alive = False
        self.at(self.daemon, self.clock() + 0.05, self._begin_ledger)

    def leave(self) -> None:
        """Give the seat away, as in a drain."""
        if self.daemon.alive and not self.daemon.stopped and self.process is not None and not self.leaving:
            self.leaving = True
            if not self.world.rules.releases_after_reaping:
                self._release(self.process.token)
            self._end(self.process, self.world.random.uniform(0, F / 3))

    def _release(self, token: int) -> None:
        holding = self.holdings.get(PLACE)
        if holding is not None and holding.token == token:
            holding.released = True
        self._release_token = token
        self._turn_at = self.clock()
        self.soon(self.ledger, self._turn)

    # the daemon

    def _say_alive(self) -> None:
        self._say_alive_once()
        self.at(self.daemon, self.clock() + 1.0, self._say_alive)

    def _say_alive_once(self) -> None:
        process, said = self.process, self.clock()
        wards = {process: process.deadline} if process is not None else {}
        self.soon(self.ledger, lambda: self._hear(said, wards))

    def _told(self, sent: float, seats: list[list[Any]], *, whole: bool) -> None:
        for change in self.holdings.take(sent, seats, whole=whole):
            if change.lost is not None:
                change.lost.lose(self.clock())
        process, holding = self.process, self.holdings.get(PLACE)
        if process is not None:
            if holding is not None and holding.token == process.token:
                process.deadline = holding.deadline
                self._guard(process)
            else:
                self._end(process)
        self._start()

    def _start(self) -> None:
        holding = self.holdings.get(PLACE)
        if self.process is not None or holding is None or self.leaving or holding.released:
            return
        if not holding.may_start(self.clock()):
            return
        self.process = process = Process(self, holding.token, holding.deadline)
        self.world.processes.append(process)
        self.world.say(f"{self.name} starts {process.token} until {process.deadline - self.clock():.2f} from now")
        self._say_alive_once()
        self._guard(process)
        self.world.watch()

    def _guard(self, process: Process) -> None:
        """Have the process killed at its deadline, by whoever is not stopped then."""
        process.barred = process.barred and self.clock() >= process.deadline
        self.at(self.daemon, process.deadline, lambda: self._daemon_kills(process))
        self.at(Actor(), process.deadline + LATE_S, lambda: self._bar(process))

    def _daemon_kills(self, process: Process) -> None:
        if self.clock() >= process.deadline - 1e-6 and self.world.rules.kills_at_deadline:
            self._end(process)

    def _bar(self, process: Process) -> None:
        nobody_can = self.daemon.stopped and (self.ledger.stopped or not self.ledger.alive)
        if nobody_can and not process.killed and self.clock() >= process.deadline:
            process.barred = True

    def _end(self, process: Process, after: float = 0.0) -> None:
        """Kill the process, or ask it to end: it is gone within the time that is allowed for that."""
        if process.killed and not after:
            return
        takes = after or self.world.random.choice((0.0, 1.0)) * (lease.KILL_S - LATE_S)
        process.killed = process.killed or not after
        self.world.later(takes, lambda: self._gone(process))

    def _gone(self, process: Process) -> None:
        if process.gone:
            return
        process.gone = True
        self.world.processes.remove(process)
        self.world.say(f"{self.name} ends {process.token}")
        if self.process is process:
            self.process = None
            self.soon(self.daemon, lambda: self._reaped(process.token))

    def _reaped(self, token: int) -> None:
        if self.leaving:
            if self.world.rules.releases_after_reaping:
                self._release(token)
            self.at(self.daemon, self.clock() + F / 2, self._stay)
        else:
            self._start()

    def _stay(self) -> None:
        self.leaving = False
        self._start()

    # the ledger

    def _hear(self, said: float, wards: dict[Process, float]) -> None:
        self.heard, self.wards = max(self.heard, said), wards
        for process, deadline in wards.items():
            self.at(self.ledger, deadline + LATE_S, lambda process=process: self._warden_kills(process))  # type: ignore[misc]

    def _warden_kills(self, process: Process) -> None:
        deadline = self.wards.get(process)
        rules = self.world.rules
        if deadline is not None and self.clock() >= deadline and rules.has_warden and rules.kills_at_deadline:
            self._end(process)

    def _turn(self) -> None:
        """Renew, look, and claim what may be taken: one statement after the other, on one connection."""
        if self.clock() < self._turn_at - 1e-6:
            return
        self._turn_at = self.clock() + R * self.world.random.uniform(0.1, 1.0)
        self.at(self.ledger, self._turn_at, self._turn)
        if self._slow == "underway":
            return
        if self._release_token is not None and not self.returned.release(PLACE, self._release_token):
            self._release_token = None
        if self._release_token is not None:
            seen = Seen(self.life, self._release_token, 0, F)
            self._send("release", self._released, seen, self.returned.server or None)
        elif self.clock() - self.heard < max(R, 2.0) or not self.world.rules.renews_for_a_living_daemon_only:
            self._slow = "underway" if self._slow else ""
            self._send("renew", self._renewed)
        else:
            self._look()

    def _released(self, _: Statement) -> None:
        self._release_token = None

    def _look(self) -> None:
        self._send("look", self._looked)

    def _renewed(self, statement: Statement) -> None:
        sent = statement.sent if self.world.rules.counts_from_sending else self.clock()
        held = self._sort(statement)
        self.soon(self.daemon, lambda: self._told(sent, [[*PLACE, seat.token, F] for seat in held], whole=True))
        for place, token in self.returned.over(self.clock()):
            self._send("release", lambda _: None, Seen(self.life, token, 0, F))
            assert place == PLACE
        if self._slow:
            self._be_as_usual()
            self.cut(2 * F)
        self._look()

    def _sort(self, statement: Statement) -> list[Held]:
        """Return what is this life's, of what a renewal has found."""
        if not self._has_begun and self.world.rules.asks_which_server_the_ledger_before_believed:
            self.returned.begin(statement.believed.get(self.name, ""))
        self._has_begun = True
        renewed = Renewed(statement.answer, statement.server if statement.answer else "")
        held = self.returned.sort(renewed, [JOB], self.clock)
        for seat in held:
            self.returned.confirm(PLACE, seat.token, statement.sent, F)
        return held if self.world.rules.doubts_what_is_returned else renewed.held

    def _looked(self, statement: Statement) -> None:
        """Read the seat whole where it has changed hands; another server may answer that."""
        if self.known.look([statement.answer], statement.sent):
            self._send("whole", lambda whole: self._seen(statement, whole))
        else:
            self._seen(statement, statement)

    def _seen(self, first: Statement, last: Statement) -> None:
        if last is not first:
            self.known.take({1: last.answer})
        seat = self.known.seats[PLACE]
        life: Any = seat.life
        seen = Seen(life, seat.token, seat.beat, seat.takeover_ms / 1000)
        server = one_server({first.server, last.server})
        self.windows.look(server, first.sent, self.clock(), {PLACE: seen})
        is_barred = self._bar_free_seats(Look(server, first.sent, self.clock(), {PLACE: seat}), last.believed)
        is_left = seen.life is not None and seen.life == self.earlier
        if seen.life == self.life or self.leaving or self.clock() - self.heard >= max(R, 2.0):
            return
        if is_left or (self.windows.may_take(PLACE, self.clock()) and not is_barred):
            token = lease.next_token(seen.token, int(self.world.now * 1000))
            self.returned.claim(PLACE, token, self.clock(), F)
            self._send("claim", self._claimed, seen, server, token)

    def _bar_free_seats(self, look: Look, believed: dict[str, str]) -> bool:
        """Return whether a seat that is free is to be left alone, as this server may have forgotten who has it."""
        rules = self.world.rules
        others = {server for name, server in believed.items() if name != self.name}
        if not rules.asks_which_server_others_believe:
            others = {*NOBODY}
        if self.bars.is_another(look.server, others):
            self.earlier = None
        self.bars.look(look, {PLACE: JOB}, others)
        self.returned.reach(look.server)
        is_free = look.seats[PLACE].is_free
        return is_free and rules.bars_free_seats and self.bars.is_barred(PLACE, self.clock())

    def _claimed(self, statement: Statement) -> None:
        if statement.answer:
            self.soon(self.daemon, lambda: self._told(statement.sent, statement.answer, whole=False))

    def _send(
        self,
        kind: str,
        then: Callable[[Statement], None],
        seen: Seen | None = None,
        server: str | None = None,
        token: int = 0,
    ) -> None:
        """Send a statement: it may be committed late, its answer may be late, and each may be lost on its way."""
        world, ledger = self.world, self.ledger
        if server is None or not world.rules.claims_at_the_server_looked_at:
            server = world.server
        statement = Statement(kind, self.clock(), server, seen, token)
        if self._cuts:
            return

        def commit() -> None:
            world.commit(self, statement)
            takes = 0.9 * PATIENCE_S if self._slow == "underway" else self._delay(self._back)
            world.later(takes, lambda: self.soon(ledger, answer) if not self._cuts else None)

        def answer() -> None:
            is_late = self.clock() - statement.sent > PATIENCE_S
            if statement.answer is not None and not is_late and ledger is self.ledger:
                then(statement)

        world.later(self._delay(self._there), commit)

    def _delay(self, longest: float) -> float:
        return longest * self.world.random.choice((0.01, 1.0)) * self.world.random.random()
