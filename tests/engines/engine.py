"""An engine as the stories see it: the row of its consumer, its broker, and what it means to be killed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

import pytest

from workerd.engines import missing_packages

NAMES = (
    "celery-files",
    "celery-prefork",
    "celery-prefork-early",
    "celery-prefork-redis",
    "celery-solo",
    "celery-threads",
    "db_worker",
    "dramatiq-rabbitmq",
    "dramatiq-redis",
    "huey-processes",
    "huey-threads",
    "ox_worker",
    "procrastinate",
    "q2",
    "rq",
    "rq_worker",
    "steady_queue",
)
"""Each has a folder here, named by the word before “-”: its site's settings, its tasks, and its ``ENGINE``.

One that runs in several ways has ``ENGINES``, each of its own name.
"""


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
    seldom: bool = False
    """Whether CI leaves all of its stories to ``--slow``: another of its engine tells them there."""
    works_in_loop: bool = False
    """Whether a task stands in the consumer's own loop, so that one that takes too long is a consumer that hangs."""
    depth: str = ""
    """By which name a scaler counts what waits; empty where it cannot."""
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def uses(self) -> str:
        """Return the name by which ``WORKERD["ENGINES"]`` knows it; the target stands in its module."""
        return self.target.split(".")[2]

    @property
    def settings(self) -> str:
        return f"{folder_of(self.name)}.settings"

    def __str__(self) -> str:
        return self.name


def load(name: str) -> Engine:
    """Return the engine of this name."""
    module = import_module(f"{folder_of(name)}.engine")
    engines: list[Engine] = getattr(module, "ENGINES", None) or [module.ENGINE]
    return next(engine for engine in engines if engine.name == name)


def load_installed(name: str) -> Engine:
    """Return the engine of this name; where its packages are not installed, the test is skipped."""
    engine = load(name)
    if missing := missing_packages(engine.uses):
        pytest.skip(f"{' and '.join(missing)} is not installed")
    return engine


def folder_of(name: str) -> str:
    return f"tests.engines.{name.partition('-')[0]}"
