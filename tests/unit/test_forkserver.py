"""A forkserver as the daemon knows it: one that never finishes its imports is given up."""

import os
import resource
import signal
import sys
from pathlib import Path

from tests.harness.fakes import FakeClock, loop_of, recording_log, turn
from workerd.daemon.processes.forkserver import LOAD_PATIENCE_S, Forkserver, Listener
from workerd.wire.config import DaemonConfig

HANGS = "import time\ntime.sleep(3600)"


def test_a_project_that_is_still_not_imported_after_five_minutes_is_rejected_and_killed(tmp_path: Path) -> None:
    clock, (log, lines), rejected = FakeClock(), recording_log(), list[str]()
    loop = loop_of(clock)
    config = DaemonConfig("shop", str(tmp_path), "web1", "0", (sys.executable, "-c", HANGS), str(tmp_path), "json")
    listener = Listener(lambda _: None, lambda _, reason: rejected.append(reason), lambda *_: None)
    forkserver = Forkserver(loop, log, config, resource.getrlimit(resource.RLIMIT_NOFILE), 1, listener)
    try:
        clock.advance(LOAD_PATIENCE_S - 1)
        turn(loop)
        assert rejected == []

        clock.advance(1)
        turn(loop)
        assert rejected == ["the project is not imported after 300 s"]
        assert lines.of("forkserver.rejected") == [{"generation": 1, "reason": rejected[0]}]
    finally:
        if not rejected:
            forkserver.kill()
        _, status = os.waitpid(forkserver.pid, 0)
        forkserver.stop()
    assert os.WTERMSIG(status) == signal.SIGKILL
