"""What can be asked at the control socket, verb by verb; every request is answered, whatever it says."""

from typing import TYPE_CHECKING, Any

from workerd.daemon.io.control_connection import ControlConnection

from .orders import VERBS
from .status import picture

if TYPE_CHECKING:
    from workerd.daemon.daemon import Daemon

TAIL_LINES = 1000
MAX_NAMES = 1000


class Requests:
    """Answers clients from the daemon's parts; nothing here is slow."""

    def __init__(self, daemon: "Daemon") -> None:
        self._daemon = daemon
        self._verbs = {
            "ping": self._ping,
            "status": self._status,
            "tail": self._tail,
            "reload": self._reload,
            "shutdown": self._shutdown,
        }

    def answer(self, connection: ControlConnection, request: dict[str, Any]) -> None:
        """Answer ``request``, at once or when its result is there."""
        verb = request["verb"]
        if verb in VERBS:
            self._order(connection, verb, request)
        elif verb in self._verbs:
            self._verbs[verb](connection, request)
        else:
            connection.reply(
                {"ok": False, "error": f"unknown verb {verb!r}: this daemon knows {', '.join((*self._verbs, *VERBS))}"}
            )

    def _order(self, connection: ControlConnection, verb: str, request: dict[str, Any]) -> None:
        names = request.get("names", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            connection.reply({"ok": False, "error": '"names" is a list of names of jobs or slots'})
        elif len(names) > MAX_NAMES:
            connection.reply({"ok": False, "error": f"{len(names)} names are more than {MAX_NAMES} in one request"})
        elif not names and request.get("all") is not True:
            connection.reply({"ok": False, "error": 'name the jobs or slots in "names", or say "all": true'})
        elif self._daemon.shutdown.begun:
            connection.reply({"ok": False, "error": "the daemon is stopping"})
        else:
            wait = request.get("wait") is not False
            reply = self._daemon.audit.audited(verb, names, connection.user, connection.reply)
            self._daemon.orders.carry_out(verb, names, reply, wait=wait)

    def _ping(self, connection: ControlConnection, _: dict[str, Any]) -> None:
        connection.reply({"ok": True})

    def _status(self, connection: ControlConnection, _: dict[str, Any]) -> None:
        connection.reply({"ok": True, **picture(self._daemon)})

    def _reload(self, connection: ControlConnection, request: dict[str, Any]) -> None:
        wait = request.get("wait") is not False
        answer = connection.reply if wait else lambda _answer: None
        self._daemon.reloading.ask(self._daemon.audit.audited("reload", [], connection.user, answer))
        if not wait:
            connection.reply({"ok": True})

    def _shutdown(self, connection: ControlConnection, _: dict[str, Any]) -> None:
        self._daemon.audit.audited("shutdown", [], connection.user, connection.reply)({"ok": True})
        self._daemon.shutdown.begin("an operator's order")

    def _tail(self, connection: ControlConnection, request: dict[str, Any]) -> None:
        log, last = self._daemon.log, request.get("last", 0)
        count = min(last, TAIL_LINES) if isinstance(last, int) and not isinstance(last, bool) else 0
        for line in tuple(log.history)[-count:] if count > 0 else ():
            connection.stream(line)
        if request.get("follow") is False:
            connection.reply({"ok": True})
        else:
            log.taps.add(connection.stream)
            connection.when_closed(lambda: log.taps.discard(connection.stream))
