"""An engine as the stories see it: the row of its consumer, its broker, and what it means to be killed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

NAMES = ("db_worker", "ox_worker", "procrastinate", "q2", "rq", "rq_worker", "steady_queue")
"""Each has a folder here: its site's settings, its tasks, and its ``ENGINE``."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One kind of consumer of one engine."""

    name: str
    target: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    row: Mapping[str, Any] = field(default_factory=dict)
    """More fields of the row."""
    broker: Literal["redis", "rabbitmq", ""] = ""
    """The server that has its tasks; empty where it is the project's database."""
    after_kill: Literal["again", "lost", "kept"] = "again"
    """What becomes of the task in hand when its process is killed: done again soon, lost, or kept for longer."""
    again_within: float = 60.0
    """How long the former takes at most, in seconds."""
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def uses(self) -> str:
        """Return the name by which ``WORKERD["ENGINES"]`` knows it; the target stands in its module."""
        return self.target.split(".")[2]

    @property
    def settings(self) -> str:
        return f"tests.engines.{self.name}.settings"

    def __str__(self) -> str:
        return self.name


def load(name: str) -> Engine:
    """Return the engine of this folder."""
    engine: Engine = import_module(f"tests.engines.{name}.engine").ENGINE
    return engine
