"""The next move that evens out how many seats of a job the nodes hold: an order for it moves one seat at a time."""

from collections import Counter
from typing import NamedTuple

from workerd.models import Node

from .nodes import why_not
from .picture import Fleet
from .places import Place


class Move(NamedTuple):
    """A seat that its holder is to give up, and the node that has the fewest of its job."""

    place: Place
    holder: Node
    fewest: Node


def next_move(fleet: Fleet, job_name: str = "") -> Move | None:
    """Return the next move of a job that says ``movable``; None where every such job is spread evenly."""
    for job in fleet.jobs:
        if not job.movable or not job.enabled or (job_name and job.name != job_name):
            continue
        places = [place for place in fleet.places if place.job.pk == job.pk]
        if any(place.is_wanted and not place.is_held for place in places):
            continue  # one is on its way already
        eligible = [node for node in fleet.live if not why_not(node, job, fleet.now)]
        if len(eligible) < 2:
            continue
        held = Counter(place.holder.pk for place in places if place.holder is not None)
        most = max(eligible, key=lambda node: held[node.pk])
        fewest = min(eligible, key=lambda node: held[node.pk])
        if held[most.pk] - held[fewest.pk] > 1:
            mine = [place for place in places if place.holder is not None and place.holder.pk == most.pk]
            return Move(mine[-1], most, fewest)
    return None
