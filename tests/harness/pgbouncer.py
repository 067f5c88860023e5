"""A real PgBouncer in front of a PostgreSQL: in transaction mode, and nothing resets a session between two clients."""

import shutil
import signal
import struct
from pathlib import Path

from .backends.server import Address, Server, exchange


def find_pgbouncer() -> str | None:
    """Return the program, which Debian puts where users do not look."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


class PgBouncer(Server):
    """Leads every database to that of its name at ``server``."""

    superuser = "postgres"
    account = "postgres"
    stop_signal = signal.SIGTERM
    orphan_signal = signal.SIGKILL

    def __init__(self, server: Address, sessions: int = 20) -> None:
        """``sessions`` are the most that it opens for a database, however many clients there are."""
        super().__init__()
        self._server = server
        self._sessions = sessions
        self.certificate = None

    def initialise(self) -> None:
        self.config.write_text(
            f"[databases]\n"
            f"* = host={self._server.host} port={self._server.port} user={self._server.user}\n"
            f"[pgbouncer]\n"
            f"listen_addr = {self.address.host}\n"
            f"listen_port = {self.address.port}\n"
            f"unix_socket_dir =\n"
            f"auth_type = any\n"
            f"pool_mode = transaction\n"
            f"server_reset_query =\n"
            f"ignore_startup_parameters = extra_float_digits\n"
            f"max_client_conn = 500\n"
            f"default_pool_size = {self._sessions}\n"
            f"server_login_retry = 1\n"
        )
        self.config.chmod(0o644)

    @property
    def config(self) -> Path:
        return self.folder / "pgbouncer.ini"

    def command(self) -> list[str]:
        program = find_pgbouncer()
        if program is None:
            raise FileNotFoundError("PgBouncer is not installed")
        return [program, str(self.config)]

    def answers(self) -> bool:
        """Ask for a session, as with PostgreSQL itself."""
        words = b"".join(word.encode() + b"\0" for word in ("user", self.superuser, "database", "postgres", ""))
        return exchange(self.address, struct.pack("!ii", len(words) + 8, 196608) + words)[:1] == b"R"
