"""The verbs that do not wait for the project."""

from workerd.management.asking import ASKING
from workerd.management.early_verbs import MODULES
from workerd.management.verbs.orders import SUMMARIES


def test_they_are_run_and_all_that_ask_the_daemon() -> None:
    assert {*MODULES, *SUMMARIES} == {"run", *ASKING}
