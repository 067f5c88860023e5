"""The nodes that live, and those that may run a job: seen by beats that move, and by no clock of theirs."""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from workerd.job_rules.where import Where, WhereError, parse_where
from workerd.wire.lease import LONGEST_RENEWAL_S, LOOK_GAP, renewal_interval
from workerd.wire.spec import JobSpec

from .place import Me, NodeSeen

LAST_S = 60.0
"""The age that the knowledge of the nodes may have while no seat is to be taken."""


class _Beat(NamedTuple):
    beat: int
    since: float
    has_moved: bool


class Nodes:
    """The nodes, as successive looks have shown them."""

    def __init__(self) -> None:
        self._beats: dict[int, _Beat] = {}
        self._nodes: Mapping[int, NodeSeen] = {}
        self._rowless: set[int] = set()
        self._now = -LAST_S

    def look(self, nodes: Mapping[int, NodeSeen], now: float, asked: Iterable[int] = ()) -> None:
        """Take in all nodes, read now. After a while without a look, a beat that has moved says nothing of today.

        ``asked`` are those of whom something was to be known.
        """
        self._rowless = {*asked} - nodes.keys()
        if now - self._now > LOOK_GAP * LONGEST_RENEWAL_S:
            self._beats = {}
        self._now, self._nodes = now, nodes
        self._beats = {pk: self._judge(pk, node) for pk, node in nodes.items()}

    def are_known(self, pks: Iterable[int], now: float) -> bool:
        """Return whether the rows of all these nodes, if they have one, were read within the last minute."""
        return now - self._now < LAST_S and {*pks} <= self._nodes.keys() | self._rowless

    @property
    def count(self) -> int:
        """How many nodes have a life."""
        return sum(node.life is not None for node in self._nodes.values())

    def servers(self, me: Me) -> set[str]:
        """Return which servers of the database the other nodes believe that have a life."""
        others = (node for pk, node in self._nodes.items() if pk != me.node_id and node.life is not None)
        return {node.server for node in others if node.server}

    def label(self, pk: int | None) -> str:
        """Return what people call a node."""
        node = self._nodes.get(pk) if pk is not None else None
        return node.label if node is not None else "a node without a row"

    def living(self, takeover_after: float, me: Me) -> list[int]:
        """Return this node, and those that have moved of late, or, where they are new, whose pulse is recent."""
        within = LOOK_GAP * renewal_interval(takeover_after)
        return [pk for pk in self._nodes if pk == me.node_id or self._lives(pk, within)]

    def eligible(self, job: JobSpec, me: Me, declined: Mapping[int, str], *, draining: bool) -> list[int]:
        """Return the nodes that may run the job; of this one the ledger knows more than its row says."""
        return [
            pk
            for pk in self.living(job.takeover_after, me)
            if self.fits(pk, job)
            and not (draining if pk == me.node_id else self._nodes[pk].draining)
            and not (job.id in declined if pk == me.node_id else str(job.id) in _read(self._nodes[pk].cannot))
        ]

    def fits(self, pk: int, job: JobSpec) -> bool:
        """Return whether the node has the labels that the job asks for."""
        return pk in self._nodes and _where(job.where).fits(_read(self._nodes[pk].labels))

    def _judge(self, pk: int, node: NodeSeen) -> _Beat:
        before = self._beats.get(pk)
        if before is None:
            return _Beat(node.beat, self._now, has_moved=False)
        return before if before.beat == node.beat else _Beat(node.beat, self._now, has_moved=True)

    def _lives(self, pk: int, within: float) -> bool:
        node, beat = self._nodes[pk], self._beats[pk]
        return node.life is not None and self._now - beat.since <= within and (beat.has_moved or node.is_recent)


@lru_cache(maxsize=1000)
def _where(text: str) -> Where:
    try:
        return parse_where(text)
    except WhereError:  # such a row is refused, and not wanted
        return Where()


@lru_cache(maxsize=2000)
def _read(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
