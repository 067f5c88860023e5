"""What a child must not share with its siblings; what other packages do in that must not cost the process."""

import multiprocessing
import multiprocessing.util
import os
import signal
import sys
import weakref
from collections.abc import Callable
from types import ModuleType

import pytest

from workerd.child import inherited
from workerd.child.inherited import give_endings_back, keep_endings, leave_inheritance


class Strange(ModuleType):
    """A module of a known name, with nothing in it that is known."""

    def seed(self) -> None:
        raise ValueError("can only re-seed a MT19937 BitGenerator")


@pytest.mark.parametrize("name", ["numpy.random", "faker.generator"])
def test_a_generator_that_cannot_be_seeded_costs_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, Strange(name))

    assert exit_code_of_child(lambda: 0) == 0


def test_generators_that_a_process_shares_are_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[str] = []
    numpy, faker, mod_random = (ModuleType(name) for name in ("numpy.random", "faker.generator", "random"))
    vars(numpy)["seed"] = lambda: seeded.append("numpy")
    vars(mod_random)["seed"] = lambda: seeded.append("faker")
    vars(faker)["mod_random"] = mod_random
    for module in (numpy, faker):
        monkeypatch.setitem(sys.modules, module.__name__, module)

    assert exit_code_of_child(lambda: len(seeded)) == 2
    assert seeded == []


def test_a_process_of_the_load_is_not_ended_by_a_child() -> None:
    """Only its own parent may join it; the exit function of multiprocessing ends those that are daemons."""
    process = multiprocessing.get_context("fork").Process(target=signal.pause, daemon=True)
    process.start()
    try:
        assert exit_code_of_child(lambda: multiprocessing.util._exit_function() or 0) == 0  # type: ignore[attr-defined]
        assert process.is_alive()
    finally:
        process.kill()
        process.join()


def test_what_the_load_is_to_end_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Thing:
        """Something with an end."""

    thing, later = Thing(), Thing()
    ended = weakref.finalize(thing, print)
    try:
        keep_endings()

        assert not ended.atexit
        assert exit_code_of_child(lambda: int(weakref.finalize(later, print).atexit)) == 1, "a child's own is its own"

        last = weakref.finalize(later, print)  # as BEFORE_FORK may leave one
        assert exit_code_of_child(lambda: int(last.atexit)) == 0
        last.detach()
        give_endings_back()
        assert ended.atexit
    finally:
        ended.detach()
        monkeypatch.setattr(inherited, "_endings", [])


def exit_code_of_child(then: Callable[[], int]) -> int:
    """Have a fork leave what it inherits and do what comes ``then``; return the number of that, or 99."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            leave_inheritance()
            code = then()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)
