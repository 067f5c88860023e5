"""Every message between two of our processes. Orders are imperative, facts are past participles; JSON on the wire."""

import types
from typing import Any, ClassVar, dataclass_transform, get_args, get_origin


@dataclass_transform(frozen_default=True)
class Message:
    """A frozen value. The name of a subclass is its kind on the wire, its annotations are its fields.

    Not a dataclass: making 25 of them took an eighth of the processor time in which the daemon starts.
    """

    kinds: ClassVar[dict[str, type["Message"]]] = {}
    fields: ClassVar[dict[str, tuple[type, ...]]] = {}
    """Each field with the classes that its value may have after JSON, where a float may arrive as an int."""
    defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        Message.kinds[cls.__name__] = cls
        cls.fields = {name: _classes(hint) for name, hint in cls.__annotations__.items()}
        cls.defaults = {name: vars(cls)[name] for name in cls.fields if name in vars(cls)}

    def __init__(self, /, *values: Any, **named: Any) -> None:
        given = len(values) + len(named)
        named.update(zip(self.fields, values, strict=False))
        whole = self.defaults | named
        if len(named) != given or whole.keys() != self.fields.keys():
            raise TypeError(f"{type(self).__name__} takes {', '.join(self.fields) or 'nothing'}, each once")
        for name in self.fields:
            object.__setattr__(self, name, whole[name])

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.fields}

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *self.to_dict().values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.to_dict().items())})"


def _classes(hint: Any) -> tuple[type, ...]:
    if isinstance(hint, types.UnionType):
        return tuple(cls for part in get_args(hint) for cls in _classes(part))
    cls = get_origin(hint) or hint
    return (float, int) if cls is float else (cls,)


# daemon -> forkserver; descriptors ride along with Bear, in the order (channel, output, page).


class Load(Message):
    """First message to a forkserver: who its parent is, its generation, the mark of its own log lines."""

    daemon_pid: int
    generation: int
    mark: str
    log_name: str


class Bear(Message):
    """Fork a child that waits on the channel passed along for its License."""

    birth: int


# forkserver -> daemon


class ForkserverReady(Message):
    """The project is loaded and could fork."""

    wire_version: int
    generation: int
    version: str
    load_ms: float
    jobs: list[str] = []


class ForkserverRejected(Message):
    """The project does not load, or could not fork; the process ends after this."""

    reason: str
    traceback: str = ""


class BirthFailed(Message):
    """No child came of this Bear."""

    birth: int
    reason: str


# daemon -> child


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


class Born(Message):
    """First words of a child: it is the daemon's own, armed, and waits for its License."""

    pid: int


class Loaded(Message):
    """The target is imported, allowed, and its arguments fit: it is called next."""


class BecameReady(Message):
    """The job says that it is ready (``context.ready()``)."""


class Refused(Message):
    """The job cannot run as configured; exit 78 follows."""

    reason: str


class Failed(Message):
    """An exception ended the job; ``unreachable`` names the alias of a database that does not answer, or is empty."""

    exception: str
    message: str
    traceback: str
    unreachable: str = ""


class RecycleAsked(Message):
    """The job asks to be replaced gracefully (``context.recycle()``)."""


# ledger -> daemon


class JobChanged(Message):
    """A row as it is now; sent for every row in a ledger's life, then only when it changed."""

    spec: dict[str, Any]


class JobRefused(Message):
    """A row that cannot be run as it is written; the job is parked with this problem."""

    spec: dict[str, Any]
    problem: str


class JobRemoved(Message):
    """The row is gone."""

    name: str


class JobsListed(Message):
    """Everything that changed has been said; the first one in a ledger's life completes the picture."""

    count: int


class DatabaseConnected(Message):
    """The ledger's database answers for the first time in this ledger's life."""

    vendor: str
    version: str


class DatabaseLost(Message):
    """The ledger's database does not answer, or is not migrated; said once."""

    reason: str


class DatabaseRecovered(Message):
    """What waited for the database is written, ``caught_up`` records; follows a first connection, too."""

    caught_up: int


class Acknowledged(Message):
    """Every Record up to and including this sequence is in the journal."""

    sequence: int


class Waiting(Message):
    """How many records in the journal the database has not taken yet; said when it has changed, once a second."""

    records: int


class Drained(Message):
    """Answer to Drain: how many records are left in the journal."""

    left: int


class PushFound(Message):
    """Whether the database wakes the ledger when a row is saved."""

    works: bool


class OperationTaken(Message):
    """An operator's order from the database; ``name`` is a job or a slot, empty for all."""

    key: str
    verb: str
    name: str
    requested_by: str


# daemon -> ledger


class Record(Message):
    """The whole row ``key`` of model ``kind`` (run, slot, node, problem, operation) as of ``version``; where newer.

    ``row`` None deletes it (a slot that is no more).
    """

    sequence: int
    kind: str
    key: str
    version: int
    row: dict[str, Any] | None


class Drain(Message):
    """The jobs have stopped: apply what the journal holds, answer, and end."""
