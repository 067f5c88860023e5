"""When a birth is prepared as a whole, and when a look does: nothing was opened or started since the last one."""

import os
import socket
import threading
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from tests.harness.forks import live
from workerd.forkserver import preparation
from workerd.forkserver.preparation import Preparation

JUST_ONCE, EACH_TIME = 1, 2


@pytest.fixture(autouse=True)
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each preparation as a whole."""
    calls: list[str] = []
    monkeypatch.setattr(preparation, "prepare_to_fork", lambda: calls.append("closed"))
    monkeypatch.setattr(preparation, "get_settings", lambda: SimpleNamespace(before_fork=()))
    return calls


def prepare_twice(prepared: list[str], between: Callable[[], Any]) -> int:
    """Return how often a process with one thread prepares as a whole, where ``between`` is what it does meanwhile.

    Descriptors that ``between`` returns as a tuple are the next child's.
    """

    def play() -> int:
        births = Preparation(None)
        births.prepare(())
        kept = between()
        births.prepare(kept if isinstance(kept, tuple) else ())
        return len(prepared)

    return int(live("os.fork", play).child)


def test_where_nothing_has_happened_a_look_does(prepared: list[str]) -> None:
    assert prepare_twice(prepared, lambda: None) == JUST_ONCE


def test_the_descriptors_of_the_child_itself_do_not_count(prepared: list[str]) -> None:
    assert prepare_twice(prepared, os.pipe) == JUST_ONCE


@pytest.mark.parametrize(
    "between",
    [
        lambda: [socket.create_server(("127.0.0.1", 0))],
        lambda: [os.dup2(os.open(os.devnull, os.O_RDONLY), 0)],
        partial(os.close, 0),
        lambda: threading.Thread(target=threading.Event().wait, daemon=True).start(),
    ],
    ids=["a socket", "another file", "a closed file", "a thread"],
)
def test_whatever_was_opened_closed_or_started_counts(prepared: list[str], between: Callable[[], Any]) -> None:
    assert prepare_twice(prepared, between) == EACH_TIME


def test_a_connection_in_the_place_of_another_counts(prepared: list[str]) -> None:
    def between() -> list[socket.socket]:
        return [*socket.socketpair()]

    def play() -> int:
        births, held = Preparation(None), between()
        births.prepare(())
        numbers = [sock.fileno() for sock in held]
        for sock in held:
            sock.close()
        held = between()
        assert [sock.fileno() for sock in held] == numbers
        births.prepare(())
        return len(prepared)

    assert live("os.fork", play).child == EACH_TIME


def test_beside_a_thread_each_birth_is_prepared_as_a_whole(prepared: list[str]) -> None:
    def play() -> int:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        births = Preparation(None)
        births.prepare(())
        births.prepare(())
        return len(prepared)

    assert live("os.fork", play).child == EACH_TIME


def test_what_the_project_wants_done_is_done_before_each(monkeypatch: pytest.MonkeyPatch, prepared: list[str]) -> None:
    monkeypatch.setattr(preparation, "get_settings", lambda: SimpleNamespace(before_fork=("shop.before",)))

    assert prepare_twice(prepared, lambda: None) == EACH_TIME


def test_after_a_refusal_the_next_one_is_whole(monkeypatch: pytest.MonkeyPatch, prepared: list[str]) -> None:
    def refuse() -> None:
        prepared.append("refused")
        raise RuntimeError("a transaction is open")

    def play() -> list[str]:
        births = Preparation(None)
        births.prepare(())
        end, _ = os.pipe()
        monkeypatch.setattr(preparation, "prepare_to_fork", refuse)
        for _ in range(2):
            with pytest.raises(RuntimeError):
                births.prepare(())
        os.close(end)
        return prepared

    assert live("os.fork", play).child == ["closed", "refused", "refused"]
