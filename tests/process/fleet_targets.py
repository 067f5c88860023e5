"""A target that is no @job: a node may run it only where its TARGETS say so, as newer code has what older has not."""

import threading


def work() -> None:
    """Wait to be stopped."""
    threading.Event().wait()
