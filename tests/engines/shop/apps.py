"""Has each consumer stand still when a story wants it to."""

import signal
import time
from typing import Any

from django.apps import AppConfig

from workerd.signals import child_started

STAND_STILL = signal.SIGRTMIN + 9


class ShopConfig(AppConfig):
    name = "tests.engines.shop"

    def ready(self) -> None:
        child_started.connect(obey, dispatch_uid="tests.engines.shop")


def obey(**_: Any) -> None:
    """Have ``STAND_STILL`` block the main thread, where each consumer has its loop."""
    signal.signal(STAND_STILL, lambda _number, _frame: stand_still())


def stand_still() -> None:
    while True:
        time.sleep(3600)
