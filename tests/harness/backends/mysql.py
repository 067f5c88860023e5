"""A throw-away MariaDB or MySQL, whichever is installed."""

import shutil
import signal
from pathlib import Path

from .certificate import write_certificate
from .server import Server, exchange

SETTINGS = {
    "bind-address": "127.0.0.1",
    "max-connections": "300",
    "innodb-buffer-pool-size": "64M",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-doublewrite": "0",
    "character-set-server": "utf8mb4",
    "log-error-verbosity": "1",
}
_SBIN = "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin"


def find_server() -> Path | None:
    """Return the server's binary: mariadbd, or MySQL's mysqld."""
    found = (shutil.which(name) or shutil.which(name, path=_SBIN) for name in ("mariadbd", "mysqld"))
    return next((Path(path).resolve() for path in found if path), None)


class MySQLServer(Server):
    """MariaDB or MySQL whose root has no password."""

    superuser = "root"
    account = "mysql"
    stop_signal = signal.SIGTERM
    orphan_signal = signal.SIGKILL

    @property
    def data(self) -> Path:
        return self.folder / "mysql"

    def initialise(self) -> None:
        if self.data.exists():
            return
        certificate, key = write_certificate(self.folder)
        run = self.folder / "mysql-run"
        for path in (self.data, run):
            path.mkdir(mode=0o700)
        own = [Path(shutil.copy2(path, run)) for path in (certificate, key)]
        self.give_to_account(self.data, run, *own)
        self.run(self._first_command())

    def command(self) -> list[str]:
        run = self.folder / "mysql-run"
        settings = SETTINGS | {
            "datadir": str(self.data),
            "port": str(self.address.port),
            "socket": str(run / "s"),
            "pid-file": str(run / "pid"),
            "tmpdir": str(run),  # in a shared one, each server that starts removes the others' temporary tables
            "ssl-cert": str(run / "server.crt"),
            "ssl-key": str(run / "server.key"),
        }
        if self._is_mariadb():
            del settings["log-error-verbosity"]
        bare = ["--skip-name-resolve", "--skip-log-bin"]
        return [str(self._server()), "--no-defaults", *bare, *(f"--{name}={value}" for name, value in settings.items())]

    def answers(self) -> bool:
        """It speaks first: a greeting of protocol 10, once it takes sessions."""
        return exchange(self.address, b"")[4:5] == b"\x0a"

    def _first_command(self) -> list[str]:
        if self._is_mariadb():
            script = shutil.which("mariadb-install-db") or shutil.which("mysql_install_db") or "mariadb-install-db"
            options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
            return [script, "--no-defaults", f"--datadir={self.data}", *options]
        return [str(self._server()), "--no-defaults", "--initialize-insecure", f"--datadir={self.data}"]

    def _server(self) -> Path:
        server = find_server()
        if server is None:
            raise FileNotFoundError("neither MariaDB's nor MySQL's server is installed")
        return server

    def _is_mariadb(self) -> bool:
        return self._server().name == "mariadbd"
