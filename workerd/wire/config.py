"""The checked settings as plain values, which the command hands to the daemon over the exec."""

import json
from typing import NamedTuple

DAEMON_VARIABLE = "WORKERD_DAEMON"
"""Holds the tree, in the daemon's environment alone: a second daemon finds the first by it if the lock is gone."""


class AlertTimes(NamedTuple):
    """The times after which what lasts, or comes again, is an alert; in seconds."""

    down_s: float = 300.0
    out_s: float = 60.0
    circle_ends: int = 10
    """0 where a circle is none."""
    circle_s: float = 600.0


class DaemonConfig(NamedTuple):
    """The settings that the daemon needs, and the command line and folder in which it starts a forkserver."""

    name: str
    state_dir: str
    host: str
    version: str
    forkserver_argv: tuple[str, ...]
    cwd: str
    log_format: str
    """``json`` or ``console``; the command has decided what ``auto`` means."""
    database: str = "default"
    """The alias of the ledger's database."""
    tree: str = ""
    """The mark of this node's processes in their environment: WORKERD_TREE, and in the daemon's DAEMON_VARIABLE."""
    max_unavailable: int | None = None
    max_processes: int = 1000
    exit_when_parked: bool = False
    http_bind: str | None = None
    alerts: AlertTimes | None = None
    """None where the settings name nobody who is to hear of alerts: there is no notifier then."""
    sample_seconds: float = 0.0
    """How often each child is measured; 0 for never."""
    otlp_endpoint: str | None = None

    def to_json(self) -> str:
        return json.dumps(self._asdict())

    @classmethod
    def from_json(cls, text: str) -> "DaemonConfig":
        values = json.loads(text)
        values["forkserver_argv"] = tuple(values["forkserver_argv"])
        if values["alerts"] is not None:
            values["alerts"] = AlertTimes(*values["alerts"])
        return cls(**values)
