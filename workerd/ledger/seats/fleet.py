"""The ledger's side of the fleet: it hands on what is wanted and said, and has a keeper where needed."""

import json
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence

from workerd.wire.messages import Alive, License, Message, RolloutWanted
from workerd.wire.spec import JobSpec

from .keeper import Home, Keeper
from .requests import Requests, Wanted
from .warden import Warden


class Fleet:
    """A node without fleet jobs has no thread and no statement for them."""

    def __init__(
        self,
        alias: str,
        licence: License,
        labels: Mapping[str, str],
        send: Callable[[Message], None],
    ) -> None:
        self._send = send
        self._requests = Requests()
        self._warden = Warden()
        self._thread: threading.Thread | None = None
        self._home: Home | None = None
        if licence.life:
            text = json.dumps(dict(labels), sort_keys=True)
            self._home = Home(alias, uuid.UUID(licence.life), _earlier(licence), text)

    def want(self, node_id: int, jobs: Sequence[JobSpec]) -> None:
        """Take the fleet jobs that may run here by their rows."""
        if self._home is None:
            return
        self._requests.want(Wanted(node_id, tuple(jobs)))
        self._start_where_needed()

    @property
    def declined(self) -> Mapping[int, str]:
        """By job's id why this node takes no seat of it."""
        return self._requests.take().declined

    def hear(self, message: Message) -> None:
        """Take a message of the daemon; from any thread."""
        if isinstance(message, Alive):
            self._warden.hear(message)
        self._requests.hear(message)
        if isinstance(message, RolloutWanted):
            self._start_where_needed()

    def hurry(self) -> None:
        """Look at the seats now, as one of them was released."""
        self._requests.hurry()

    def end(self, within_s: float) -> None:
        """Carry out the releases that are asked for, as far as the database answers in time."""
        self._requests.end()
        if self._thread is not None:
            self._thread.join(within_s)

    def _start_where_needed(self) -> None:
        if self._home is not None and self._requests.enter():
            keeper = Keeper(self._home, self._requests, self._send)
            self._thread = threading.Thread(target=keeper.run, name="keeper", daemon=True)
            self._thread.start()


def _earlier(licence: License) -> uuid.UUID | None:
    """Return the life that had this STATE_DIR before, if it has surely ended with all its processes."""
    ended = licence.same_boot and licence.settled
    return uuid.UUID(licence.earlier) if licence.earlier and ended else None
