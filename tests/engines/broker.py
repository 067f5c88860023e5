"""A server of the tests' own that has an engine's tasks, and that a story may stop and start again."""

from typing import Protocol


class Broker(Protocol):
    """It keeps its port and its tasks over ``stop`` and ``start``."""

    @property
    def url(self) -> str: ...

    def start(self) -> None:
        """Start it, and return when it answers."""

    def stop(self) -> None:
        """Have it end in order, connections and all, and return when it is gone."""
