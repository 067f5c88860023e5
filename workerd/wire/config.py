"""What the command hands to the daemon over the exec: everything it needs to know of the settings, as plain values."""

import json
from typing import NamedTuple

DAEMON_VARIABLE = "WORKERD_DAEMON"
"""In the environment of the daemon alone, with its tree: how another one finds it that does not find its lock."""


class DaemonConfig(NamedTuple):
    """Checked settings, the command line that starts a forkserver, and what the daemon found before it changed it."""

    name: str
    state_dir: str
    host: str
    version: str
    forkserver_argv: tuple[str, ...]
    cwd: str
    log_format: str
    """``json`` or ``console``; the command has resolved ``auto``."""
    database: str = "default"
    """The alias of the ledger's database."""
    tree: str = ""
    """Carried by every process of this node in its environment, as WORKERD_TREE; by the daemon as DAEMON_VARIABLE."""
    max_unavailable: int | None = None
    exit_when_parked: bool = False
    http_bind: str | None = None

    def to_json(self) -> str:
        """Return text that ``from_json`` reads back."""
        return json.dumps(self._asdict())

    @classmethod
    def from_json(cls, text: str) -> "DaemonConfig":
        """Build the config that ``to_json`` wrote."""
        values = json.loads(text)
        values["forkserver_argv"] = tuple(values["forkserver_argv"])
        return cls(**values)
