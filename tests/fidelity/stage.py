"""A folder, a fresh database and a port for one run of a case, and the run itself: plainly, or under workerd."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from django.db import connections

from tests.harness.backends.server import ending_with_us, free_port
from tests.harness.daemon import Daemon
from tests.harness.processes import ProcessTree
from tests.harness.project import ALIAS, ROOT, Project
from tests.harness.waiting import TooLateError, eventually

from .case import Case, load_module
from .observation import Line, Observation, counted, steady
from .output import exit_of, read_events, read_plain
from .services import redis_keys

JOB = "command"
SETTINGS_MODULE = "tests.fidelity.site.settings"
WORK_WITHIN_S, END_WITHIN_S, GONE_WITHIN_S = 40.0, 30.0, 1.0
OUR_TABLES = ("workerd_", "django_migrations", "django_content_type", "auth_", "sqlite_")
OUR_FILES = ("state", "stdout", "stderr", "work")


@dataclass
class Stage:
    """Where one run happens."""

    name: str
    case: Case
    project: Project
    servers: dict[str, str] = field(default_factory=dict)
    received: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = self.project.folder
        self.port = free_port()
        self.tree = ProcessTree(self.project.mark)

    def prepare(self) -> None:
        """Tell the project's processes what they are for, and make the tables of the case's apps."""
        self.project.extra_env = {
            "DJANGO_SETTINGS_MODULE": SETTINGS_MODULE,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'django_site'}",
            "PYTHONUNBUFFERED": "1",  # else a plain command that a signal ends loses what it printed
            "FIDELITY_CASE": self.name,
            "FIDELITY_FOLDER": str(self.folder),
            "FIDELITY_PORT": str(self.port),
            **self.servers,
            **self.case.environment,
        }
        done = self.project.manage("migrate", "--verbosity=0")
        if done.returncode != 0:
            raise RuntimeError(f"migrate ended with {done.returncode}:\n{done.stderr}")

    @property
    def noise(self) -> tuple[str, ...]:
        """What differs from run to run."""
        return (re.escape(str(self.folder)), *self.case.noise)

    @property
    def command(self) -> str:
        return self.case.command.format(port=self.port, folder=self.folder)

    # the run

    def run_plain(self, number: int = signal.SIGTERM) -> Observation:
        """Run ``manage.py COMMAND``, as a shell or supervisor does; send ``number`` while it works."""
        words = [*self.project.command, *shlex.split(self.command)]
        with (self.folder / "stdout").open("w") as out, (self.folder / "stderr").open("w") as err:
            with self._work_beforehand():
                process = subprocess.Popen(
                    ending_with_us(words),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    env=self.project.env,
                    cwd=self.folder,
                    start_new_session=True,
                )
                try:
                    with self._work(lambda: process.poll() is None):
                        began = time.monotonic()
                        os.kill(process.pid, number)
                        code = process.wait(END_WITHIN_S)
                        seconds = time.monotonic() - began
                finally:
                    process.kill()
                    process.wait()
            return self._observe(code, seconds, self._said)

    def run_under(self, daemon: Daemon) -> Observation:
        """Run a row with the command, and stop it while it works."""
        daemon.start()
        with self._work_beforehand():
            self.project.add_job(JOB, command=self.command, stop_timeout=END_WITHIN_S - 5, backoff_initial=60)
            with self._work(lambda: not daemon.events("child.exited", job=JOB)):
                began = time.monotonic()
                daemon.ask(
                    {"verb": "stop", "names": [JOB]}, END_WITHIN_S
                )  # a row's edit could wait for the job's locks
                event = daemon.wait_event("child.exited", within=END_WITHIN_S, job=JOB)
                seconds = time.monotonic() - began
        code = -signal.Signals[event["signal"]] if event.get("signal") else int(event["exit_code"])
        seen = self._observe(code, seconds, lambda: read_events(daemon.events(), self.noise), [daemon.pid])
        daemon.stop()
        return seen

    @contextlib.contextmanager
    def _work_beforehand(self) -> Iterator[None]:
        if self.case.beforehand:
            self._hand_out().communicate(timeout=WORK_WITHIN_S)
        yield

    @contextlib.contextmanager
    def _work(self, is_running: Callable[[], bool]) -> Iterator[None]:
        """Hand out work, and go on when the short one is done and the long one has begun."""
        handing = None if self.case.beforehand else self._hand_out()
        try:
            self._wait_for_work(is_running, handing)
            yield
        finally:
            if handing is not None:
                handing.communicate(timeout=WORK_WITHIN_S)

    def _wait_for_work(self, is_running: Callable[[], bool], handing: "subprocess.Popen[str] | None") -> None:
        def is_in_hand() -> bool:
            if not is_running():
                raise RuntimeError(f"the command ended before it was asked to:\n{self._texts()}")
            if handing is not None and handing.poll():
                raise RuntimeError(f"the work was not handed out: {handing.communicate()[1]}")
            deeds = {" ".join(line.split()[:2]) for line in self.deeds()}
            if not deeds.isdisjoint({"done long", "cut long"}):
                raise RuntimeError(f"nothing is in hand any more: {self.deeds()}")
            return {"done short", "began long"} <= deeds

        try:
            eventually(is_in_hand, WORK_WITHIN_S, "work in hand")
        except TooLateError as error:
            error.add_note(f"{self.deeds()}\n{self._texts()}")
            raise

    def _hand_out(self) -> "subprocess.Popen[str]":
        words = [*self.project.command, "enqueue", "short=0", f"long={self.case.long_s}"]
        return subprocess.Popen(
            words, env=self.project.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    # what was seen

    def deeds(self) -> list[str]:
        """What the work has written down so far."""
        path = self.folder / "work"
        return path.read_text().splitlines() if path.exists() else []

    def _observe(
        self, code: int, seconds: float, said: Callable[[], list[Line]], daemons: Sequence[int] = ()
    ) -> Observation:
        processes = self._left_processes(daemons)
        heard = [f"received {words}" for words in self._understood()]
        left = [*processes, *self._rows(), *self._keys(), *self._files()]
        deeds = sorted(steady(line, self.noise) for line in [*self.deeds(), *heard])
        return Observation(exit_of(code), tuple(deeds), tuple(left), tuple(said()), seconds)

    def _understood(self) -> list[str]:
        understand = getattr(load_module(self.name), "understand", None)
        return understand(self.received) if understand else []

    def _said(self) -> list[Line]:
        return [line for stream, text in self._texts().items() for line in read_plain(text, stream, self.noise)]

    def _texts(self) -> dict[str, str]:
        paths = [self.folder / stream for stream in ("stdout", "stderr")]
        return {path.name: path.read_text(errors="replace") if path.exists() else "" for path in paths}

    def _left_processes(self, daemons: Sequence[int]) -> list[str]:
        """Return what the command has started and left running, a moment after its end."""

        def left() -> list[str]:
            found = [process for process in self.tree.look(*daemons) if process.pid not in daemons]
            found = [process for process in found if not process.is_zombie]
            lines = [process.command_line() for process in found]
            ours = ("workerd: tests forkserver", "workerd: tests spare", "workerd: tests workerd.")
            return [f"process {steady(line)}" for line in lines if line and not line.startswith(ours)]

        try:
            eventually(lambda: not left(), GONE_WITHIN_S)
            return []
        except TooLateError:
            return sorted(left())

    def _rows(self) -> list[str]:
        """Return how many rows each table has, and each value of the columns that the case names."""
        connection = connections[ALIAS]
        counts = {}
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                if not table.startswith(OUR_TABLES):
                    cursor.execute(f'SELECT count(*) FROM "{table}"')
                    counts[table] = cursor.fetchone()[0]
            for name in self.case.columns:
                table, _, column = name.partition(".")
                cursor.execute(f'SELECT "{column}", count(*) FROM "{table}" GROUP BY 1')
                counts |= {f"{name}={value}": count for value, count in cursor.fetchall()}
        return counted("rows", counts)

    def _keys(self) -> list[str]:
        url = self.servers.get("FIDELITY_REDIS")
        if not url:
            return []
        counts: dict[str, int] = {}
        for name, count in redis_keys(url).items():
            shown = steady(name, self.noise)
            counts[shown] = counts.get(shown, 0) + count
        return counted("key", counts)

    def _files(self) -> list[str]:
        paths = [path.relative_to(self.folder) for path in sorted(self.folder.rglob("*")) if path.is_file()]
        names = [str(path) for path in paths if path.parts[0] not in OUR_FILES]
        return [f"file {steady(name)}" for name in names if not name.endswith(("-wal", "-shm", "-journal"))]
