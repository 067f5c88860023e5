"""The placement of free seats: every node computes the same from the same look, and a claim decides the rest.

Seats that are held stay. Each free one, in the order of hashes, belongs to the eligible node with the fewest seats of
its job, then with the fewest seats, then with the highest hash of the seat and the node. The others follow it in rank.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import NamedTuple

from .window import Place

LOOKS_A_RANK = 2
"""The looks that may show a seat free before the next in rank may claim it, too."""


class Turn(NamedTuple):
    """A free seat, and which nodes stand before this one."""

    owner: int
    """The node that the seat belongs to."""
    rank: int | None
    """How many nodes come before this one; None where it is not eligible."""


def turns(
    me: int, free: Iterable[Place], held: Mapping[Place, int], eligible: Mapping[int, Collection[int]]
) -> Iterator[tuple[Place, Turn]]:
    """Yield each free seat that some node may take, and this node's turn; ``eligible`` has nodes by the job's id."""
    all_seats = Counter(held.values())
    of_jobs: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for (job, _), node in held.items():
        of_jobs[job][node] += 1
    for place in sorted(free, key=_order):
        of_job = of_jobs[place[0]]
        loads = {node: (of_job.get(node, 0), all_seats.get(node, 0)) for node in eligible.get(place[0], ())}
        if not loads:
            continue
        owner = _first(place, loads)
        yield place, Turn(owner, _rank(place, me, loads) if me in loads else None)
        all_seats[owner] += 1
        of_job[owner] += 1


class Patience:
    """Counts in how many looks on end each seat could have been taken, and was not."""

    def __init__(self) -> None:
        self._looks: Counter[Place] = Counter()

    def look(self, free: Iterable[Place], *, counts: bool = True) -> None:
        """Take in a look; one that something but the time has caused counts as the first of a seat alone."""
        self._looks = Counter({place: max(1, self._looks[place] + counts) for place in free})

    def may_claim(self, place: Place, rank: int) -> bool:
        """Return whether the nodes before this one have had their looks, and have not claimed the seat."""
        return self._looks[place] > LOOKS_A_RANK * rank


def _first(place: Place, loads: Mapping[int, tuple[int, int]]) -> int:
    least = min(loads.values())
    return max((node for node, load in loads.items() if load == least), key=lambda node: _hash(*place, node))


def _rank(place: Place, me: int, loads: Mapping[int, tuple[int, int]]) -> int:
    mine = loads[me]
    equal = [node for node, load in loads.items() if load == mine and node != me]
    my_hash = _hash(*place, me) if equal else 0
    return sum(load < mine for load in loads.values()) + sum(_hash(*place, node) > my_hash for node in equal)


def _order(place: Place) -> tuple[int, Place]:
    return _hash(*place), place


def _hash(*numbers: int) -> int:
    """Return a number that is the same in every process and on every machine."""
    text = ":".join(map(str, numbers))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
