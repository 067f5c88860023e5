"""A secret that a row takes from the environment reaches the job, and no text that its process leaves behind."""

import json
from typing import Any

import pytest

from workerd.child.secrets import MASK
from workerd.wire.messages import Refused

from .secret_stories import SECRETS, STORIES
from .test_child_run import JobRun, run, runner

__all__ = ["run", "runner"]
pytestmark = pytest.mark.backends("sqlite")

MODULE = "tests.django.secret_stories"
LONG_ENOUGH = [name for name, value in SECRETS.items() if len(value) > 5]


def start(run: JobRun, function: str, **kwargs: Any) -> Any:
    return run(target=f"{MODULE}.{function}", kwargs=kwargs)


def pieces(value: str) -> list[str]:
    """Return the parts of a value that would give it away, as they are and as ``repr`` and JSON write them."""
    lines = [line for line in value.split("\n") if line]
    parts = [part for line in lines for part in (line, line[:20], line[:24])]
    return [written for part in parts for written in (part, repr(part)[1:-1], json.dumps(part)[1:-1])]


def test_the_job_gets_the_values(run: JobRun) -> None:
    child = start(run, "lengths", **{name: {"$env": name} for name in SECRETS})

    assert child.end() == 0
    assert child.printed == [str({name: len(value) for name, value in SECRETS.items()})]


@pytest.mark.parametrize("name", LONG_ENOUGH)
@pytest.mark.parametrize("story", [function.__name__ for function in STORIES])
def test_no_text_of_its_process_has_the_value(run: JobRun, story: str, name: str) -> None:
    child = start(run, "tell", story=story, key={"$env": name})
    child.end()

    messages = "\n".join(str(message.to_dict()) for message in child.messages)
    texts = {"written": child.written.decode(), "read": str(child.lines), "messages": messages, "note": child.note}
    assert MASK in "".join(texts.values()), texts
    for piece in pieces(SECRETS[name]):
        assert [place for place, text in texts.items() if piece in text] == []


def test_a_value_of_few_characters_is_masked_where_it_stands_in_quotes(run: JobRun) -> None:
    child = start(run, "tell", story="convert", key={"$env": "SHOP_KEY"})

    assert child.end() == 1
    assert child.failed.message == f"could not convert string to float: {MASK}"


def test_a_name_that_is_not_allowed_and_one_that_is_not_set_are_told_alike(run: JobRun) -> None:
    answers = []
    for name in ("PATH", "NOBODY_SETS_THIS", "SHOP_NOT_SET"):
        child = start(run, "lengths", key={"$env": name})
        assert child.end() == 78
        [message] = child.messages
        assert isinstance(message, Refused)
        answers.append(message.reason.replace(name, "NAME"))

    [answer] = set(answers)
    assert answer == (
        "kwargs.key asks for the environment variable “NAME”, which is not allowed or not set. "
        'Add "NAME" to WORKERD["ENV"], set it where the daemon is started, and restart the daemon.'
    )
