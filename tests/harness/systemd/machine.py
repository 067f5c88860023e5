"""A machine whose PID 1 is a real systemd, in namespaces of its own: booted, commanded, looked at, switched off."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.harness.waiting import eventually

from .groups import Groups

BOOT = Path(__file__).with_name("boot.sh")
SYSTEMD = Path("/lib/systemd/systemd")
PROGRAMS = ("unshare", "nsenter", "systemctl", "journalctl")
UP_WITHIN_S = 60.0
CGROUPS = "/sys/fs/cgroup"
NAMESPACES = ("--mount", "--pid", "--cgroup", "--ipc", "--uts")
"""As ``unshare`` and ``nsenter`` call them."""


def missing() -> str:
    """Return what keeps a systemd from being booted here, empty where nothing does."""
    if os.geteuid() != 0:
        return "it needs root"
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent or not SYSTEMD.exists():
        return f"it needs systemd and util-linux ({', '.join(absent) or SYSTEMD})"
    return ""


class Machine:
    """Network, users and programs are the real machine's; /run, /tmp, /var/lib, units and cgroups are its own."""

    def __init__(self, folder: Path, kept: Sequence[Path]) -> None:
        self.folder = folder
        self._kept = [path.resolve() for path in kept]
        self._groups = Groups(f"workerd-tests-{os.getpid()}")
        self._outer: subprocess.Popen[bytes] | None = None
        self.pid = 0

    def boot(self, units: Mapping[str, str]) -> None:
        """Boot with the unit files and drop-ins given by their names, and return when systemd takes commands."""
        folder = self.folder / "units"
        for name, text in units.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        command = self._groups.command("unshare", *NAMESPACES, "--fork", "--kill-child=KILL", "--mount-proc")
        command += ["env", "-i", "container=workerd-tests", f"PATH={os.environ['PATH']}", str(BOOT), str(folder)]
        with (self.folder / "console").open("wb") as console:
            self._outer = subprocess.Popen(
                [*command, *map(str, self._kept)], stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )
        eventually(self._is_up, UP_WITHIN_S, "a systemd that takes commands")

    def run(self, *words: str, within: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command in there; its exit code and output are the caller's to judge."""
        command = ["nsenter", "--target", str(self.pid), *NAMESPACES, *words]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=within, check=False
        )

    def show(self, unit: str, name: str) -> str:
        """Return one property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    def path(self, path: str) -> Path:
        """Return where a path of the machine's is seen from outside."""
        return Path(f"/proc/{self.pid}/root{path}")

    def processes(self, unit: str) -> set[int]:
        """Return the processes in the unit's control group, by their pids out here."""
        group = self.show(unit, "ControlGroup")
        if not group:
            return set()
        files = [self.path(f"{self._tree}{group}/cgroup.procs")]
        files += files[0].parent.glob("**/cgroup.procs")
        try:
            return {int(pid) for file in files for pid in file.read_text().split()}
        except FileNotFoundError:
            return set()

    @property
    def limits_memory(self) -> bool:
        """Whether systemd has the memory controller, in version 2 or 1: a container may be given neither."""
        controllers = self.path(f"{CGROUPS}/cgroup.controllers")
        has_it = controllers.exists() and "memory" in controllers.read_text().split()
        return has_it or self.path(f"{CGROUPS}/memory/memory.limit_in_bytes").exists()

    def journal(self, unit: str) -> str:
        """Return what the unit wrote, and what systemd said about it."""
        return self.run("journalctl", "--unit", unit, "--output", "cat", "--no-pager").stdout

    def switch_off(self) -> None:
        """Kill PID 1, and with it everything in there."""
        if self._outer is not None:
            self._outer.kill()
            self._outer.wait()
            self._outer = None
            self._groups.remove()

    @property
    def _tree(self) -> str:
        """Where systemd keeps track of processes; version 2 stands beside version 1 where that has the controllers."""
        beside = f"{CGROUPS}/unified"
        return beside if self.path(beside).exists() else CGROUPS

    def _is_up(self) -> bool:
        assert self._outer is not None
        if self._outer.poll() is not None:
            raise RuntimeError(f"systemd did not boot: {(self.folder / 'console').read_text(errors='replace')}")
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
        if not children:
            return False
        self.pid = int(children[0])
        if not self.path("/run/systemd/private").exists():
            return False
        return self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")
