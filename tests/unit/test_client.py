"""The command's end of the control socket: what it says where no answer comes."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.test import override_settings

from workerd.conf import Settings, get_settings
from workerd.management import client
from workerd.management.client import NoDaemonError, ask


def settings_of(folder: Path) -> Settings:
    with override_settings(WORKERD={"NAME": "shop", "STATE_DIR": folder}):
        return get_settings()


def why_no_answer(settings: Settings) -> str:
    with pytest.raises(NoDaemonError) as caught:
        ask(settings, {"verb": "ping"}, patience_s=0.05)
    return str(caught.value)


@contextmanager
def as_another_user() -> Iterator[None]:
    """Become a user who may open nothing of root's, not even a module to import, where the tests run as root."""
    user = os.geteuid()
    os.seteuid(65534 if user == 0 else user)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The daemon's end of a control socket in ``tmp_path``, of which nobody takes a request."""
    monkeypatch.chdir(tmp_path)  # its path may be too long for an address
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("shop.sock")
        listener.listen()
        yield listener


def test_where_no_daemon_listens_it_says_how_to_start_one(tmp_path: Path) -> None:
    assert why_no_answer(settings_of(tmp_path)) == (
        f"No daemon named “shop” answers at {tmp_path}/shop.sock (No such file or directory). Start it with "
        "“manage.py workerd run”, or look whether it runs under another user or STATE_DIR."
    )


@pytest.mark.usefixtures("listener")
def test_a_daemon_that_does_not_answer_is_named_by_its_pid(tmp_path: Path) -> None:
    reason = why_no_answer(settings_of(tmp_path))

    assert f"The daemon (pid {os.getpid()}) has taken the request but does not answer within 50 ms" in reason
    assert f"kill -ABRT {os.getpid()}" in reason


@pytest.mark.usefixtures("listener")
def test_a_daemon_that_hangs_while_it_carries_out_an_order_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer itself may take a day."""
    monkeypatch.setattr(client, "ANSWER_PATIENCE_S", 0.05)

    with pytest.raises(NoDaemonError, match="has taken the request but does not answer within 50 ms"):
        ask(settings_of(tmp_path), {"verb": "stop"}, patience_s=24 * 3600)


def test_an_answer_that_takes_long_is_waited_for_while_the_daemon_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    monkeypatch.setattr(client, "ANSWER_PATIENCE_S", 0.05)

    def answer_the_order_after_two_pings() -> None:
        order, _ = listener.accept()
        for _ in range(2):
            ping, _ = listener.accept()
            ping.recv(4096)
            ping.sendall(b'{"ok": true}\n')
            ping.close()
        order.sendall(b'{"ok": true, "slots": {}}\n')
        order.close()

    daemon = threading.Thread(target=answer_the_order_after_two_pings, daemon=True)
    daemon.start()
    told: list[str] = []
    answer = ask(settings_of(tmp_path), {"verb": "stop"}, 24 * 3600, lambda: told.append("it waits"))
    daemon.join()

    assert (answer, told) == ({"ok": True, "slots": {}}, ["it waits"] * 2)


def test_a_daemon_that_so_many_wait_for_that_no_more_fit_hangs_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.pid").write_text(f"{os.getpid()}\n")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiter:
        listener.bind("shop.sock")
        listener.listen(0)
        waiter.connect("shop.sock")
        began = time.monotonic()

        assert f"The daemon (pid {os.getpid()}) has taken" in why_no_answer(settings_of(tmp_path))
        assert time.monotonic() - began >= 0.05, "it did not wait for a place"


def test_one_who_comes_with_many_waits_for_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a deployment gives hundreds of orders in one moment, and somebody asks how things are."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiter:
        listener.bind("shop.sock")
        listener.listen(0)
        waiter.connect("shop.sock")

        def take_one_after_the_other() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    if connection.recv(4096):
                        connection.sendall(b'{"ok": true}\n')

        asked = threading.Timer(0.05, take_one_after_the_other)
        asked.start()
        waiter.shutdown(socket.SHUT_WR)
        assert ask(settings_of(tmp_path), {"verb": "status"}, patience_s=30) == {"ok": True}
        asked.join()


def test_a_daemon_that_is_stopped_needs_to_be_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "import os, signal, socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('shop.sock')\ns.listen()\n"
    code += "os.kill(os.getpid(), signal.SIGSTOP)"
    daemon = subprocess.Popen([sys.executable, "-c", code])
    os.waitid(os.P_PID, daemon.pid, os.WSTOPPED)
    try:
        reason = why_no_answer(settings_of(tmp_path))
    finally:
        daemon.kill()
        daemon.wait()

    assert reason == (
        f"The daemon (pid {daemon.pid}) is stopped, by a signal or a debugger. “kill -CONT {daemon.pid}” continues it."
    )


def test_one_who_may_not_ask_is_told_who_may(tmp_path: Path) -> None:
    owner, settings = tmp_path.owner(), settings_of(tmp_path)
    tmp_path.chmod(0)
    with as_another_user():
        reason = why_no_answer(settings)
    tmp_path.chmod(0o700)

    assert reason.startswith(f"You may not ask the daemon at {tmp_path}/shop.sock: run the command as ")
    assert reason.endswith((f"“{owner}” or as root.", "the daemon's user or as root."))


def test_without_a_state_dir_there_is_no_daemon_to_ask() -> None:
    with override_settings(WORKERD={}), pytest.raises(NoDaemonError, match="is not set, so there is no daemon to ask"):
        ask(get_settings(), {"verb": "ping"})
