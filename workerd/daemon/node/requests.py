"""The verbs of the control socket; every request is answered, whatever it says."""

from typing import Any

from workerd.daemon.io.control_connection import ControlConnection
from workerd.daemon.io.feed import Feed
from workerd.daemon.io.log import EventLog
from workerd.wire.reasons import Reason

from .audit import Audit
from .node_drain import WAYS as DRAINS
from .node_drain import NodeDrain
from .order import Reply
from .orders import VERBS, Orders
from .reloading import WAYS, Reloading
from .shutdown import Shutdown
from .status import Status

TAIL_LINES = 1000
MAX_TAILS = 128
TAILS_A_PROCESS = 16
"""How many tails may be open, of all clients and of one process: the others are to be served, too."""
MAX_WAITING = 64
"""How many connections may wait for the results of orders; what is left of the socket's places answers the others."""
MAX_NAMES = 1000
AWAITED = frozenset({*VERBS, "reload", "drain"})
ORDERS = frozenset({*AWAITED, "shutdown"})


class Requests:
    """Answers connections from what the daemon has in memory; nothing here is slow."""

    def __init__(  # noqa: PLR0917 - whom the verbs ask
        self,
        log: EventLog,
        orders: Orders,
        audit: Audit,
        reloading: Reloading,
        shutdown: Shutdown,
        status: Status,
        drain: NodeDrain,
        feed: Feed | None = None,
    ) -> None:
        self._log = log
        self._feed = feed
        self._orders = orders
        self._audit = audit
        self._reloading = reloading
        self._shutdown = shutdown
        self._status = status
        self._drain = drain
        self._tails: list[ControlConnection] = []
        self._waiting: list[ControlConnection] = []
        """For each order whose result has not come, the connection that waits for it."""
        self._verbs = {
            "ping": self._answer_ping,
            "status": self._answer_status,
            "tail": self._answer_tail,
            "feed": self._answer_feed,
            "reload": self._answer_reload,
            "drain": self._answer_drain,
            "shutdown": self._answer_shutdown,
        }

    def answer(self, connection: ControlConnection, request: dict[str, Any]) -> None:
        """Answer a request at once, or when its result is there.

        An order whose asker has gone, while the daemon stood still, is not carried out: it has been told of no answer.
        """
        verb = request["verb"]
        if verb in ORDERS and connection.is_left:
            self._log.emit("operation.dropped", verb=verb, requested_by=connection.peer.user)
            connection.close()
            return
        if (
            verb in {*VERBS, "reload", "drain"}
            and request.get("wait") is not False
            and (crowd := self._waiting_in_the_way())
        ):
            connection.reply({"ok": False, "error": crowd})
            return
        if verb in VERBS:
            self._answer_order(connection, verb, request)
        elif verb in self._verbs:
            self._verbs[verb](connection, request)
        else:
            connection.reply(
                {"ok": False, "error": f"unknown verb {verb!r}: this daemon knows {', '.join((*self._verbs, *VERBS))}"}
            )

    def _answer_order(self, connection: ControlConnection, verb: str, request: dict[str, Any]) -> None:
        names = request.get("names", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            connection.reply({"ok": False, "error": '"names" is a list of names of jobs or slots'})
        elif len(names) > MAX_NAMES:
            connection.reply({"ok": False, "error": f"{len(names)} names are more than {MAX_NAMES} in one request"})
        elif not names and request.get("all") is not True:
            connection.reply({"ok": False, "error": 'name the jobs or slots in "names", or say "all": true'})
        elif self._shutdown.begun:
            connection.reply({"ok": False, "error": "the daemon is stopping and takes no more orders"})
        else:
            wait, to_end = request.get("wait") is not False, verb == "trigger" and request.get("to_end") is True
            by = connection.peer.user
            reply = self._audit.audited(verb, names, by, self._reply_to(connection), at_once=to_end)
            self._orders.carry_out(verb, names, reply, wait=wait, to_end=to_end, by=by, passes_on=True)

    def _answer_ping(self, connection: ControlConnection, _: dict[str, Any]) -> None:
        connection.reply({"ok": True})

    def _answer_status(self, connection: ControlConnection, _: dict[str, Any]) -> None:
        connection.reply_in_parts(self._status.parts())

    def _answer_reload(self, connection: ControlConnection, request: dict[str, Any]) -> None:
        wait, way = request.get("wait") is not False, request.get("way", "")
        answer = self._reply_to(connection) if wait else lambda _answer: None
        verb = next((verb for verb, known in WAYS.items() if known == way), "reload")
        self._reloading.ask(self._audit.audited(verb, [], connection.peer.user, answer), str(way))
        if not wait:
            connection.reply({"ok": True})

    def _answer_drain(self, connection: ControlConnection, request: dict[str, Any]) -> None:
        wait, way, by = request.get("wait") is not False, str(request.get("way", "")), connection.peer.user
        answer = self._reply_to(connection) if wait else lambda _answer: None
        verb = next((verb for verb, known in DRAINS.items() if known == way), "drain")
        self._drain.ask(self._audit.audited(verb, [], by, answer), way, by)
        if not wait:
            connection.reply({"ok": True})

    def _reply_to(self, connection: ControlConnection) -> Reply:
        """Return the reply to an order; until it is called, the connection counts as one that waits."""
        self._waiting.append(connection)

        def reply(answer: dict[str, Any]) -> None:
            if connection in self._waiting:
                self._waiting.remove(connection)
            connection.reply(answer)

        return reply

    def _waiting_in_the_way(self) -> str:
        """Return why no further client may wait for a result, "" where it may."""
        self._waiting = [connection for connection in self._waiting if not connection.is_left]
        if len(self._waiting) < MAX_WAITING:
            return ""
        return f"{MAX_WAITING} orders wait for their results already: try again later, or with --no-wait"

    def _answer_shutdown(self, connection: ControlConnection, _: dict[str, Any]) -> None:
        self._audit.audited("shutdown", [], connection.peer.user, connection.reply)({"ok": True})
        self._shutdown.begin(Reason("an operator's order"))

    def _answer_tail(self, connection: ControlConnection, request: dict[str, Any]) -> None:
        log, last, follow = self._log, request.get("last", 0), request.get("follow") is not False
        if follow and (crowd := self._tails_in_the_way(connection)):
            connection.reply({"ok": False, "error": f"{crowd} follow the log already: end one"})
            return
        count = min(last, TAIL_LINES) if isinstance(last, int) and not isinstance(last, bool) else 0
        for line in tuple(log.history)[-count:] if count > 0 else ():
            connection.stream(line)
        if follow:
            self._follow(connection)
        else:
            connection.reply({"ok": True})

    def _answer_feed(self, connection: ControlConnection, request: dict[str, Any]) -> None:
        """Give the exporter the lines after a number, and forget those that it has sent."""
        after, sent = request.get("after", 0), request.get("sent", 0)
        if self._feed is None:
            connection.reply({"ok": False, "error": 'there is no exporter: WORKERD["OTLP_ENDPOINT"] is not set'})
        elif not all(isinstance(number, int) and number >= 0 for number in (after, sent)):
            connection.reply({"ok": False, "error": '"after" and "sent" are numbers of lines'})
        else:
            self._feed.forget(sent)
            first, lines = self._feed.after(after)
            connection.reply({"ok": True, "first": first, "lines": len(lines)})
            for line in lines:
                connection.stream(line)

    def _follow(self, connection: ControlConnection) -> None:
        def leave() -> None:
            self._log.taps.discard(connection.stream)
            self._tails.remove(connection)

        self._tails.append(connection)
        self._log.taps.add(connection.stream)
        connection.when_closed(leave)

    def _tails_in_the_way(self, connection: ControlConnection) -> str:
        """Return who keeps the client from following the log, "" for nobody."""
        pid = connection.peer.pid
        own = sum(tail.peer.pid == pid for tail in self._tails)
        if own >= TAILS_A_PROCESS:
            return f"{own} connections of process {pid}"
        return f"{len(self._tails)} clients" if len(self._tails) >= MAX_TAILS else ""
