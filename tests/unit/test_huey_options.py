"""What the settings and a row say of huey's consumer together."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from workerd.contrib.huey_options import consumer_options


@pytest.fixture
def consumer(settings: Any) -> dict[str, Any]:
    """``HUEY["consumer"]``, which a test fills."""
    settings.HUEY = {"name": "shop", "consumer": {}}
    found: dict[str, Any] = settings.HUEY["consumer"]
    return found


def test_the_row_has_precedence(consumer: dict[str, Any]) -> None:
    consumer.update(workers=2, worker_type="thread", max_delay=3)

    assert consumer_options(0, "") == {"workers": 2, "worker_type": "thread", "max_delay": 3}
    assert consumer_options(4, "process") == {"workers": 4, "worker_type": "process", "max_delay": 3}


def test_how_to_log_and_to_stop_is_left_out(consumer: dict[str, Any]) -> None:
    consumer.update(logfile="huey.log", verbose=True, graceful_signal="INT", shutdown_timeout=1)

    assert consumer_options(0, "") == {}


def test_a_huey_that_is_no_mapping_says_nothing(settings: Any) -> None:
    settings.HUEY = object()

    assert consumer_options(0, "") == {}


@pytest.mark.parametrize("name", ["greenlet", "gevent"])
def test_greenlets_are_refused_with_the_remedy(consumer: dict[str, Any], name: str) -> None:
    consumer.update(worker_type=name)

    with pytest.raises(ImproperlyConfigured, match=f"of the type “{name}” here.*Say “thread” or “process”"):
        consumer_options(0, "")
    assert consumer_options(0, "process") == {"worker_type": "process"}
