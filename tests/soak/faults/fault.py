"""A fault: a function that does it and returns whether it was done."""

import os
import random
from collections.abc import Callable

from tests.soak.runner import JOBS, Soak

Fault = Callable[[Soak, random.Random], bool]
RECOVERY_S = 6.0
"""How long slots may take, on a machine that does other things, to come back after the database did."""
RELOAD_S = 10.0
JOURNAL_BACK_S = 2.0
"""A journal whose file can be written again has all records in it after this. Until then, and while the database is
out, a kill of daemon and ledger loses what only they know, as docs/reliability.md says."""
SHOP = set(JOBS) - {"misbehaving"}
"""Jobs that cannot be up without the database; the misbehaving one asks it nothing, and has no such excuse."""


class BrokenError(Exception):
    """Something does not hold, whatever else goes on."""


def send(pid: int | None, number: int) -> bool:
    """Send a signal to a process that may be gone by now."""
    if not pid:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
