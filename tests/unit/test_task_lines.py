"""The lines of an engine's tasks carry the task, whatever a task logs itself."""

import logging
from collections.abc import Iterator

import pytest

from workerd.contrib.task_lines import lines_of, show_lines


@pytest.fixture(autouse=True)
def undone() -> Iterator[None]:
    """Take the filters away, which an engine's own process would keep."""
    handlers = (logging.lastResort, *logging.root.handlers)
    before = {handler: list(handler.filters) for handler in handlers if handler is not None}
    yield
    for handler, filters in before.items():
        handler.filters[:] = filters


def test_a_line_of_a_task_says_which(caplog: pytest.LogCaptureFixture) -> None:
    show_lines("an.engine")
    with lines_of("7", "shop.tasks.pack"):
        logging.getLogger("shop").warning("packed")
    logging.getLogger("shop").warning("idle")

    packed, idle = caplog.records
    assert (vars(packed)["task_id"], vars(packed)["task_name"]) == ("7", "shop.tasks.pack")
    assert "task_id" not in vars(idle)


def test_a_task_may_log_fields_of_these_names(caplog: pytest.LogCaptureFixture) -> None:
    show_lines("an.engine")
    with lines_of("7", "shop.tasks.pack"):
        logging.getLogger("shop").warning("packed", extra={"task_id": "mine"})

    (record,) = caplog.records
    assert (vars(record)["task_id"], vars(record)["task_name"]) == ("mine", "shop.tasks.pack")
