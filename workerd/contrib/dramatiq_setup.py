"""dramatiq's broker and task modules in a forked process, as its command and django-dramatiq's would have them."""

from importlib import import_module
from io import StringIO
from threading import Thread

from django_dramatiq.management.commands.rundramatiq import Command
from dramatiq import Broker, Middleware, get_broker


def prepare_broker(name: str, middleware: Middleware) -> Broker:
    """Return the project's broker, with one more ``middleware``; ``name`` is this process's own."""
    broker = get_broker()
    if "broker_id" in vars(broker):  # by which Redis tells whose tasks come back: all forks would have the same one
        broker.broker_id = name
    broker.add_middleware(middleware)
    _renew_threads(broker)
    broker.emit_after("process_boot")
    return broker


def import_tasks() -> None:
    """Import the modules of tasks that django-dramatiq finds."""
    _, *modules = Command(stdout=StringIO()).discover_tasks_modules()  # the first one is Django's setup
    for module in modules:
        import_module(module)


def _renew_threads(broker: Broker) -> None:
    """Make the threads of its middleware anew: one that was made before a fork cannot be started after it."""
    for middleware in broker.middleware:
        for part in vars(middleware).values():
            if isinstance(part, Thread):
                Thread.__init__(part, name=part.name, daemon=part.daemon)
