"""A node of the fleet: a real daemon in a namespace and with a host name of its own, whose link and processes fail."""

import os
import signal
import sys
import uuid
from contextlib import suppress
from pathlib import Path

from tests.harness.backends.server import GivenServer
from tests.harness.daemon import Daemon
from tests.harness.log import Log
from tests.harness.processes import Process
from tests.harness.project import MANAGE, ROOT, Project
from tests.soak.clock import WallClock

from .jobs import FOLDER
from .network import Network

ENTER = Path(__file__).with_name("enter.py")


class NodeProject:
    """The fleet's project as one node has it: its own state directory, and its own way to the database."""

    def __init__(self, fleet: Project, network: Network, number: int) -> None:
        self.fleet = fleet
        self.name = fleet.name
        self.folder = fleet.folder / f"node{number}"
        self.folder.mkdir()
        self.state_dir = self.folder / "state"
        self.mark = f"WORKERD_TEST_PROJECT={uuid.uuid4().hex}"
        self.host = f"node{number}"
        enter = [sys.executable, "-S", "-E", str(ENTER), network.namespace(number), self.host]
        self.command = [*enter, sys.executable, str(MANAGE)]
        assert fleet.databases.server is not None
        self._address = network.address(number, fleet.databases.server.address)
        self.url = fleet.databases.url(fleet.database, server=GivenServer(self._address))
        self.extra_env: dict[str, str] = {}

    def leave_tls(self) -> None:
        """Have what starts next talk so that the relay can read it."""
        is_postgres = self.fleet.databases.backend.vendor == "postgresql"
        options = {"sslmode": "disable"} if is_postgres else {"ssl_mode": "DISABLED"}
        self.url = self.fleet.databases.url(self.fleet.database, options, server=GivenServer(self._address))

    @property
    def env(self) -> dict[str, str]:
        """The environment of the node's processes."""
        mark, _, value = self.mark.partition("=")
        own = {
            "DJANGO_SETTINGS_MODULE": "tests.fleet.settings",
            "DATABASE_URL": self.url,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'django_site'}",
            "WORKERD_STATE_DIR": str(self.state_dir),
            FOLDER: str(self.fleet.folder / "witnesses"),
            mark: value,
        }
        return {**self.fleet.env, **own, **self.extra_env}


class FleetNode(Daemon):
    """What is done to a node; ``heal`` undoes it."""

    def __init__(self, fleet: Project, network: Network, number: int) -> None:
        self.logs: list[Log] = []
        """Of all its daemons, in the order of their starts."""
        self.place = NodeProject(fleet, network, number)
        super().__init__(self.place, self._new_log)  # type: ignore[arg-type]
        self.number = number
        self.host = f"node{number}"
        self._network = network
        self._stopped: list[Process] = []

    def _new_log(self) -> Log:
        self.logs.append(Log())
        return self.logs[-1]

    # the clocks

    def set_up_clock(self) -> None:
        """Have what starts next show the times of ``clock``."""
        self.clock = WallClock(self.place.folder)
        self.place.extra_env |= self.clock.env

    # the link

    def cut(self) -> None:
        self._network.cut(self.number)

    def mend(self) -> None:
        self._network.mend(self.number)

    # the processes

    @property
    def ledger_pid(self) -> int:
        return self.child_pid("workerd.ledger")

    def freeze(self, *pids: int) -> None:
        """Stop processes by SIGSTOP, but for those that end meanwhile."""
        for pid in pids:
            found = Process.look(pid)
            if found is not None:
                self._stopped.append(found)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)

    def freeze_all(self) -> None:
        """Stop everything of the node, the daemon first."""
        pids = sorted((process.pid for process in self.tree.look(self.pid)), key=lambda pid: pid != self.pid)
        self.freeze(*pids)

    def thaw(self) -> None:
        """Let go on what was stopped, in the same order."""
        stopped, self._stopped = self._stopped, []
        for process in stopped:
            now = Process.look(process.pid)
            if now is not None and now.started == process.started:
                os.kill(process.pid, signal.SIGCONT)

    def heal(self) -> None:
        self.thaw()
        self.mend()

    def end(self) -> None:
        """Stop it by TERM, whatever was done to it before."""
        self.heal()
        if self.is_running:
            self.signal(signal.SIGTERM)
            self.wait(60)
