"""A pytest session for one more backend, in an interpreter of its own; its reports become our session's."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pytest

from .backend import Backend

HARMLESS = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)


class Reporter:
    """In the further session: writes each report as a line of JSON."""

    def __init__(self, config: pytest.Config, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._config = config
        self._stream = os.fdopen(descriptor, "w", buffering=1)

    def introduce(self, line: str) -> None:
        """Say what the backend is."""
        self._send("backend", line)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._send("test", self._config.hook.pytest_report_to_serializable(config=self._config, report=report))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._send("broken", f"{report.nodeid}\n{report.longreprtext}")

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._send("finished", int(exitstatus))

    def _send(self, kind: str, value: Any) -> None:
        self._stream.write(json.dumps([kind, value], default=str) + "\n")


def run_session(session: pytest.Session, backend: Backend, nodeids: Sequence[str], env: Mapping[str, str]) -> None:
    """Run the tests on ``backend`` and report them in ``session``; a session that breaks down is a failed test."""
    session.testscollected += len(nodeids)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "arguments").write_text("\n".join(nodeids))
        arguments = [f"--backends={backend.name}", *_options(session.config), f"@{folder / 'arguments'}"]
        process, stream = _start(session.config.rootpath, arguments, folder / "output", env)
        finished = None
        try:
            with stream:
                finished = _relay(session, backend, stream)
        finally:
            if finished is None:
                process.terminate()
            code = process.wait()
        if finished not in HARMLESS and not session.shouldfail:
            output = (folder / "output").read_text(errors="replace")
            _fail(session, backend, f"the session ended with {code}\n{output[-8000:]}")
    if session.shouldfail:
        raise session.Failed(session.shouldfail)


def _options(config: pytest.Config) -> list[str]:
    """Those of our own options that shape a report."""
    options = ["-p", "no:cacheprovider", f"--tb={config.option.tbstyle}", f"--maxfail={config.option.maxfail or 0}"]
    if (seed := getattr(config.option, "randomly_seed", None)) is not None:
        options.append(f"--randomly-seed={seed}")
    return options


def _start(
    rootpath: Path, arguments: list[str], output_path: Path, env: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], IO[str]]:
    reading, writing = os.pipe()
    with output_path.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", f"--relay-to={writing}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=rootpath,
            pass_fds=[writing],
            env=env,
        )
    os.close(writing)
    return process, os.fdopen(reading)


def _relay(session: pytest.Session, backend: Backend, stream: IO[str]) -> int | None:
    """Report what arrives until the end, and return the session's exit status, or None if it did not say."""
    hook = session.config.hook
    for line in stream:
        match json.loads(line):
            case ["backend", says]:
                _announce(session.config, says)
            case ["test", data]:
                report = hook.pytest_report_from_serializable(config=session.config, data=data)
                if isinstance(report.longrepr, list):  # a skip's place and reason: a tuple, before it was JSON
                    report.longrepr = tuple(report.longrepr)
                report.nodeid += f" @{backend.name}"
                if report.when == "setup":
                    hook.pytest_runtest_logstart(nodeid=report.nodeid, location=report.location)
                hook.pytest_runtest_logreport(report=report)
                if report.when == "teardown":
                    hook.pytest_runtest_logfinish(nodeid=report.nodeid, location=report.location)
            case ["broken", says]:
                _fail(session, backend, says)
            case ["finished", status]:
                return int(status)
        if session.shouldfail:
            return None
    return None


def _announce(config: pytest.Config, line: str) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:
        terminal.write_line(f"\n{line}")
        terminal.currentfspath = None


def _fail(session: pytest.Session, backend: Backend, says: str) -> None:
    report = pytest.TestReport(
        nodeid=f"session @{backend.name}",
        location=("session", None, backend.name),
        keywords={},
        outcome="failed",
        longrepr=says,
        when="call",
    )
    session.config.hook.pytest_runtest_logreport(report=report)
