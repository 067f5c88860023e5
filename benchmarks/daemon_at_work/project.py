"""A throw-away project on SQLite with rows for a benchmark, and the daemon on it, started by the real command."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workerd.wire.asking import ask

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 120.0
CREATE_ROWS = """
import json, sys
from workerd.models import Job
Job.objects.bulk_create(Job(**row) for row in json.loads(sys.stdin.read()))
"""


class Project:
    """A folder with a state directory and a migrated SQLite database."""

    def __init__(self, folder: Path, tree: Path = ROOT, **settings: Any) -> None:
        """Make it in ``folder``; ``tree`` is the copy of this repository whose workerd runs it, with these jobs."""
        self.state_dir = folder / "state"
        self._manage_py = tree / "django_site" / "manage.py"
        options = {"TARGETS": ["benchmarks.*"], "LOG_FORMAT": "json", **settings}
        self.env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "django_site.settings",
            "DATABASE_URL": f"sqlite:///{folder}/shop.sqlite3",
            "PYTHONPATH": f"{tree}:{tree / 'django_site'}:{ROOT}",
            "WORKERD_NAME": "bench",
            "WORKERD_STATE_DIR": str(self.state_dir),
            "WORKERD_SETTINGS": json.dumps(options),
        }
        self.manage("migrate", "--skip-checks", "--verbosity=0")

    def add_jobs(self, *rows: dict[str, Any]) -> None:
        """Create rows."""
        self.manage("shell", "--no-imports", "-c", CREATE_ROWS, text=json.dumps(rows))

    def start(self, stdout: int, within: float = WITHIN_S) -> "subprocess.Popen[bytes]":
        """Start the daemon with this descriptor as its standard output, and return when it is ready."""
        daemon = self.launch(stdout)
        try:
            wait_until(lambda: self.picture()["daemon"]["ready"], "a ready daemon", within)
        except BaseException:
            daemon.kill()
            daemon.wait()
            raise
        return daemon

    def launch(self, stdout: int) -> "subprocess.Popen[bytes]":
        """Start the daemon, and return at once."""
        command = [sys.executable, str(self._manage_py), "workerd", "run"]
        with (self.state_dir.parent / "stderr").open("wb") as stderr:
            return subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)

    def ask(self, request: dict[str, Any], within: float = WITHIN_S) -> Any:
        """Send one request to the control socket and return its answer."""
        return ask(self.state_dir, "bench", request, within)

    def picture(self) -> Any:
        """Return what ``status`` shows."""
        return self.ask({"verb": "status"})

    def pid(self, name: str) -> int:
        """Return the pid of a slot's child, or 0 if the slot does not run."""
        found = {slot["name"]: slot for slot in self.picture()["slots"]}[name]
        return found["pid"] if found["state"] == "RUNNING" else 0

    def manage(self, *words: str, text: str = "") -> None:
        """Run a command of the project."""
        subprocess.run([sys.executable, str(self._manage_py), *words], env=self.env, input=text.encode(), check=True)


@contextmanager
def new_project(**settings: Any) -> Iterator[Project]:
    """Yield a project that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="workerd-bench-"))
    try:
        yield Project(folder, **settings)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(condition: Callable[[], Any], what: str, within: float = WITHIN_S) -> Any:
    """Return the condition's value as soon as it is true; no daemon yet is not true."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if value := condition():
                return value
        except (OSError, ValueError, KeyError):
            pass  # it is still starting
        time.sleep(0.01)
    raise SystemExit(f"{what} did not come within {within:g} s")


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
