"""Whether a node is ready, and if not, why: in the words of its ``status``, or of how its daemon ended."""

from typing import TYPE_CHECKING, Any

from workerd.wire.words import State

if TYPE_CHECKING:
    from tests.fleet.node import FleetNode

WORDS = 800
"""So many characters of a log's end tell why its daemon ended, or does not answer."""


def why_not_ready(node: "FleetNode") -> str:
    """Return why a node does not take part yet; "" where it does."""
    if not node.is_running:
        return f"its daemon {tell_end(node)}"
    try:
        picture = node.picture()
    except (OSError, ValueError) as error:
        return f"its daemon does not answer ({error!r}): {last_words(node)}"
    return "; ".join(obstacles(picture))


def obstacles(picture: dict[str, Any]) -> list[str]:
    """Return why the node of this ``status`` does not take part yet, with how its slots and database are."""
    daemon, found = picture["daemon"], []
    if daemon["stopping"]:
        found.append(f"it is stopping: {daemon['stopping']}")
    if not daemon["forkserver_ready"]:
        found.append(f"no forkserver: {daemon['forkserver_trouble']}")
    if not daemon["ready"]:
        found.append("not every wanted slot has left its first start, or the rows are not read")
    return [*found, *_describe(picture)] if found else []


def _describe(picture: dict[str, Any]) -> list[str]:
    database = picture["daemon"]["database"]
    reachable = {True: "reachable", False: "out", None: "not known"}[database["reachable"]]
    slots = [slot for slot in picture["slots"] if slot["wanted"] and slot["state"] != State.RUNNING.value]
    return [
        f"database {reachable} {database['trouble']}".rstrip(),
        f"{len(picture['slots'])} slots",
        *(f"{slot['name']} is {slot['state']}: {slot['reason']}" for slot in slots),
    ]


def tell_end(node: "FleetNode") -> str:
    """Return how a daemon that has ended did so."""
    return f"ended with {node.wait(0)}: {last_words(node)}"


def last_words(node: "FleetNode") -> str:
    """Return the end of the daemon's log, and of what it wrote to stderr."""
    return " | ".join(part for part in (node.log.text()[-WORDS:], node.stderr[-WORDS:]) if part)
