"""The settings of the project's Celery app, where the project has loaded one; nothing is imported to read them."""

import sys
from collections.abc import Iterable
from typing import Any

DELIVERY_LIMIT, QUEUE_TYPE = "x-delivery-limit", "x-queue-type"


def read_conf(name: str) -> Any:
    """Return a setting of Celery; None where it is not set, cannot be read, or no app is loaded."""
    try:
        return getattr(_app().conf, name, None)
    except Exception:  # noqa: BLE001 - the border to the project's settings, which Celery reads now: it will say it
        return None


def is_on_amqp() -> bool:
    """Return whether the worker takes its tasks from a broker that speaks AMQP, which is Celery's default."""
    url = read_conf("broker_read_url")
    first = url[0] if isinstance(url, list | tuple) and url else url
    return _app() is not None and "amqp" in str(first or "amqp://").partition(":")[0]


def unlimited_queues(names: Iterable[str]) -> dict[str, bool]:
    """Return those of the queues that have no limit of their own to how often they deliver one message.

    The value says whether it is a quorum queue, to which RabbitMQ gives a limit from its version 4 on.
    """
    try:
        app = _app()
        queues = app.amqp.Queues(app.conf.task_queues)  # those of the app itself stay as they are
        arguments = {name: queues[name].queue_arguments or {} for name in names}
    except Exception:  # noqa: BLE001 - as above
        return {}
    return {name: _is_quorum(given) for name, given in arguments.items() if DELIVERY_LIMIT not in given}


def _is_quorum(arguments: Any) -> bool:
    return bool(arguments.get(QUEUE_TYPE) == "quorum")


def _app() -> Any:
    """Return the current app, and make none: Celery does where it is asked for one and there is none."""
    state: Any = sys.modules.get("celery._state")
    return None if state is None else state._tls.current_app or state.default_app
