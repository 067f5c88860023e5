"""The name of a process in ``ps`` and ``top``."""

import os

from setproctitle import setproctitle, setthreadtitle


def show_title(title: str, name: str) -> None:
    """Show ``title`` in ``ps``, and ``name``, a single word, in ``top``."""
    # setproctitle writes over the process's environment to make room for a long title, and the daemon finds processes
    # that it has left behind by WORKERD_TREE in /proc/PID/environ. SPT_NOENV keeps it off.
    before = os.environ.get("SPT_NOENV")
    os.environ["SPT_NOENV"] = "1"
    try:
        setproctitle(title)
    finally:
        if before is None:
            del os.environ["SPT_NOENV"]
        else:
            os.environ["SPT_NOENV"] = before
    # Python finds the number of threads in /proc/self/stat by counting words: a name of several makes it warn at forks.
    setthreadtitle(name)
