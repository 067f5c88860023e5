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


def scheduled(state: str, away: float, **fields: Any) -> str:
    """Return the line of a slot with a schedule that is due in so many seconds."""
    due = time.time() + away
    shown = {**slot(state), "schedule": "x", "resting": False, "next_due": due, "next_start": due, **fields}
    return lines(slots=[shown])[-1]


def test_a_slot_that_rests_says_when_it_is_due_and_no_word_twice() -> None:
    reason = "its time: Tue 17 Nov 2026 02:30 Europe/Berlin; the last run: exit code 1"
    line = scheduled("WAITING", 2 * 3600 + 59.9, resting=True, reason=reason)

    assert line.endswith("  due in 2 h 1 min: Tue 17 Nov 2026 02:30 Europe/Berlin; the last run: exit code 1")


def test_a_distance_is_the_rougher_the_longer_it_is() -> None:
    said = [scheduled("WAITING", away, resting=True).split("due in ")[1] for away in (9.04, 3599.2, 86399.9, 200_000.0)]

    assert said == ["9 s", "59 min 59 s", "1 d", "2 d 8 h"]


def test_a_scheduled_slot_that_runs_says_when_it_is_due_again() -> None:
    assert scheduled("RUNNING", 30.04).endswith("  due again in 30 s")
    assert scheduled("RUNNING", 30.04, note="page 7").endswith("  page 7; due again in 30 s")


def test_a_delay_is_told_from_the_next_due() -> None:
    line = scheduled("BACKOFF", 3000.0, next_start=time.time() + 2.04, reason="exit code 1")

    assert line.endswith("  next start in 2 s: exit code 1")


def test_slots_that_rest_are_counted_by_themselves() -> None:
    rests = {**slot("WAITING"), "resting": True}

    assert lines(slots=[slot("RUNNING"), slot("WAITING"), rests, rests])[1] == (
        "slots: 1 running, 1 waiting, 2 resting until their time"
    )
    assert lines(slots=[rests])[1] == "slots: 1 resting until its time"


def test_the_significant_ones_among_the_parked_are_counted() -> None:
    slots = [slot("RUNNING"), slot("PARKED"), slot("PARKED")]
    shown = lines(slots=slots, significant_parked=["PARKED"])[1]

    assert shown.startswith("slots: 1 running, 2 parked (1 significant); ")


def test_a_database_of_which_nothing_is_known_yet_is_neither_reachable_nor_out() -> None:
    database = {"reachable": None, "vendor": "", "trouble": "", "push": False}

    assert lines(database=database)[3] == "database: not known yet, the ledger has not reported"


def test_what_is_wrong_with_a_schedule_is_said() -> None:
    failed = [{"slot": "report", "outcome": "missed"}]

    assert lines(overdue=["sweep"], significant_failed=failed)[4:6] == [
        "schedule: sweep was due more than a minute ago and has not started: please report it",
        "schedule: report, which is significant, came to “missed” last",
    ]


def test_jobs_that_run_on_other_nodes_alone_are_named_with_the_reason() -> None:
    misfits = {f"job-{number:02}": "has zone=a, and where asks for zone=b" for number in range(12)}
    told = lines(misfits=misfits)
    at = told.index("not on this node, by its labels:")

    assert told[at + 1] == "  job-00: this node has zone=a, and where asks for zone=b"
    assert told[at + 11] == "  and 2 more"
    assert "not on this node, by its labels:" not in lines(misfits={})


def test_the_processes_of_workerd_itself_are_listed_apart() -> None:
    own = {**slot("RUNNING"), "name": "workerd.ledger", "job_name": "workerd.ledger", "builtin": True}
    printed = lines(slots=[own, slot("PARKED")])

    assert [line.split()[:1] for line in printed[-5:]] == [["SLOT"], ["PARKED"], [], ["workerd's"], ["workerd.ledger"]]
    assert printed[1].startswith("slots: 1 parked")


def test_alerts_that_did_not_leave_are_counted() -> None:
    remedy = "not been sent; “tail --event alert.failed” says why"

    assert lines(alerts_unsent=1)[4] == f"alerts: 1 has {remedy}"
    assert lines(alerts_unsent=3)[4] == f"alerts: 3 have {remedy}"
    assert lines(alerts_unsent=0)[4] == lines(alerts_unsent=None)[4] == ""


def test_memory_below_a_mebibyte_is_not_called_nought() -> None:
    shown = [lines(slots=[{**slot("RUNNING"), "memory": memory}])[-1] for memory in (None, 0.0, 0.7, 1.4)]

    assert [" MiB" in line for line in shown] == [False, True, True, True]
    assert ["< 1 MiB" in line for line in shown] == [False, True, True, False]
