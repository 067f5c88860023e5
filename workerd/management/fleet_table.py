"""The fleet as plain values, and the text that ``status --fleet`` prints for people."""

from datetime import datetime
from typing import Any

from workerd.durations import format_duration
from workerd.fleet.nodes import is_silent, label_words, labels_of
from workerd.fleet.picture import Fleet
from workerd.fleet.places import Place
from workerd.models import Node
from workerd.models.clock import between
from workerd.wire.visible import visible

NODES = ("NODE", "STATE", "PULSE", "SEATS", "LABELS")
SEATS = ("SEAT", "NODE", "HELD FOR", "MOVES", "")


def describe_fleet(fleet: Fleet) -> dict[str, Any]:
    """Return plain values; ``ok`` is whether every seat that is wanted has a holder that reports."""
    held = fleet.held
    return {
        "ok": not any(is_missed(place, fleet.now) for place in fleet.places),
        "nodes": [_node(node, held[node.pk], fleet.now) for node in fleet.nodes],
        "seats": [_seat(place, fleet.now) for place in fleet.places],
        "turn": _turn(fleet),
    }


def _turn(fleet: Fleet) -> dict[str, Any] | None:
    """Return which node drains or reloads now, for how long."""
    if fleet.rollout is None:
        return None
    node = next((str(node) for node in fleet.nodes if node.pk == fleet.rollout.node_id), "a node without a row")
    return {"node": node, "held_s": _age(fleet.rollout.since, fleet.now)}


def is_missed(place: Place, now: datetime) -> bool:
    """Return whether there should be a process of the place, and no node is known to run it."""
    return place.is_wanted and (place.holder is None or is_silent(place.holder, now))


def _node(node: Node, seats: int, now: datetime) -> dict[str, Any]:
    return {
        "name": node.name,
        "host": node.host,
        "reports": not is_silent(node, now),
        "pulse_age_s": _age(node.pulse, now),
        "draining": bool(node.draining),
        "labels": labels_of(node),
        "label_words": label_words(node),
        "seats": seats,
        "version": node.workerd_version,
        "generation": node.generation,
    }


def _seat(place: Place, now: datetime) -> dict[str, Any]:
    seat = place.seat
    return {
        "seat": place.name,
        "job": place.job.name,
        "index": place.index,
        "wanted": place.is_wanted,
        "held": place.is_held,
        "node": str(place.holder) if place.holder is not None else None,
        "held_s": _age(seat.since, now) if seat is not None and place.is_held else None,
        "moves": seat.moves if seat is not None else 0,
        "token": seat.token if seat is not None else 0,
        "stopped_by": place.stopped_by,
        "reason": place.reason,
    }


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else round(max(0.0, between(moment, now).total_seconds()), 1)


def format_fleet(told: dict[str, Any]) -> str:
    """Return a table of the nodes and one of the seats."""
    nodes = [NODES, *(_node_row(node) for node in told["nodes"])]
    if not told["nodes"]:
        return "No daemon has ever reported. Start one: manage.py workerd run"
    held = sum(seat["held"] for seat in told["seats"])
    wanted = sum(seat["wanted"] for seat in told["seats"])
    live = sum(node["reports"] for node in told["nodes"])
    counts = f"fleet: {live} of {len(told['nodes'])} nodes report, {held} seats held, {wanted} wanted"
    if (turn := told.get("turn")) is not None:
        counts += (
            f"\n{visible(turn['node'])} drains or reloads, since {_spell(turn['held_s'] or 0.0)}; others wait for it"
        )
    if not told["seats"]:
        return "\n".join([counts, "", *_table(nodes), "", "No job has the scope “fleet”: each node runs every job."])
    return "\n".join([counts, "", *_table(nodes), "", *_table([SEATS, *(_seat_row(seat) for seat in told["seats"])])])


def _node_row(node: dict[str, Any]) -> tuple[str, ...]:
    state = "silent" if not node["reports"] else "draining" if node["draining"] else "reporting"
    pulse = "never" if node["pulse_age_s"] is None else f"{_spell(node['pulse_age_s'])} ago"
    return (f"{node['name']}@{node['host']}", state, pulse, str(node["seats"]), node["label_words"])


def _seat_row(seat: dict[str, Any]) -> tuple[str, ...]:
    since = _spell(seat["held_s"]) if seat["held_s"] is not None else "-"
    return (seat["seat"], seat["node"] or "-", since, str(seat["moves"]), seat["reason"])


def _spell(seconds: float) -> str:
    return format_duration(float(round(seconds)))


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    shown = [tuple(map(visible, row)) for row in rows]
    widths = [max(len(row[column]) for row in shown) for column in range(len(shown[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
