"""Fixtures of the unit tests: a node whose clock, signals and processes are the test's."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.node import Node


@pytest.fixture
def new_node(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """Return a function that builds a node, with settings of its own."""
    nodes: list[Node] = []

    def build(**settings: Any) -> Node:
        nodes.append(Node(tmp_path, **settings))
        return nodes[-1]

    yield build
    for node in nodes:
        node.close()


@pytest.fixture
def node(new_node: Callable[..., Node]) -> Node:
    """A node on which nothing is started yet."""
    return new_node()
