"""Has a process look like the job that it runs: its arguments and its environment."""

import os
import shlex
import sys
from datetime import UTC, datetime

from workerd.wire.spec import JobSpec
from workerd.wire.words import RUN_VARIABLE, slot_name


def take_identity(spec: JobSpec, index: int, run: str, due: datetime | None = None) -> None:
    """Set ``sys.argv``, ``sys.orig_argv`` and the WORKERD_ variables of this process to those of its job.

    Whatever reads them or passes them on (multiprocessing's spawn, an autoreloader, ``os.exec``) then does what it does
    in ``manage.py COMMAND``; for a function that is ``manage.py workerd once JOB``.
    """
    words = shlex.split(spec.command) if spec.command else ["workerd", "once", spec.name]
    former = len(sys.argv) - 1
    sys.orig_argv[len(sys.orig_argv) - former :] = words
    sys.argv[1:] = words
    os.environ.update(
        WORKERD_JOB=spec.name,
        WORKERD_SLOT=slot_name(spec.name, index, spec.processes),
        WORKERD_INDEX=str(index),
        WORKERD_PROCESSES=str(spec.processes),
        **{RUN_VARIABLE: run},
    )
    if due is not None:
        os.environ["WORKERD_DUE"] = due.isoformat()


def due_of(moment: float | None) -> datetime | None:
    """Return the moment of a licence in UTC, None for none."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC)
