"""The audit: processes that share a database session are found from /proc alone."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workerd.forksafe.__main__ import main
from workerd.forksafe.audit import audit

from .conftest import ROOT

ANY = pytest.mark.backends("sqlite")
HOLDER = "import sys; print('ready', flush=True); sys.stdin.read()"


@pytest.fixture
def session() -> Iterator[socket.socket]:
    """A connection to something that listens on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            yield client


@pytest.fixture
def sharer(session: socket.socket) -> Iterator[int]:
    """Another process that inherited the connection."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[session.fileno()]
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


@ANY
def test_two_processes_with_one_session_are_named_with_their_command_lines(session: socket.socket, sharer: int) -> None:
    port = session.getpeername()[1]
    [shared] = audit(ports={port}).shared

    assert shared.peer == f"127.0.0.1:{port}"
    assert shared.client == f"127.0.0.1:{session.getsockname()[1]}"
    assert [pid for pid, _ in shared.holders] == sorted([os.getpid(), sharer])
    assert HOLDER in dict(shared.holders)[sharer]
    assert str(sharer) in str(shared)


@ANY
def test_only_sessions_of_the_given_processes_are_reported(session: socket.socket, sharer: int) -> None:
    port = session.getpeername()[1]

    assert len(audit(pids=[sharer], ports={port}).shared) == 1
    assert audit(pids=[1], ports={port}).shared == ()


@ANY
def test_a_session_of_one_process_or_to_another_port_is_no_finding(session: socket.socket) -> None:
    port = session.getpeername()[1]

    assert audit(pids=[os.getpid()], ports={port}).shared == ()


@ANY
def test_the_command_exits_1_where_a_session_is_shared(
    session: socket.socket, sharer: int, capsys: pytest.CaptureFixture[str]
) -> None:
    port = str(session.getpeername()[1])

    assert main(["audit", str(sharer), "--port", port]) == 1
    assert "is held by 2 processes:" in capsys.readouterr().out


@ANY
def test_the_command_exits_0_where_none_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(os.getpid())]) == 0
    assert capsys.readouterr().out == "No two processes share a database session.\n"


@ANY
def test_the_command_needs_no_django(tmp_path: Path) -> None:
    (tmp_path / "workerd").symlink_to(ROOT / "workerd")
    code = (
        "import sys; sys.modules['django'] = None; import runpy; runpy.run_module('workerd.forksafe', {}, '__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, "audit", str(os.getpid())],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr.partition("Processes")[0]) == (0, "")
