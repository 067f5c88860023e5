"""What a machine does not offer is found by trying it, without a lasting effect on the process that looks."""

import gc
from pathlib import Path

from workerd.management.machine_problems import find_machine_problems
from workerd.wire import prctl


def look() -> tuple[bool, int]:
    """Return whether this process adopts orphans, and how many descriptors it has."""
    return prctl.is_subreaper(), len(list(Path("/proc/self/fd").iterdir()))


def test_a_look_at_the_machine_leaves_the_process_as_it_was() -> None:
    gc.collect()  # so that no file which an earlier test left open is closed between the two looks
    before = look()

    assert list(find_machine_problems()) == []
    assert look() == before
