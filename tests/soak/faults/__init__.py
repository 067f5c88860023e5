"""Every kind of fault, by the injector that makes it: those of one injector come one after the other."""

from tests.soak.runner import Soak

from .child import BEHAVIOURS, SIGNALS
from .daemon import DAEMON
from .database import LINK, database_faults
from .fault import Fault
from .machine import machine_faults
from .pair import pairs
from .process import PROCESSES
from .rollout import ROLLOUT
from .row import ROWS

PAIRED = LINK | SIGNALS | PROCESSES | {name: ROWS[name] for name in ("row: processes", "row: arguments")}


def main_faults(soak: Soak) -> dict[str, Fault]:
    """Return what the main thread makes: a server or a daemon ends with the thread that started it."""
    return database_faults(soak) | DAEMON


def side_faults(soak: Soak) -> dict[str, dict[str, Fault]]:
    """Return what threads make beside it."""
    return {
        "children": BEHAVIOURS | SIGNALS,
        "processes": PROCESSES | ROWS | ROLLOUT,
        "machine": machine_faults(soak),
        "pairs": pairs(PAIRED),
    }
