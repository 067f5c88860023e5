"""The words of ``drain`` while it waits: for whom, and each sentence once."""

from io import StringIO

import pytest
from django.core.management.base import BaseCommand

from workerd.management.verbs import drain


def test_it_tells_for_whom_it_waits_and_says_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = iter(["", "waits for b", "waits for b", "draining"])
    monkeypatch.setattr(drain, "ask", lambda *_: {"daemon": {"drain": next(sentences)}})
    printed = StringIO()
    command = BaseCommand(stderr=printed, no_color=True)
    account = drain.Account(command)
    for _ in range(4):
        account()

    assert printed.getvalue() == "waits for b\ndraining\n"
