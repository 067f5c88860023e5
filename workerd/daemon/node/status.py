"""The picture that ``status`` shows: what the daemon is and every slot, from memory alone."""

import os
from typing import TYPE_CHECKING, Any

from workerd.wire.words import State

if TYPE_CHECKING:
    from workerd.daemon.daemon import Daemon


def picture(daemon: "Daemon") -> dict[str, Any]:
    """Return plain values; times are wall seconds (UTC)."""
    config, forkserver = daemon.config, daemon.generations.current
    counters = {"counters": daemon.counters.picture()} if daemon.counters is not None else {}
    return {
        "daemon": {
            "name": config.name,
            "host": config.host,
            "pid": os.getpid(),
            "version": config.version,
            "started": daemon.started_wall,
            "ready": daemon.readiness.reached,
            "stopping": daemon.shutdown.begun,
            "generation": forkserver.generation if forkserver is not None else None,
            "forkserver_pid": forkserver.pid if forkserver is not None else None,
            "forkserver_ready": forkserver is not None,
            "forkserver_trouble": "" if forkserver is not None else daemon.generations.trouble,
            "database": {
                "reachable": daemon.ledger.reachable,
                "vendor": daemon.ledger.vendor,
                "trouble": daemon.ledger.trouble,
                "push": daemon.ledger.push,
            },
            "unjournaled": daemon.records.unacknowledged,
            "waiting": daemon.ledger.waiting,
            "significant_parked": [
                slot.name
                for slot in daemon.slot_set.job_slots()
                if slot.spec.significant and slot.state is State.PARKED
            ],
        },
        "slots": daemon.slot_set.picture(),
        **counters,
    }
