"""Callables that get alerts: a good one, one that always fails, and one that hangs."""

import os
import threading
from pathlib import Path

from workerd.notifier.alert import Alert


def note(alert: Alert) -> None:
    with Path(os.environ["NOTIFIER_CALLS"]).open("a") as file:
        file.write(f"{alert.state}={alert.id}\n")


def fail(_alert: Alert) -> None:
    raise RuntimeError("it fails as ever")


def hang(_alert: Alert) -> None:
    threading.Event().wait()
