"""Every message between two of our processes. Orders are imperative, facts are past participles; JSON on the wire."""

import json
import types
import typing
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

MAX_MESSAGE_BYTES = 160 * 1024
"""A packet must fit an unprivileged socket's buffer (net.core.wmem_max is 208 KiB by default)."""


class WireError(Exception):
    """The bytes are no message of this wire version."""

    def __init__(self, reason: str, packet: bytes = b"") -> None:
        super().__init__(f"{reason}: {packet[:120]!r}" if packet else reason)


@dataclass(frozen=True, slots=True)
class Message:
    """A frozen value; its class name is its kind on the wire."""

    kinds: ClassVar[dict[str, type["Message"]]] = {}

    def __init_subclass__(cls) -> None:
        Message.kinds[cls.__name__] = cls


# daemon -> forkserver; descriptors ride along with Bear, in the order (channel, output, page).


@dataclass(frozen=True, slots=True)
class Load(Message):
    """First message to a forkserver: who its parent is, its generation, the mark of its own log lines."""

    daemon_pid: int
    generation: int
    mark: str
    log_name: str


@dataclass(frozen=True, slots=True)
class Bear(Message):
    """Fork a child that waits on the channel passed along for its License."""

    birth: int


# forkserver -> daemon


@dataclass(frozen=True, slots=True)
class ForkserverReady(Message):
    """The project is loaded and could fork."""

    wire_version: int
    generation: int
    version: str
    load_ms: float
    jobs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ForkserverRejected(Message):
    """The project does not load, or could not fork; the process ends after this."""

    reason: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class BirthFailed(Message):
    """No child came of this Bear."""

    birth: int
    reason: str


# daemon -> child


@dataclass(frozen=True, slots=True)
class License(Message):
    """The licence to run: what, as which slot, under which run; ``mark`` prefixes the child's own log lines."""

    spec: dict[str, Any]
    index: int
    run: str
    generation: int
    node: str
    host: str
    mark: str


# child -> daemon


@dataclass(frozen=True, slots=True)
class Born(Message):
    """First words of a child: it is the daemon's own, armed, and waits for its License."""

    pid: int


@dataclass(frozen=True, slots=True)
class Loaded(Message):
    """The target is imported, allowed, and its arguments fit: it is called next."""


@dataclass(frozen=True, slots=True)
class BecameReady(Message):
    """The job says that it is ready (``context.ready()``)."""


@dataclass(frozen=True, slots=True)
class Refused(Message):
    """The job cannot run as configured; exit 78 follows."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed(Message):
    """An exception ended the job; ``unreachable`` names the alias of a database that does not answer, or is empty."""

    exception: str
    message: str
    traceback: str
    unreachable: str = ""


@dataclass(frozen=True, slots=True)
class RecycleAsked(Message):
    """The job asks to be replaced gracefully (``context.recycle()``)."""


# ledger -> daemon


@dataclass(frozen=True, slots=True)
class JobChanged(Message):
    """A row as it is now; sent for every row in a ledger's life, then only when it changed."""

    spec: dict[str, Any]


@dataclass(frozen=True, slots=True)
class JobRefused(Message):
    """A row that cannot be run as it is written; the job is parked with this problem."""

    spec: dict[str, Any]
    problem: str


@dataclass(frozen=True, slots=True)
class JobRemoved(Message):
    """The row is gone."""

    name: str


@dataclass(frozen=True, slots=True)
class JobsListed(Message):
    """Everything that changed has been said; the first one in a ledger's life completes the picture."""

    count: int


@dataclass(frozen=True, slots=True)
class DatabaseConnected(Message):
    """The ledger's database answers for the first time in this ledger's life."""

    vendor: str
    version: str


@dataclass(frozen=True, slots=True)
class DatabaseLost(Message):
    """The ledger's database does not answer, or is not migrated; said once."""

    reason: str


@dataclass(frozen=True, slots=True)
class DatabaseRecovered(Message):
    """What waited for the database is written, ``caught_up`` records; follows a first connection, too."""

    caught_up: int


@dataclass(frozen=True, slots=True)
class Acknowledged(Message):
    """Every Record up to and including this sequence is in the journal."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Waiting(Message):
    """How many records in the journal the database has not taken yet; said when it has changed, once a second."""

    records: int


@dataclass(frozen=True, slots=True)
class Drained(Message):
    """Answer to Drain: how many records are left in the journal."""

    left: int


@dataclass(frozen=True, slots=True)
class PushFound(Message):
    """Whether the database wakes the ledger when a row is saved."""

    works: bool


@dataclass(frozen=True, slots=True)
class OperationTaken(Message):
    """An operator's order from the database; ``name`` is a job or a slot, empty for all."""

    key: str
    verb: str
    name: str
    requested_by: str


# daemon -> ledger


@dataclass(frozen=True, slots=True)
class Record(Message):
    """The whole row ``key`` of model ``kind`` (run, slot, node, problem, operation) as of ``version``; where newer.

    ``row`` None deletes it (a slot that is no more).
    """

    sequence: int
    kind: str
    key: str
    version: int
    row: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Drain(Message):
    """The jobs have stopped: apply what the journal holds, answer, and end."""


def encode(message: Message) -> bytes:
    """Return the packet of ``message``; lone surrogates survive. Raises WireError above MAX_MESSAGE_BYTES."""
    text = json.dumps([type(message).__name__, asdict(message)], ensure_ascii=False, separators=(",", ":"))
    packet = text.encode("utf-8", "surrogatepass")
    if len(packet) > MAX_MESSAGE_BYTES:
        raise WireError(f"{type(message).__name__} has {len(packet)} bytes, more than {MAX_MESSAGE_BYTES}")
    return packet


def decode(packet: bytes) -> Message:
    """Return the message in ``packet``. Raises WireError for anything but one of ours with fields of our types."""
    try:
        kind, values = json.loads(packet.decode("utf-8", "surrogatepass"))
        cls = Message.kinds[kind]
        message = cls(**values)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WireError(f"not a message ({error!r:.200})", packet) from error
    for name, accepted in _ACCEPTED[cls].items():
        found = type(getattr(message, name))  # exactly: to isinstance, true is a number
        if found not in accepted:
            raise WireError(f"{kind}.{name} is {found.__name__}", packet)
    return message


def _accepted(cls: type[Message]) -> dict[str, tuple[type, ...]]:
    """Return for each field the classes its value may have, after JSON: a float may arrive as an int."""
    hints = typing.get_type_hints(cls)
    return {one.name: _classes(hints[one.name]) for one in fields(cls)}


def _classes(hint: Any) -> tuple[type, ...]:
    if isinstance(hint, types.UnionType):
        return tuple(cls for part in typing.get_args(hint) for cls in _classes(part))
    cls = typing.get_origin(hint) or hint
    return (float, int) if cls is float else (cls,)


_ACCEPTED = {cls: _accepted(cls) for cls in Message.kinds.values()}
"""Made on import: in a child every page that it writes is a copy."""
