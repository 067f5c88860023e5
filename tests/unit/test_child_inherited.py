"""What a child must not share with its siblings; what other packages do in that must not cost the process."""

import os
import sys
from types import ModuleType

import pytest

from workerd.child.inherited import leave_inheritance


class Strange(ModuleType):
    """A module of a known name, with nothing in it that is known."""

    def seed(self) -> None:
        raise ValueError("can only re-seed a MT19937 BitGenerator")


@pytest.mark.parametrize("name", ["numpy.random", "faker.generator"])
def test_a_generator_that_cannot_be_seeded_costs_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, Strange(name))

    child = os.fork()
    if child == 0:
        code = 1
        try:
            leave_inheritance()
            code = 0
        finally:
            os._exit(code)

    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
