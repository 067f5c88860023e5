"""The shipped configuration under a real supervisord: its program, its event listener, supervisorctl."""

import configparser
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.backends.server import ending_with_us
from tests.harness.processes import Process, ProcessTree
from tests.harness.project import MANAGE, ROOT, Project
from tests.harness.waiting import eventually
from workerd.wire.asking import ask

from .typed.pages import collect
from .typed.places import Place, find_place
from .typed.shell import Shell

CONF = ROOT / "deploy" / "supervisor" / "workerd.conf"
SUPERVISORD = Path(sys.prefix) / "bin" / "supervisord"
PROGRAM, LISTENER = "program:workerd", "eventlistener:workerd-listener"
BEFORE = "program:mail"
"""Of which docs/moving.md makes a job."""
PATIENCE_S = 1.0

pytestmark = [
    pytest.mark.backends("any"),
    pytest.mark.slow,
    pytest.mark.skipif(not SUPERVISORD.exists(), reason="supervisor is not installed (the extra “supervisor”)"),
]


class Supervisor:
    """A supervisord with the shipped program and listener, adapted to the project as the file says."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.tree = ProcessTree(project.mark)
        self._conf = project.folder / "supervisord.conf"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, ready: bool = True) -> None:
        self._write_conf()
        command = ending_with_us([SUPERVISORD, "--nodaemon", f"--configuration={self._conf}"])
        with (self.project.folder / "supervisord.out").open("wb") as output:
            self._process = subprocess.Popen(
                command, env=self.project.env, stdout=output, stderr=output, cwd=self.project.folder
            )
        if ready:
            self.wait_running()

    def stop(self) -> None:
        assert self._process is not None
        self.tree.look(self._process.pid)
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        self.tree.assert_gone(within=30)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.tree.kill()

    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.command(), *words], capture_output=True, text=True, timeout=60, check=False)

    def command(self) -> list[str]:
        return [str(SUPERVISORD.with_name("supervisorctl")), f"--configuration={self._conf}"]

    def pid(self) -> int:
        """The daemon's pid, 0 while supervisor runs none."""
        return int(self.ctl("pid", "workerd").stdout.strip() or 0)

    def listener_pid(self) -> int:
        return int(self.ctl("pid", "workerd-listener").stdout)

    def own_pids(self) -> set[int]:
        """supervisord and what it runs beside the daemon."""
        assert self._process is not None
        before = int(self.ctl("pid", BEFORE.removeprefix("program:")).stdout)
        return {self._process.pid, before, self.listener_pid()}

    def wait_running(self, since: int = 0) -> int:
        """Return the daemon's pid once it is ready, and another than ``since``."""

        def is_ready() -> int:
            try:
                daemon = ask(self.project.state_dir, self.project.name, {"verb": "status"}, 5)["daemon"]
            except (OSError, ValueError) as error:
                raise AssertionError(repr(error)) from error
            assert daemon["ready"]
            return int(daemon["pid"]) if daemon["pid"] != since else 0

        return eventually(is_ready, 60, "a ready daemon under supervisor")

    def wait_status(self, state: str, program: str = "workerd") -> None:
        """Wait until supervisor has seen the program in this state, which it looks at now and then."""
        eventually(lambda: state in self.ctl("status", program).stdout.split(), 60, f"{program} {state}")

    def wait_log(self, name: str, words: str) -> None:
        """Wait until supervisor has written the words, which it reads from a pipe."""
        eventually(lambda: words in self.log(name), 60, f"“{words}” in {name}")

    def log(self, name: str) -> str:
        return (self.project.folder / name).read_text(errors="replace")

    def _write_conf(self) -> None:
        shipped = configparser.RawConfigParser(inline_comment_prefixes=(" ;",))
        shipped.read(CONF)
        folder, name = self.project.folder, self.project.name
        for section in (PROGRAM, LISTENER):
            for option in ("user", "environment", "directory"):
                shipped.remove_option(section, option)
            for option in ("stdout_logfile", "stderr_logfile"):
                if shipped.has_option(section, option):
                    shipped[section][option] = str(folder / Path(shipped[section][option]).name)
        words = shlex.split(shipped[PROGRAM]["command"])
        assert words[1].endswith("/manage.py")
        shipped[PROGRAM]["command"] = shlex.join([sys.executable, str(MANAGE), *words[2:]])
        words = shlex.split(shipped[LISTENER]["command"])
        words[words.index("--socket") + 1] = str(self.project.state_dir / f"{name}.sock")
        shipped[LISTENER]["command"] = shlex.join([sys.executable, *words[1:], "--patience", str(PATIENCE_S)])
        own = {
            BEFORE: {"command": "sleep infinity"},
            "unix_http_server": {"file": f"{folder}/sup.sock"},
            "supervisord": {"logfile": str(folder / "supervisord.log"), "pidfile": str(folder / "supervisord.pid")},
            "rpcinterface:supervisor": {
                "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
            },
            "supervisorctl": {"serverurl": f"unix://{folder}/sup.sock"},
        }
        shipped.read_dict(own)
        with self._conf.open("w") as file:
            shipped.write(file)


