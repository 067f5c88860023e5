"""The supervisor of Steady Queue's processes, which beats as it looks after them."""

from signal import SIGTERM

from django.db import InterfaceError, OperationalError, connections
from steady_queue.db_router import steady_queue_database_alias
from steady_queue.processes.supervisor import Supervisor

from workerd.child.context import JobContext
from workerd.contrib.outage import Outage

from .steady_worker import Process

RETRY_S = 1.0


class BeatingSupervisor(Supervisor):
    """The supervisor, which beats each time that it looks after its processes."""

    context: JobContext

    def register_signal_handlers(self) -> None:
        """Leave the signals to workerd: ``set_procline`` looks whether one came."""

    def restore_default_signal_handlers(self) -> None:
        """Leave them at the end, too."""

    def start_processes(self) -> None:
        for process in self.configuration.configured_processes:
            self.start_process(Process(process.kind, process.attributes))
        self.context.ready()

    def set_procline(self) -> None:
        """Beat: the loop comes here each second."""
        self.context.beat()
        if self.context.stopping:
            self.handle_signal(SIGTERM)

    @property
    def are_all_forks_terminated(self) -> bool:
        """Beat in the midst of a stop, too."""
        self.context.beat()
        done: bool = super().are_all_forks_terminated
        return done

    def replace_fork(self, pid: int, wait_status: int) -> None:
        """Wait for a database that is away, which is what its processes end of."""
        outage = Outage(self.context, "the database", OperationalError, InterfaceError)
        while not self.context.stopping:
            with outage:
                connections[steady_queue_database_alias()].ensure_connection()
                break
            self.context.wait(RETRY_S)
        super().replace_fork(pid, wait_status)
