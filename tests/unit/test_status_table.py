"""What ``status`` prints above its table: each line names what is wrong, for how long, and the next step."""

import time
from typing import Any

from workerd.management.status_table import format_status


def lines(**daemon: Any) -> list[str]:
    """Return what is printed of a daemon that differs from a healthy one as told."""
    well: dict[str, Any] = {
        "name": "shop", "host": "h", "pid": 1, "version": "1", "started": time.time(), "ready": True, "stopping": "",
        "generation": 1, "forkserver_pid": 2, "forkserver_ready": True, "forkserver_trouble": "",
        "database": {"reachable": True, "vendor": "sqlite", "trouble": "", "push": False}, "waiting": 0,
        "set_aside": 0, "significant_parked": [],
    }  # fmt: skip
    return format_status({"daemon": {**well, **daemon}, "slots": daemon.get("slots", [])}).splitlines()


def slot(state: str) -> dict[str, Any]:
    return {
        "name": state, "job_name": state, "index": 0, "builtin": False, "state": state, "reason": "", "note": "",
        "since": time.time(), "pid": 1, "restarts": 0, "memory": None, "last_beat": None, "next_start": None,
    }  # fmt: skip


def out(waiting: int) -> list[str]:
    database = {"reachable": False, "vendor": "", "trouble": "it is locked: wait", "out_since": time.time() - 12}
    return lines(database=database, waiting=waiting)[3:5]


def test_an_outage_says_for_how_long_and_what_goes_on() -> None:
    head = "database: OUT for 12 s; it is tried again, running jobs go on"

    assert out(0) == [head, "  it is locked: wait"]
    assert out(1)[0] == f"{head}; 1 record is waiting"
    assert out(7)[0] == f"{head}; 7 records are waiting"


def test_a_forkserver_that_is_not_ready_says_what_it_waits_for() -> None:
    trouble = "the project's code is being loaded (pid 7)"

    assert lines(forkserver_ready=False, forkserver_trouble=trouble)[2] == f"forkserver: not ready: {trouble}"


def test_what_starts_a_parked_slot_again_is_said_where_there_is_one() -> None:
    parked = [slot("RUNNING"), slot("PARKED")]

    assert lines(slots=parked)[1] == "slots: 1 running, 1 parked; “resume” or an edit of its row starts a parked one"
    assert lines(slots=parked[:1])[1] == "slots: 1 running"