@pytest.fixture
def supervisor(project: Project) -> Iterator[Supervisor]:
    """A supervisord, not started; stopped after the test, when it must leave nobody behind."""
    project.add_job("idle", backoff_initial=0)
    project.add_job("say", kwargs={"text": "hello from a job"})
    supervisor = Supervisor(project)
    try:
        yield supervisor
        supervisor.stop()
    finally:
        supervisor.kill()


def test_supervisorctl_shows_restarts_and_stops_it_and_its_children_go_with_it(supervisor: Supervisor) -> None:
    supervisor.start()
    first = supervisor.pid()
    supervisor.wait_status("RUNNING")
    eventually(lambda: "hello from a job" in supervisor.ctl("tail", "-100000", "workerd").stdout, 30, "the job's words")

    assert supervisor.ctl("restart", "workerd").returncode == 0

    second = supervisor.wait_running(since=first)
    assert supervisor.pid() == second
    assert supervisor.ctl("stop", "workerd").returncode == 0
    own = supervisor.own_pids()
    eventually(lambda: {process.pid for process in supervisor.tree.look()} == own, 30, "the end of its children")
    supervisor.wait_status("STOPPED")


def test_a_killed_daemon_is_started_again_and_one_that_was_shut_down_is_not(supervisor: Supervisor) -> None:
    supervisor.start()
    first = supervisor.pid()

    os.kill(first, signal.SIGKILL)

    second = supervisor.wait_running(since=first)
    assert ask(supervisor.project.state_dir, supervisor.project.name, {"verb": "shutdown"}, 5) == {"ok": True}
    supervisor.wait_status("EXITED")
    assert Process.look(second) is None


def test_a_daemon_that_hangs_is_noticed_and_started_again_and_says_where_it_hung(supervisor: Supervisor) -> None:
    supervisor.start()
    first = supervisor.pid()

    os.kill(first, signal.SIGSTOP)

    supervisor.wait_running(since=first)
    supervisor.wait_log("workerd-listener.log", f"workerd, pid {first}, has not answered for 1 s")
    supervisor.wait_log("workerd.err", "Fatal Python error: Aborted")


def test_the_command_lines_of_the_pages_do_what_they_are_there_for(supervisor: Supervisor) -> None:
    supervisor.start()
    project = supervisor.project
    program = shlex.join(supervisor.command())
    shell = Shell(project.folder / "shell", project.env, {"supervisorctl": program})
    for line in (line for line in collect() if find_place(line) is Place.SUPERVISOR):
        if " -f " in line.text:
            # not Ctrl-C: supervisorctl's loop swallows one that comes while it prints
            shell.run_until(line.text, '"event":', signal.SIGTERM)
            continue
        done = shell.run(line.text)

        assert done.returncode == 0, (line, done.stdout, done.stderr)
    supervisor.wait_status("STOPPED", "mail")


def test_bad_settings_are_not_tried_again(project: Project, supervisor: Supervisor) -> None:
    project.settings["POLL_SECONDS"] = -1

    supervisor.start(ready=False)

    supervisor.wait_status("EXITED")
    supervisor.wait_log("workerd.err", "POLL_SECONDS")
    supervisor.wait_log("supervisord.log", "exited: workerd (exit status 78; expected)")
    assert supervisor.log("supervisord.log").count("exited: workerd (exit status 78; expected)") == 1
