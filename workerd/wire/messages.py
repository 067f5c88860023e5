"""Every message between two of our processes. Orders are imperatives, facts are past participles."""

import signal
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


# daemon -> forkserver


class Load(Message):
    """The first message to a forkserver: load the project. ``mark`` begins the lines that its logging renders.

    Where the generation ``replaces`` another one, it is rejected if it cannot load what the other could: so many
    ``jobs``, each of which follows as a Rehearse, and what the settings name, but for the ``unsound``.
    """

    daemon_pid: int
    generation: int
    mark: str
    log_name: str
    replaces: bool = False
    jobs: int = 0
    unsound: list[str] = []


class Rehearse(Message):
    """A job that runs with the present generation."""

    spec: dict[str, Any]


class Bear(Message):
    """Fork a child that waits for its License. Four descriptors come along: channel, stdout, stderr, page."""

    birth: int
    spare: bool = False
    """Whether nobody waits for the child, so that it has the time to warm up."""


# forkserver -> daemon


class ForkserverReady(Message):
    """The project is loaded and could fork."""

    wire_version: int
    generation: int
    version: str
    load_ms: float
    jobs: list[str] = []
    unsound: list[str] = []
    """The names in the settings that do not load, each as a sentence calls it."""


class ForkserverRejected(Message):
    """The project does not load, or cannot fork; the forkserver ends after this."""

    reason: str
    traceback: str = ""


class BirthFailed(Message):
    """The Bear with this number could not be carried out: there is no child."""

    birth: int
    reason: str


# daemon -> child

DUMP_SIGNAL = signal.SIGRTMIN + 7
"""Tells a child to write the stack of every thread. A real-time signal: the ordinary ones belong to the job."""


class License(Message):
    """The licence to run a spec, in a slot, as a run. ``mark`` begins the lines that the child's logging renders."""

    spec: dict[str, Any]
    index: int
    run: str
    generation: int
    node: str
    host: str
    mark: str
    due: float | None = None
    """The moment of the schedule that the run is for, in wall seconds (UTC)."""
    token: int | None = None
    """The token of the seat that the run holds; None where its job has no seats."""
    key: str = ""
    """For the ledger: the UUID of the node, which STATE_DIR keeps."""
    life: str = ""
    """For the ledger and the notifier: the UUID of this daemon's life."""
    registered: bool = False
    """For the ledger: whether the node's row is this life's already, so that another life there has displaced it."""
    earlier: str = ""
    """For the ledger: the life that had this very STATE_DIR before; "" for none."""
    same_boot: bool = False
    """For the ledger: whether that was on this boot of the machine, so that its daemon has surely ended."""
    settled: bool = False
    """For the ledger: whether also no process of that life is left."""
    yields_to: str = ""
    """For the ledger: the life that has displaced the one before; as long as it lives, it keeps the row."""
    version: int = 0
    """For the ledger: a number that the versions of this life are not smaller than."""


# child -> daemon


class Born(Message):
    """The first message of a child: it has left the forkserver, ends with the daemon, and waits for its License."""

    pid: int


class Loaded(Message):
    """The target is imported and allowed, its arguments fit, and it is called next."""


class BecameReady(Message):
    """The job says that it is ready (``context.ready()``)."""


class Refused(Message):
    """The job cannot run as configured; the child exits with 78 after this. ``public`` is the reason's own part."""

    reason: str
    public: str = ""


class Failed(Message):
    """An exception ended the job. ``unreachable`` is the alias of a database that is out, and ``outage`` says how.

    ``lost_session`` is the alias of a database that is well and has ended the job's session. Empty for none.
    """

    exception: str
    message: str
    traceback: str
    unreachable: str = ""
    outage: str = ""
    lost_session: str = ""


class RecycleAsked(Message):
    """The job asks to be replaced gracefully (``context.recycle()``)."""


# daemon -> notifier


