"""The consumer that a row runs, and what the row tells it; nothing is imported to know that."""

import shlex
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, NamedTuple

from workerd.engines import engine_of
from workerd.registry import registered
from workerd.wire.spec import JobSpec

COMMANDS: Mapping[str, str] = {
    "qcluster": "q2",
    "rqworker": "rq",
    "rqworker-pool": "rq",
    "run_huey": "huey",
    "rundramatiq": "dramatiq",
}
"""The management commands that are consumers, with their engines, as these packages call them."""

ADAPTERS: Mapping[str, str] = {
    "celery": "workerd.contrib.celery.worker",
    "dramatiq": "workerd.contrib.dramatiq.worker",
    "huey": "workerd.contrib.huey.worker",
    "procrastinate": "workerd.contrib.procrastinate.worker",
    "q2": "workerd.contrib.q2.cluster",
    "rq": "workerd.contrib.rq.worker",
}
"""By engine, the target that takes the place of its commands."""


class Consumer(NamedTuple):
    """One process of such a row: of a management command, or of an adapter's target."""

    engine: str
    command: str = ""
    target: str = ""
    words: tuple[str, ...] = ()
    """Those that follow the command's name."""
    kwargs: Mapping[str, Any] = {}
    """Those of the target, with the defaults of what the row leaves out."""

    def option(self, *names: str) -> str | None:
        """Return what the line gives one of these options: “-n mail”, “-nmail”, “--name mail” or “--name=mail”."""
        for word, following in zip_longest(self.words, self.words[1:]):
            for name in names:
                joined = f"{name}=" if name.startswith("--") else name
                if word == name:
                    return following
                if word.startswith(joined):
                    return word.removeprefix(joined)
        return None


def consumer_of(spec: JobSpec, index: int = 0) -> Consumer | None:
    """Return the consumer that a row without faults runs in the process ``index``; None where it runs none."""
    if not spec.command:
        engine = engine_of(spec.target)
        return Consumer(engine, target=spec.target, kwargs=_filled_kwargs(spec)) if engine else None
    name, *words = shlex.split(spec.for_slot(index).command)
    if name == "procrastinate" and "worker" in words:
        return Consumer("procrastinate", "procrastinate worker", words=tuple(words))
    engine = "celery" if _is_celery_worker(name, words) else COMMANDS.get(name, "")
    return Consumer(engine, name, words=tuple(words)) if engine else None


def _filled_kwargs(spec: JobSpec) -> dict[str, Any]:
    found = registered().get(spec.target)
    parameters = found.parameters.parameters.values() if found is not None else ()
    return {parameter.name: parameter.default for parameter in parameters} | dict(spec.kwargs)


def _is_celery_worker(name: str, words: list[str]) -> bool:
    """Return whether a command, which is always one of the project's own, is likely to start Celery's worker."""
    if "celery" not in name.lower():
        return False
    return name == "celeryd" or "work" in name.lower() or "worker" in words or not words
