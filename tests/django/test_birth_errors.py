"""A fork that the kernel refuses: the forkserver says what there is too little of, whichever fork it was."""

import errno
import os
from collections.abc import Sequence
from typing import Any

import pytest

from workerd.forkserver.birth import BirthError, Newborn, bear
from workerd.forkserver.preparation import Preparation


class RefusedFork:
    """The fork of siblings, which the kernel refuses."""

    def fork(self) -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


class Prepared(Preparation):
    """Everything is closed, and what is given is how to fork."""

    def __init__(self, siblings: Any = None) -> None:
        super().__init__(None)
        self.siblings = siblings

    def prepare(self, descriptors: Sequence[int]) -> None:
        """Nothing is left to do."""


@pytest.mark.parametrize("failing", [1, 2], ids=["the first fork", "the second fork"])
@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.EAGAIN, "fork failed, Resource temporarily unavailable (limit on processes)"),
        (errno.ENOMEM, "fork failed, Cannot allocate memory (memory)"),
    ],
)
def test_what_is_lacking_is_said(monkeypatch: pytest.MonkeyPatch, failing: int, code: int, said: str) -> None:
    forks, fork = iter((1, 2)), os.fork
    nothing: Any = None

    def fail() -> int:
        if next(forks) == failing:
            raise OSError(code, os.strerror(code))
        return fork()

    monkeypatch.setattr(os, "fork", fail)

    with pytest.raises(BirthError) as refused:
        bear(nothing, Newborn((), is_spare=False), Prepared())

    assert str(refused.value) == said


def test_what_one_fork_lacks_is_said() -> None:
    nothing: Any = None

    with pytest.raises(BirthError) as refused:
        bear(nothing, Newborn((), is_spare=False), Prepared(RefusedFork()))

    assert str(refused.value) == "fork failed, Resource temporarily unavailable (limit on processes)"
