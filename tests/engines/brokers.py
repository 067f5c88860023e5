"""The brokers that engines need, each a server of the tests' own: they may stop it, kill it and start it again."""

import shutil
import signal
import subprocess
from pathlib import Path

from tests.harness.backends.server import Server, ending_with_us, exchange, free_port

REDIS = shutil.which("redis-server")
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's script; the one in PATH would become the user of the machine's own node, and read that one's settings."""
RABBITMQ_CONF = """\
listeners.tcp.local = 127.0.0.1:{port}
disk_free_limit.absolute = 1MB
log.console.level = warning
"""


class Broker(Server):
    """A server that has an engine's tasks; they outlive a ``restart``."""

    certificate = None
    stop_signal = signal.SIGTERM
    orphan_signal = signal.SIGKILL
    missing: str
    """What is not installed here, or nothing."""

    @property
    def url(self) -> str:
        raise NotImplementedError

    def ensure_started(self) -> None:
        """Start it unless it runs, and wait for it where it has been launched."""
        if self.pid is None:
            self.launch()
        self.wait_for_answer()


class Redis(Broker):
    """A Redis that keeps what it is given on its disk."""

    superuser = ""
    account = "redis"
    missing = "" if REDIS else "redis-server is not installed (Debian: redis-server)"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.address.port}/0"

    def initialise(self) -> None:
        self.give_to_account(self.folder)

    def command(self) -> list[str]:
        options = {"bind": "127.0.0.1", "save": "", "appendonly": "yes", "dir": str(self.folder)}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [str(REDIS), "--port", str(self.address.port), *words]

    def answers(self) -> bool:
        return exchange(self.address, b"PING\r\n").startswith(b"+PONG")


class RabbitMQ(Broker):
    """A node of RabbitMQ, with an epmd of its own: the machine's, if there is one, knows nothing of it."""

    superuser = "guest"
    account = "rabbitmq"
    start_within_s = 300.0  # ten seconds of a processor that it shares with all else that runs
    missing = "" if RABBITMQ.exists() else "rabbitmq-server is not installed (Debian: rabbitmq-server)"

    def __init__(self) -> None:
        super().__init__()
        self.certificate = None
        self._names = free_port()
        self._distribution = free_port()
        self._epmd: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.address.port}"

    def initialise(self) -> None:
        """Write its configuration, and start what its node asks for names: the node would start one that stays."""
        (self.folder / "rabbitmq.conf").write_text(RABBITMQ_CONF.format(port=self.address.port))
        (self.folder / "plugins").write_text("[].\n")
        self.give_to_account(self.folder)
        if self._epmd is None:
            words = ending_with_us(["/usr/bin/epmd", "-port", str(self._names), "-address", "127.0.0.1"], self._user())
            quiet = subprocess.DEVNULL
            self._epmd = subprocess.Popen(words, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)

    def command(self) -> list[str]:
        env = {
            "HOME": self.folder,
            "ERL_EPMD_PORT": self._names,
            "RABBITMQ_ALLOW_INPUT": 1,  # the script becomes the node, and is no process beside it
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": self.folder / "rabbitmq.conf",
            "RABBITMQ_DIST_PORT": self._distribution,
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "plugins",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": self.folder,
            "RABBITMQ_MNESIA_BASE": self.folder / "mnesia",
            "RABBITMQ_NODENAME": f"workerd{self.address.port}@localhost",
            "RABBITMQ_PID_FILE": self.folder / "rabbitmq.pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
        }
        return ["/usr/bin/env", *(f"{name}={value}" for name, value in env.items()), str(RABBITMQ), "-noinput"]

    def answers(self) -> bool:
        greeting = exchange(self.address, b"AMQP\x00\x00\x09\x01")
        return b"RabbitMQ" in greeting

    def close(self) -> None:
        super().close()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
