"""A module whose import never ends, as one does that asks a server that does not answer."""

import time


def wait_for_licence_server() -> None:
    """Wait for an answer that does not come."""
    time.sleep(3600)


wait_for_licence_server()


def run() -> None:
    """Never reached."""
