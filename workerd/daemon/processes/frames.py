"""Leaves out of a stack the frames that are workerd's own, below those of the job: people read the job's."""

import re

_OURS = re.compile(r'^  File ".*/workerd/child/(call|run)\.py", line \d+ in ')
_FRAME = re.compile(r'^  File "')


def drop_our_frames(stack: str) -> str:
    """Return the stacks of all threads without the frames that lead to the job's code.

    What the job's code calls of workerd stays.
    """
    kept: list[str] = []
    dropping = False
    for line in stack.split("\n"):
        dropping = _FRAME.match(line) is not None and (dropping or _begins_ours(line, kept))
        if not dropping:
            kept.append(line)
    return "\n".join(kept)


def _begins_ours(line: str, kept: list[str]) -> bool:
    """Return whether the job was called from here; the innermost frame of a thread is kept, whosever it is."""
    return _OURS.match(line) is not None and bool(kept) and _FRAME.match(kept[-1]) is not None
