"""Jobs that go wrong on purpose, so that one can watch: one crashes, one hangs, one leaks."""

import random
import socket

from workerd import JobContext, job


class CourierUnavailableError(Exception):
    """The courier's service answered with a failure."""


@job
def call_courier(context: JobContext, fails_after: float = 25.0, pause: float = 1.0) -> None:
    """Ask the courier for each parcel; crash after about ``fails_after`` seconds."""
    last = round(random.uniform(0.8, 1.2) * fails_after / pause)
    for parcel in context.every(pause):
        context.beat(f"asked for parcel {parcel}")
        if parcel >= last:
            raise CourierUnavailableError("503 Service Unavailable: the courier is out")


@job
def print_labels(context: JobContext, jams_after: float = 35.0, pause: float = 1.0) -> None:
    """Print labels; after ``jams_after`` seconds wait for the printer for ever, until the heartbeat timeout ends it."""
    for label in context.every(pause):
        context.beat(f"printing label {label}")
        if label >= jams_after / pause:
            _wait_for_printer()


def _wait_for_printer() -> None:
    ours, printer = socket.socketpair()
    with ours, printer:
        ours.recv(1)


@job
def build_catalogue(context: JobContext, page_mib: float = 2.0, most: int = 100, pause: float = 1.0) -> None:
    """Add a page at each turn and keep all of them in memory, up to ``most`` pages."""
    pages: list[bytes] = []
    for _ in context.every(pause):
        if len(pages) < most:
            pages.append(b"." * round(page_mib * 2**20))
        context.beat(f"{len(pages)} pages, {len(pages) * page_mib:g} MiB")
