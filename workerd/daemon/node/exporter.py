"""The exporter as the daemon knows it: a slot of its own where OTLP_ENDPOINT is set."""

import sys

from workerd.daemon.processes.program import Program
from workerd.wire import WIRE_VERSION
from workerd.wire.config import DaemonConfig
from workerd.wire.spec import JobSpec

NAME = "workerd.exporter"


def exporter_spec(config: DaemonConfig) -> JobSpec:
    """Return the exporter's spec, with all that it needs to know."""
    return JobSpec(
        name=NAME,
        target=NAME,
        kwargs={
            "endpoint": config.otlp_endpoint,
            "state_dir": config.state_dir,
            "version": config.version,
        },
        backoff_max=30.0,
        start_grace=0.1,
        heartbeat_timeout=30.0,
        stop_timeout=5.0,
    )


def exporter_program(config: DaemonConfig, limits: tuple[int, int]) -> Program:
    """Return the exporter's program: it sends whether or not the project loads, and a reload leaves it alone."""
    return Program((sys.executable, "-P", "-m", NAME, str(WIRE_VERSION)), config.tree, limits)
