"""The machine's own control groups: one in each hierarchy, which its cgroup namespace takes for the root."""

import os
from collections.abc import Iterator
from pathlib import Path

from tests.harness.waiting import eventually

NOT_FOR_US = "cpuset"
"""A new group of it takes nobody until it has been given processors."""
JOIN = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"'


class Groups:
    """Below ours in version 1, so that our limits go on to hold; at the top in version 2, where the controllers are."""

    def __init__(self, name: str) -> None:
        self._paths = [place / name for place in _places()]

    def command(self, *words: str) -> list[str]:
        """Make the groups, and return a command that joins them and becomes ``words``."""
        for path in self._paths:
            path.mkdir()
        return ["sh", "-c", JOIN, "join", *map(str, self._paths), "--", *words]

    def remove(self) -> None:
        """Take them away with all that was made in them, once everybody in there has ended."""
        eventually(self._dissolve, what="the end of the machine's control groups")

    def _dissolve(self) -> bool:
        for path in self._paths:
            for folder, _, _ in os.walk(path, topdown=False):
                try:
                    Path(folder).rmdir()
                except OSError:  # a process in there is not reaped yet
                    return False
        return True


def _places() -> Iterator[Path]:
    """Yield the folder in each mounted hierarchy under which a group of ours may stand."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    paths = {controller: path.lstrip("/") for _, controllers, path in lines for controller in controllers.split(",")}
    for line in Path("/proc/mounts").read_text().splitlines():
        _, folder, kind, options, *_ = line.split()
        known = set(options.split(",")) & set(paths)
        if kind == "cgroup2":
            yield Path(folder)
        elif kind == "cgroup" and known and NOT_FOR_US not in known:
            yield Path(folder) / paths[known.pop()]
