"""Why a node of the fleet's soak is not ready: the wait that fails says it."""

from typing import Any

from tests.soak.fleet_ready import obstacles


def picture(*slots: dict[str, Any], **daemon: Any) -> dict[str, Any]:
    """Return a node's status, of one that is well but for ``daemon``."""
    database = {"reachable": True, "trouble": ""}
    well = {"stopping": "", "ready": True, "forkserver_ready": True, "forkserver_trouble": "", "database": database}
    return {"daemon": well | daemon, "slots": list(slots)}


def slot(name: str, state: str, reason: str = "", *, wanted: bool = True) -> dict[str, Any]:
    return {"name": name, "state": state, "reason": reason, "wanted": wanted}


def test_a_node_that_is_well_has_no_obstacle() -> None:
    assert obstacles(picture(slot("single", "WAITING", "node2 has its seat", wanted=False))) == []


def test_a_node_that_was_told_to_end_is_not_ready_and_says_so() -> None:
    assert "it is stopping: SIGTERM" in obstacles(picture(stopping="SIGTERM"))


def test_a_node_without_a_forkserver_gives_its_trouble() -> None:
    found = obstacles(picture(forkserver_ready=False, forkserver_trouble="waiting for pid 7 of the previous daemon"))

    assert found[0] == "no forkserver: waiting for pid 7 of the previous daemon"


def test_a_node_that_is_not_ready_shows_its_database_and_each_slot_that_does_not_run() -> None:
    ledger = slot("workerd.ledger", "BACKOFF", "exit code 1")
    waits = slot("deaf:1", "STARTING", "waiting for a process, which is being started")
    out = {"reachable": False, "trouble": "it does not answer"}

    found = obstacles(picture(ledger, waits, slot("pair:0", "RUNNING"), ready=False, database=out))

    assert found[1:] == [
        "database out it does not answer",
        "3 slots",
        "workerd.ledger is BACKOFF: exit code 1",
        "deaf:1 is STARTING: waiting for a process, which is being started",
    ]
