"""Finds what a daemon needs and this machine does not offer: Linux, a working directory, /proc, calls of the kernel."""

import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

from workerd.wire import prctl
from workerd.wire.channel import Channel
from workerd.wire.page import HeartbeatPage

ALLOW_IT = "allow it in the seccomp profile (of the container, or SystemCallFilter= of systemd)"


def find_machine_problems() -> Iterator[str]:
    """Try what the daemon will do; yield a sentence for each thing that cannot be done, with the remedy."""
    if platform.system() != "Linux":
        yield f"The daemon runs on Linux alone, and this is {platform.system()}: here, “workerd once” runs a job."
        return
    for attempt, what, remedy in _NEEDS:
        try:
            attempt()
        except OSError as error:
            yield f"The daemon needs {what}, and gets “{os.strerror(error.errno or 0)}”: {remedy}."


def _make_page() -> None:
    HeartbeatPage.create().close()


def _make_channel() -> None:
    for end in Channel.pair():
        end.close()


def _look_for_ended() -> None:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return


def _list_children() -> None:
    Path(f"/proc/self/task/{os.getpid()}/children").read_text()


_NEEDS: tuple[tuple[Callable[[], object], str, str], ...] = (
    (os.getcwd, "its working directory", "change to the project's folder, as this one was deleted"),
    (_make_page, "memfd_create(2) with seals, for the signs of life of its processes", ALLOW_IT),
    (_make_channel, "socketpair(2), to talk to its processes", ALLOW_IT),
    (prctl.try_subreaper, "prctl(2), to adopt its processes", ALLOW_IT),
    (_look_for_ended, "waitid(2), to see which process has ended", ALLOW_IT),
    (_list_children, "/proc that tells which processes it has", "mount /proc, of a kernel with CONFIG_PROC_CHILDREN"),
)
