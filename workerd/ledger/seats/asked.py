"""All that daemon and job rows ask of the keeper at one moment: plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from workerd.wire.messages import Alive, SeatSettled
from workerd.wire.spec import JobSpec

from .window import Place


@dataclass(frozen=True)
class Wanted:
    """The fleet jobs that may run here by their rows, and this node's primary key."""

    node_id: int | None = None
    jobs: tuple[JobSpec, ...] = ()


@dataclass(frozen=True)
class Asked:
    """All that is asked at one moment."""

    wanted: Wanted = Wanted()
    alive: Alive | None = None
    draining: bool = False
    declined: dict[int, str] = field(default_factory=dict)
    """By job's id: why this node cannot run it."""
    settled: tuple[SeatSettled, ...] = ()
    """The due moments to write for seats, the newest of each."""
    releases: frozenset[tuple[Place, int]] = frozenset()
    """Seats and their tokens that are to be given up."""
    ended: bool = False

    @property
    def places(self) -> Mapping[Place, JobSpec]:
        """The seats that are wanted here, each with its job."""
        return {(job.id or 0, index): job for job in self.wanted.jobs for index in range(job.processes)}
