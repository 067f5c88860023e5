"""Every state of a slot, reached by a real cause under a running daemon and seen on screen; rows come from the form."""

from pathlib import Path

import pytest

from workerd.wire.words import State

from .pages import Admin

pytestmark = pytest.mark.slow
WORDS = {
    State.STOPPED: "stopped",
    State.STARTING: "starting",
    State.RUNNING: "running",
    State.STOPPING: "stopping",
    State.BACKOFF: "backing off",
    State.WAITING: "waiting",
    State.DONE: "done",
    State.PARKED: "parked",
}


def test_every_state_is_seen_with_its_reason(admin: Admin, tmp_path: Path) -> None:
    seen: dict[State, str] = {}
    slow = {"backoff_initial": "1 min", "backoff_max": "5 min"}
    admin.define("sleeper", "idle", enabled=False)
    admin.define(
        "unready", "ready_when_told", {"path": str(tmp_path / "never")}, signals_ready=True, start_timeout="9 min"
    )
    admin.define("runner", "idle", start_grace="100 ms")
    let = tmp_path / "let"
    admin.define("lingerer", "stop_when_let", {"path": str(let)}, start_grace="100 ms", stop_timeout="10 min")
    admin.define("crasher", "crash", {"message": "out of paper"}, **slow)
    admin.define("later", "leave", {"code": 75}, **slow)
    admin.define("once", "finish", restart="never")
    admin.define("misfit", "leave", {"code": 78})

    admin.open_list()
    admin.wait_row("lingerer", "running")
    admin.browser.click("#result_list [aria-label='lingerer enabled']")
    causes = {
        State.STOPPING: ("lingerer", ""),
        State.STOPPED: ("sleeper", ""),
        State.STARTING: ("unready", ""),
        State.RUNNING: ("runner", ""),
        State.BACKOFF: ("crasher", "RuntimeError: out of paper"),
        State.WAITING: ("later", "the job asked to be started later (exit code 75)"),
        State.DONE: ("once", "not started again"),
        State.PARKED: ("misfit", "exit code 78"),
    }
    for state, (name, reason) in causes.items():
        admin.wait_row(name, WORDS[state])
        admin.wait_row(name, reason[:20])
        seen[state] = admin.row(name)

    let.touch()
    assert set(seen) == set(State)
    assert "next start in" in seen[State.BACKOFF]
    assert admin.browser.errors() == []
