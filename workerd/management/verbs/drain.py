"""Have a node give its seats of the fleet to other nodes, a few at a time, and take no more."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from workerd.conf import Settings, get_settings
from workerd.management.client import ask
from workerd.management.fleet_status import needs_project
from workerd.wire import exit_codes
from workerd.wire.visible import visible

from .orders import PATIENCE_S, print_results

WAYS = {"": "drain", "now": "drain_now", "force": "drain_force", "undo": "drain_undo"}
"""By way: the verb of the row that asks another node for it."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "node", nargs="?", metavar="NODE", help="a node, like web@host, a name or a host; without it, the daemon here"
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--undo", dest="way", action="store_const", const="undo", default="", help="take seats again")
    ways.add_argument(
        "--now",
        dest="way",
        action="store_const",
        const="now",
        default="",
        help="although another node drains or reloads at this time",
    )
    ways.add_argument(
        "--force",
        dest="way",
        action="store_const",
        const="force",
        default="",
        help="at once, and also what no other node may take, so that it stops",
    )
    parser.add_argument("--no-wait", action="store_true", help="do not wait until every seat is given away")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Say what moved where; return FAILED where it is refused, or a seat found no other node."""
    if options["node"]:
        if needs_project(command, "drain NODE"):
            return exit_codes.USAGE
        answer = _ask_node(get_settings(), options["node"], options["way"], wait=not options["no_wait"])
    else:
        request = {"verb": "drain", "way": options["way"], "wait": not options["no_wait"]}
        answer = ask(get_settings(), request, PATIENCE_S, Account(command) if not options["json"] else lambda: None)
    if options["json"]:
        command.stdout.write(json.dumps(answer, indent=2))
    else:
        print_results(command, answer)
    return exit_codes.DONE if answer["ok"] else exit_codes.FAILED


class Account:
    """Tells on the way what the daemon waits for, and how far it is; each sentence once."""

    def __init__(self, command: BaseCommand) -> None:
        self._command = command
        self._told = ""

    def __call__(self) -> None:
        sentence = str(ask(get_settings(), {"verb": "status"})["daemon"]["drain"])
        if sentence and sentence != self._told:
            self._told = sentence
            self._command.stderr.write(visible(sentence))


def _ask_node(settings: Settings, name: str, way: str, *, wait: bool) -> dict[str, Any]:
    """Give another node the order by a row, and return what came of it."""
    from workerd.fleet.draining import left_without, refusal
    from workerd.fleet.picture import read_fleet
    from workerd.management.node_orders import give, wait_for

    alias = settings.database
    fleet = read_fleet(alias)
    found = fleet.find(name)
    if len(found) != 1:
        known = ", ".join(str(node) for node in (found or fleet.nodes)) or "none"
        which = "means several nodes" if found else "is no node"
        return {"ok": False, "error": f"“{name}” {which}. Nodes: {known}."}
    [node] = found
    if way in {"", "now"} and (problem := refusal(left_without(fleet, node), node)):
        return {"ok": False, "error": problem}
    order = give(alias, WAYS[way], node)
    if not wait:
        return {"ok": True, "note": f"{node} was asked"}
    result = wait_for(order, alias)
    if not result:
        return {"ok": False, "error": f"{node} has not taken the order within a minute: does its daemon run?"}
    after = read_fleet(alias)
    now = next((known for known in after.nodes if known.pk == node.pk), node)
    done = not now.draining if way == "undo" else bool(now.draining) and not after.held[node.pk]
    lines = "\n".join(visible(line) for line in result.splitlines())
    return {"ok": True, "note": lines} if done else {"ok": False, "error": lines}
