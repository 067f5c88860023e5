"""The orders for the whole fleet: every node loads the code again, one after the other, and seats are evened out."""

from collections.abc import Mapping, Sequence

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from workerd.fleet.picture import Fleet, read_fleet
from workerd.fleet.rebalancing import Move, next_move
from workerd.models import Operation

from .orders import Verb, write_orders

RELOAD, REBALANCE = "reload_fleet", "rebalance"
FOR_FLEET: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            RELOAD,
            _lazy("Reload every node"),
            "",
            _lazy("Loads the code again, one node at a time; what goes wrong on one stops those after it."),
        ),
        Verb(
            REBALANCE,
            _lazy("Rebalance"),
            "",
            _lazy("Moves one process of each movable job that some nodes have more of than others."),
        ),
    )
}


def send_to_fleet(request: HttpRequest, verb: str, alias: str) -> None:
    """Write the orders that ``verb`` means, and tell the user so. The caller has checked that the user may give it."""
    fleet = read_fleet(alias)
    if verb == RELOAD:
        _reload(request, fleet, alias)
    else:
        _rebalance(request, fleet, alias)


def _reload(request: HttpRequest, fleet: Fleet, alias: str) -> None:
    if not fleet.live:
        messages.error(request, _("No node reports, so that none can reload."))
        return
    write_orders(request, [Operation(verb=RELOAD, node=node) for node in fleet.live], alias)
    names = ", ".join(map(str, fleet.live))
    messages.info(request, _("Each of these nodes reloads in its turn: %(names)s.") % {"names": names})


def _rebalance(request: HttpRequest, fleet: Fleet, alias: str) -> None:
    moves = [move for job in fleet.jobs if (move := next_move(fleet, job.name)) is not None]
    if not moves:
        messages.info(
            request, _("Nothing moves: no node holds more than one seat of a movable job above another, or one moves.")
        )
        return
    write_orders(request, _orders(moves), alias)
    told = ", ".join(f"{move.place.name}: {move.holder} → {move.fewest}" for move in moves)
    words = _("Asked to move: %(moves)s. One process of a job moves at a time: ask again when it has.")
    messages.info(request, words % {"moves": told})


def _orders(moves: Sequence[Move]) -> list[Operation]:
    return [
        Operation(verb="move", node=move.holder, job=move.place.job, job_name=move.place.job.name, slot=move.place.name)
        for move in moves
    ]
