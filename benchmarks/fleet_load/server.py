"""A PostgreSQL of the benchmark's own, as a project would run it, with room for two sessions a node."""

import os
from pathlib import Path

from tests.harness.backends.postgres import PostgresServer

TICKS = os.sysconf("SC_CLK_TCK")
AS_PEOPLE_RUN_IT = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "shared_buffers": "128MB",
}


class BenchServer(PostgresServer):
    """Durable, and with ``sessions`` free."""

    sessions = 1_100

    def command(self) -> list[str]:
        settings = {**AS_PEOPLE_RUN_IT, "max_connections": str(self.sessions)}
        return super().command() + [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def processor_s(self) -> float:
        """Return the processor time that its processes have used so far, those included that have ended."""
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        ended = sum(int(ticks) for ticks in _stat(postmaster)[13:15]) / TICKS
        return ended + sum(_ran_s(pid) for pid in (postmaster, *_children(postmaster)))


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _ran_s(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return 0.0
