"""``reload --fleet``: every node that reports is asked by a row of one order, and each reloads in its turn."""

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import get_settings
from workerd.fleet.picture import read_fleet
from workerd.models import Node, Operation
from workerd.models.clock import between, read_now
from workerd.wire import exit_codes
from workerd.wire.lease import longest_gap
from workerd.wire.rollout_seat import ROLLOUT_SPEC
from workerd.wire.visible import visible

from .node_orders import LOOK_S, give_all

VERB = "reload_fleet"
SILENT = timedelta(seconds=longest_gap(ROLLOUT_SPEC.takeover_after))
"""A node that has not reported for so long has lost its turn to another one."""


def reload_fleet(command: BaseCommand, *, wait: bool, as_json: bool) -> int:
    """Print what came of each node as it comes; return FAILED unless all of them run the new code."""
    alias = get_settings().database
    nodes = read_fleet(alias).live
    if not nodes:
        return _say(command, {"ok": False, "error": "No node reports, so that none can reload.", "nodes": []}, as_json)
    orders = dict(zip(give_all(alias, VERB, nodes), nodes, strict=True))
    if not wait:
        asked = [{"node": str(node), "ok": None, "text": "asked"} for node in nodes]
        return _say(command, {"ok": True, "nodes": asked}, as_json)
    told: list[dict[str, Any]] = []
    for answer in _answers(orders, alias):
        told.append(answer)
        if not as_json:
            _print(command, answer)
    whole = {"ok": all(answer["ok"] for answer in told), "nodes": told}
    if as_json:
        return _say(command, whole, as_json)
    return exit_codes.DONE if whole["ok"] else exit_codes.FAILED


def _answers(orders: dict[Operation, Node], alias: str) -> Iterator[dict[str, Any]]:
    """Yield what came of each order: however long it takes, once a daemon has taken it that lives."""
    left = {order.pk: node for order, node in orders.items()}
    while left:
        nodes, now = {node.pk: node for node in Node.objects.using(alias)}, read_now(alias)
        for order in Operation.objects.using(alias).filter(pk__in=left):
            node = left[order.pk]
            text = order.result or _why_none(order, node, nodes.get(node.pk), now)
            if text:
                yield _told(left.pop(order.pk), ok=order.ok is True, text=text)
        if left:
            time.sleep(LOOK_S)


def _why_none(order: Operation, before: Node, node: Node | None, now: datetime) -> str:
    """Return why no answer is to come; "" where one is."""
    if now <= order.expires:
        return ""
    if order.taken is None:
        return "has not taken the order within a minute: does its daemon run?"
    if node is None or node.life != before.life:
        return "its daemon has been started anew, and what became of the reload is not known"
    if node.pulse is None or between(node.pulse, now) > SILENT:
        return "its daemon does not report any more, and what became of the reload is not known"
    return ""


def _told(node: Node, *, ok: bool, text: str) -> dict[str, Any]:
    return {"node": str(node), "ok": ok, "text": "every running job has moved to the new code" if ok else text}


def _print(command: BaseCommand, answer: dict[str, Any]) -> None:
    lines = "\n".join(visible(line) for line in answer["text"].splitlines())
    (command.stderr if answer["ok"] is False else command.stdout).write(f"{answer['node']}: {lines}")


def _say(command: BaseCommand, whole: dict[str, Any], as_json: bool) -> int:
    if as_json:
        command.stdout.write(json.dumps(whole, indent=2))
    elif "error" in whole:
        command.stderr.write(whole["error"])
    else:
        for answer in whole["nodes"]:
            _print(command, answer)
    return exit_codes.DONE if whole["ok"] else exit_codes.FAILED
