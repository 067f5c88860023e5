"""A throw-away MariaDB or MySQL, whichever is installed."""

import functools
import os
import shutil
import signal
import subprocess
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
BINARY = "WORKERD_TEST_MYSQLD"
"""Names a server's binary, so that one run can take MySQL's where MariaDB is installed as well."""
_SBIN = "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin"


def find_server() -> Path | None:
    """Return the server's binary: the one that WORKERD_TEST_MYSQLD names, or mariadbd, or MySQL's mysqld."""
    if named := os.environ.get(BINARY):
        return Path(named).resolve()
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
        bare = ["--skip-log-bin"]
        if self._is_mariadb():
            del settings["log-error-verbosity"]
            bare.append("--skip-name-resolve")
        else:
            # MySQL makes root@localhost alone, which is nobody at 127.0.0.1 where names are not resolved
            settings["init-file"] = str(self._write_accounts(run))
            settings["secure-file-priv"] = "NULL"  # by default a folder that the server's package makes, and needs
            bare.append("--loose-mysqlx=OFF")  # it would listen on every address
        return [str(self._server()), "--no-defaults", *bare, *(f"--{name}={value}" for name, value in settings.items())]

    def answers(self) -> bool:
        """It speaks first: a greeting of protocol 10, once it takes sessions."""
        return exchange(self.address, b"")[4:5] == b"\x0a"

    def _first_command(self) -> list[str]:
        if self._is_mariadb():
            script = shutil.which("mariadb-install-db") or shutil.which("mysql_install_db") or "mariadb-install-db"
            options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
            return [script, "--no-defaults", f"--datadir={self.data}", *options]
        options = ["--initialize-insecure", f"--datadir={self.data}", f"--tmpdir={self.folder / 'mysql-run'}"]
        return [str(self._server()), "--no-defaults", *options]

    def _write_accounts(self, folder: Path) -> Path:
        """Write the statements that let root in from the loopback."""
        path = folder / "accounts.sql"
        name = "root@'127.0.0.1'"
        path.write_text(
            f"CREATE USER IF NOT EXISTS {name};\nGRANT ALL ON *.* TO {name} WITH GRANT OPTION;\n"
            f"GRANT PROXY ON ''@'' TO {name} WITH GRANT OPTION;\n"
        )
        self.give_to_account(path)
        return path

    def _server(self) -> Path:
        server = find_server()
        if server is None:
            raise FileNotFoundError("neither MariaDB's nor MySQL's server is installed")
        return server

    def _is_mariadb(self) -> bool:
        return _is_mariadb(self._server())


@functools.cache
def _is_mariadb(server: Path) -> bool:
    """Return what the binary says that it is; MariaDB has one of MySQL's name, too."""
    said = subprocess.run([server, "--version"], capture_output=True, text=True, check=False).stdout
    return "MariaDB" in said
