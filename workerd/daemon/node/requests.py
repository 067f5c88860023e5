"""What can be asked at the control socket, verb by verb; every request is answered, whatever it says."""

from typing import TYPE_CHECKING, Any

from workerd.daemon.io.control_connection import Client

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

    def take(self, client: Client, request: dict[str, Any]) -> None:
        """Answer ``request``, at once or when its result is there."""
        verb = request["verb"]
        if verb in VERBS:
            self._order(client, verb, request)
        elif verb in self._verbs:
            self._verbs[verb](client, request)
        else:
            client.reply(
                {"ok": False, "error": f"unknown verb {verb!r}: this daemon knows {', '.join((*self._verbs, *VERBS))}"}
            )

    def _order(self, client: Client, verb: str, request: dict[str, Any]) -> None:
        names = request.get("names", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            client.reply({"ok": False, "error": '"names" is a list of names of jobs or slots'})
        elif len(names) > MAX_NAMES:
            client.reply({"ok": False, "error": f"{len(names)} names are more than {MAX_NAMES} in one request"})
        elif not names and request.get("all") is not True:
            client.reply({"ok": False, "error": 'name the jobs or slots in "names", or say "all": true'})
        elif self._daemon.shutdown.begun:
            client.reply({"ok": False, "error": "the daemon is stopping"})
        else:
            wait = request.get("wait") is not False
            reply = self._daemon.operations.audit(verb, names, client.user, client.reply)
            self._daemon.orders.take(verb, names, reply, wait=wait)

    def _ping(self, client: Client, _: dict[str, Any]) -> None:
        client.reply({"ok": True})

    def _status(self, client: Client, _: dict[str, Any]) -> None:
        client.reply({"ok": True, **picture(self._daemon)})

    def _reload(self, client: Client, request: dict[str, Any]) -> None:
        wait = request.get("wait") is not False
        answer = client.reply if wait else lambda _answer: None
        self._daemon.reloading.ask(self._daemon.operations.audit("reload", [], client.user, answer))
        if not wait:
            client.reply({"ok": True})

    def _shutdown(self, client: Client, _: dict[str, Any]) -> None:
        self._daemon.operations.audit("shutdown", [], client.user, client.reply)({"ok": True})
        self._daemon.shutdown.begin("an operator's order")

    def _tail(self, client: Client, request: dict[str, Any]) -> None:
        log, last = self._daemon.log, request.get("last", 0)
        count = min(last, TAIL_LINES) if isinstance(last, int) and not isinstance(last, bool) else 0
        for line in tuple(log.history)[-count:] if count > 0 else ():
            client.stream(line)
        if request.get("follow") is False:
            client.reply({"ok": True})
        else:
            log.taps.add(client.stream)
            client.when_closed(lambda: log.taps.discard(client.stream))
