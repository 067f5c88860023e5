"""The order in which jobs start, from the names in their ``starts_after``, and the circles in it. Pure."""

from collections.abc import Iterable, Iterator, Mapping

Graph = Mapping[str, Iterable[str]]
"""By job: the names of those that it starts after; names that are no job are passed over."""

SHOWN = 8
"""A longer circle is shown by its beginning."""


def groups_in_order(graph: Graph) -> list[list[str]]:
    """Return the jobs in groups, each behind all that its members start after, and else in the graph's order.

    A group of several is a knot: each of them starts, by way of others, after each of the others.
    """
    # Tarjan's algorithm, with a stack of its own: rows may make a chain that is longer than Python's.
    groups: list[list[str]] = []
    found: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: dict[str, None] = {}
    for root in graph:
        if root in found:
            continue
        found[root] = lowest[root] = len(found)
        open_[root] = None
        path: list[tuple[str, Iterator[str]]] = [(root, _known(graph, root))]
        while path:
            name, following = path[-1]
            if (after := next(following, None)) is None:
                path.pop()
                if path:
                    before = path[-1][0]
                    lowest[before] = min(lowest[before], lowest[name])
                if lowest[name] == found[name]:
                    groups.append(_close(open_, name))
            elif after not in found:
                found[after] = lowest[after] = len(found)
                open_[after] = None
                path.append((after, _known(graph, after)))
            elif after in open_:
                lowest[name] = min(lowest[name], found[after])
    return groups


def find_circles(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return for each job of a knot the shortest circle through the first of its members; they share one tuple."""
    circles: dict[str, tuple[str, ...]] = {}
    for group in groups_in_order(graph):
        first = min(group)
        if len(group) > 1 or first in graph[first]:
            circles |= dict.fromkeys(group, find_circle(graph, first))
    return circles


def find_circle(graph: Graph, name: str) -> tuple[str, ...]:
    """Return the shortest way from a job back to itself, such as ("a", "b", "a"); () where there is none."""
    came_from: dict[str, str] = {}
    reached = [name]
    for place in reached:  # the set grows meanwhile
        for after in _known(graph, place):
            if after == name:
                return (*_way_to(place, came_from, name), name)
            if after not in came_from:
                came_from[after] = place
                reached.append(after)
    return ()


def show_circle(circle: tuple[str, ...]) -> str:
    """Return a circle as a sentence may name it: “a → b → a”."""
    if len(circle) > SHOWN:
        circle = (*circle[: SHOWN - 2], "…", circle[-1])
    return " → ".join(circle)


def _known(graph: Graph, name: str) -> Iterator[str]:
    return (after for after in graph[name] if after in graph)


def _close(open_: dict[str, None], first: str) -> list[str]:
    """Take a group out of those that are still open: its first member, and all that came after it."""
    group: list[str] = []
    while first in open_:
        name, _ = open_.popitem()
        group.append(name)
    return group[::-1]


def _way_to(place: str, came_from: Mapping[str, str], start: str) -> list[str]:
    way = [place]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]