class AlertChanged(Message):
    """Something that an operator must hear of holds from now on, or is ``over``.

    The same ``key`` is the same matter: “parked mail-outbox:0”. ``kind`` is one of ``wire.alerts.ALERT_KINDS``, ``at``
    is wall seconds (UTC). ``text`` is a sentence that may have a job's words in it; ``public`` is its own part. What is
    about no job has no ``job``, ``slot``, ``run`` and ``labels``. ``sequence`` grows by one with each message.
    """

    sequence: int
    key: str
    kind: str
    over: bool
    at: float
    text: str
    public: str = ""
    job: str = ""
    slot: str = ""
    run: str = ""
    labels: dict[str, Any] = {}


class AlertsListed(Message):
    """Everything that holds has been sent since this notifier began, as far as the daemon can know.

    What its journal has beside that is over, but for kinds that outlive a daemon.
    """


# notifier -> daemon


class AlertsKept(Message):
    """Each AlertChanged up to this sequence is in the notifier's journal: it counts as raised."""

    sequence: int


class AlertsUnsent(Message):
    """The number of alerts that have not left by each way that they are to take. Sent after a change, once a second."""

    count: int


# ledger -> daemon


class JobChanged(Message):
    """A row as it is now. A ledger sends each row once when it starts, and again when the row has changed."""

    spec: dict[str, Any]
    misfit: str = ""
    """Why this node runs none of its processes, by its labels; the spec then asks for none."""


class JobRefused(Message):
    """A row that cannot run as it is written; the job is parked with ``problem`` as its reason."""

    spec: dict[str, Any]
    problem: str


class JobRemoved(Message):
    """The row is gone."""

    name: str


class SlotsRemembered(Message):
    """The memory of scheduled slots that earlier lives of the daemon have left; it comes before the first list of jobs.

    Each is job's id, index, the rule of its due moments, up to which moment they are settled, the moment of the run
    that was not brought to its end, and when a run last finished; moments are wall seconds (UTC), None for none.
    """

    slots: list[list[Any]]


class JobsListed(Message):
    """Every change has been sent; after a ledger's first JobsListed the daemon knows all rows."""

    count: int


class DatabaseConnected(Message):
    """The database answers for the first time since this ledger started."""

    vendor: str
    version: str


class DatabaseLost(Message):
    """The database is out; sent again before it recovers only where the reason has become another.

    ``public`` is the reason without the words of the server.
    """

    reason: str
    public: str = ""


class DatabaseRecovered(Message):
    """The ``caught_up`` records that waited for the database are written. Sent after the first connection, too."""

    caught_up: int


class VersionSeen(Message):
    """The largest version that the ledger found before it wrote any: in the "journal", or in the "database"."""

    version: int
    where: str


class Acknowledged(Message):
    """Each Record up to this sequence is in the journal."""

    sequence: int


class Waiting(Message):
    """The database has yet to take so many records, and has refused others. Sent after a change, once a second."""

    records: int
    set_aside: int


class Drained(Message):
    """The answer to Drain: so many records are left in the journal."""

    left: int


class PushFound(Message):
    """The ledger has found out whether the database wakes it when a row is saved."""

    works: bool


class NodeRegistered(Message):
    """The node's row is this life's. ``displaced`` says whose it was, if that one may still live.

    ``shown_as`` is what the row is called where another row has this node's name and host; "" where none has. Where the
    row had gone and was made ``anew``, it lacks all that was written to it.
    """

    displaced: str = ""
    shown_as: str = ""
    anew: bool = False


class NodeDisplaced(Message):
    """Another daemon, of this ``life``, has taken over the node's row: this one is to end."""

    reason: str
    life: str = ""


class SeatsHeld(Message):
    """The seats of this life, by a statement that was sent at ``sent`` (boot-time seconds) and is confirmed.

    Each is job's id, index, token, takeover_after in seconds. A ``whole`` list is a renewal's: a seat that is not in it
    is lost. Else it is a claim's, and adds to what is held; each seat then ends with the node from which it was taken
    over, "" where it was free, and with its state before (``Before``).
    """

    sent: float
    seats: list[list[Any]]
    whole: bool = True


