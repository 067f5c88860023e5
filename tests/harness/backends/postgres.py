"""A throw-away PostgreSQL."""

import shutil
import signal
import struct
from collections.abc import Mapping
from pathlib import Path

from .certificate import write_certificate
from .server import Server, exchange

SETTINGS = {
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",  # as a minimal log takes none
    "ssl": "on",
    "autovacuum": "off",  # its workers would hold a template that is to be copied
    "log_min_messages": "warning",
}


def find_binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL server's binaries, on the PATH or where Debian puts them."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    found = debian[-1:] or [Path(path) for path in [shutil.which("postgres")] if path]
    return found[0].resolve().parent if found else None


class PostgresServer(Server):
    """PostgreSQL with trust for everybody on the loopback."""

    superuser = "postgres"
    account = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions
    orphan_signal = signal.SIGQUIT  # "immediate": its children end too
    settings: Mapping[str, str] = {}

    @property
    def data(self) -> Path:
        return self.folder / "postgres"

    def initialise(self) -> None:
        if not self.data.exists():
            self._make_folder()
            self.make_data()

    def make_data(self) -> None:
        """Fill the data directory."""
        options = ["-U", self.superuser, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        self.run([self.binary("initdb"), "-D", self.data, *options])

    def _make_folder(self) -> None:
        certificate, key = write_certificate(self.folder)
        self.data.mkdir(mode=0o700)
        for source in (certificate, key):
            shutil.copy2(source, self.data)
        own = [self.data / path.name for path in (certificate, key)]
        for path in own:
            path.rename(self.folder / f"postgres-{path.name}")
        self.give_to_account(self.data, *(self.folder / f"postgres-{path.name}" for path in own))

    def command(self) -> list[str]:
        settings: dict[str, str] = {
            **SETTINGS,
            **self.settings,
            "port": str(self.address.port),
            "ssl_cert_file": str(self.folder / "postgres-server.crt"),
            "ssl_key_file": str(self.folder / "postgres-server.key"),
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self.binary("postgres")), "-D", str(self.data), *words]

    def answers(self) -> bool:
        """Ask for a session as libpq does: one that is refused for starting up gets an error that says 57P03."""
        words = b"".join(word.encode() + b"\0" for word in ("user", self.superuser, "database", "postgres", ""))
        startup = struct.pack("!ii", len(words) + 8, 196608) + words
        answer = exchange(self.address, startup)
        return answer[:1] == b"R"

    def binary(self, name: str) -> Path:
        """Return a program of the server's."""
        folder = find_binaries()
        if folder is None:
            raise FileNotFoundError("no PostgreSQL server is installed")
        return folder / name
