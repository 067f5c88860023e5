"""The name of a process in ``ps``, where setproctitle is installed."""

import os


def show_title(title: str) -> None:
    """Show ``title`` in ``ps``; without setproctitle, do nothing."""
    # setproctitle writes over the process's environment to make room for a long title, and the daemon finds processes
    # that it has left behind by WORKERD_TREE in /proc/PID/environ. SPT_NOENV keeps it off.
    before = os.environ.get("SPT_NOENV")
    os.environ["SPT_NOENV"] = "1"
    try:
        from setproctitle import setproctitle

        setproctitle(title)
    except ImportError:
        pass  # an optional extra, only for people who read ps
    finally:
        if before is None:
            del os.environ["SPT_NOENV"]
        else:
            os.environ["SPT_NOENV"] = before