class SeatRemembered(Message):
    """The fleet's memory of a scheduled seat that this life holds now; it comes before the seat is told as held.

    The rule of its due moments, up to which moment they are settled, the moment of the run that was not brought to its
    end, and when a run last finished; moments are wall seconds (UTC), None for none.
    """

    job_id: int
    index: int
    token: int
    rule: str
    settled: float | None
    due: float | None
    last_success: float | None


class SeatNoted(Message):
    """The seat's row has what SeatSettled said of it: every due moment up to ``settled`` is accounted for."""

    job_id: int
    index: int
    token: int
    settled: float | None


class SeatsElsewhere(Message):
    """The reasons why this node does not hold seats of its fleet jobs; the ledger sends what has changed.

    Each is job's id, index, reason, and one of ``wire.words.Elsewhere``: who has the seat, if anybody.
    """

    seats: list[list[Any]]


class SeatsStopped(Message):
    """The database has it that an operator has stopped these seats in the whole fleet, or with "" that none has.

    Each is job's id and index. It answers StopSeats, and tells a holder of what another node's operator has done.
    """

    seats: list[list[Any]]
    stopped_by: str


class PassedOn(Message):
    """The answer to PassOn: by job's id and index, the node that got the order, "" where none holds the seat."""

    verb: str
    seats: list[list[Any]]


class NodesSilent(Message):
    """The nodes, as name@host, that have not left and are not heard of any more; sent again when that has changed."""

    nodes: list[str]


class DrainWeighed(Message):
    """The answer to WeighDrain: why this node is not to be drained, as some job would stop; "" where none would."""

    refusal: str


class OperationTaken(Message):
    """The ledger has taken an operator's order from the database. ``name`` is a job or a slot, or empty for all."""

    key: str
    verb: str
    name: str
    requested_by: str
    requested: float = 0.0
    """When it was given, in seconds of the database's clock: the rows that several nodes have of one order share it."""


# daemon -> ledger


class Record(Message):
    """The whole row ``key`` of ``kind`` (run, slot, node, problem, operation); write it where ``version`` is newer.

    Without a ``row``, delete it: the slot is gone.
    """

    sequence: int
    kind: str
    key: str
    version: int
    row: dict[str, Any] | None


class Sampled(Message):
    """The samples of some slots, each with its job's name, its number, and all that are kept of it (``wire.samples``).

    They are base64, first those of an hour, then those of a day. They are no records: one that is lost is no loss.
    """

    curves: list[list[Any]]


class Alive(Message):
    """The daemon turns, at ``now`` (boot-time seconds); sent each second while it has a fleet job.

    ``seats`` are those with a process: job's id, index, token, pid (which leads its group), its start time in clock
    ticks, and the deadline in boot-time seconds at which the ledger kills what the daemon has not.
    """

    now: float
    seats: list[list[Any]]


class SeatReleased(Message):
    """No process of the seat is left, and the daemon wants it no longer: another node may have it at once."""

    job_id: int
    index: int
    token: int


class SeatSettled(Message):
    """The due moments of a scheduled seat, for the fleet to remember (see SeatRemembered); SeatNoted answers it."""

    job_id: int
    index: int
    token: int
    rule: str
    settled: float | None
    due: float | None
    last_success: float | None


class SeatDeclined(Message):
    """This node cannot run the job (``reason``), or can again (""): it claims no seat of a job that it cannot run.

    ``public`` is the reason's own part.
    """

    job_id: int
    reason: str
    public: str = ""


class Draining(Message):
    """The node gives its seats away and claims none, or claims seats again."""

    draining: bool


class RolloutWanted(Message):
    """The node wants the seat by which one node at a time drains or reloads, or no longer; said again meanwhile."""

    wanted: bool


class StopSeats(Message):
    """An operator stops these seats in the whole fleet, or with "" starts them again; each is job's id and index."""

    seats: list[list[Any]]
    stopped_by: str


class PassOn(Message):
    """An order for seats that other nodes hold, each job's id and index: have those nodes take it."""

    verb: str
    seats: list[list[Any]]
    requested_by: str


class WeighDrain(Message):
    """Tell whether a job would stop if this node gave its seats away."""


class Drain(Message):
    """The jobs have stopped: write what the journal holds, answer with Drained, and end."""
