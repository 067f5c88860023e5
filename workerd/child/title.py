"""The name of a process in ``ps``, where setproctitle is installed."""

import os


def show_title(title: str) -> None:
    """Show ``title``; without touching the environment's memory, by which the daemon knows its own (WORKERD_TREE)."""
    before = os.environ.get("SPT_NOENV")
    os.environ["SPT_NOENV"] = "1"
    try:
        from setproctitle import setproctitle

        setproctitle(title)
    except ImportError:
        pass  # an extra, and only for people who read ps
    finally:
        if before is None:
            del os.environ["SPT_NOENV"]
        else:
            os.environ["SPT_NOENV"] = before
