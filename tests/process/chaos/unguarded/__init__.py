"""Takes fork safety out of this process: no connection is closed before a fork, none is discarded after it.

The first of INSTALLED_APPS, so that it is imported before anything of workerd has asked for these names.
"""

from workerd.conf import get_settings
from workerd.forksafe import installation, preparation
from workerd.forksafe.events import emit
from workerd.forksafe.preparation import Prepared


def prepare_nothing() -> Prepared:
    """Do what the project wants done before a fork, and nothing more."""
    for call in get_settings().load_before_fork():
        call()
    emit("fork.prepared", closed=0, pools=0, ms=0.0)
    return Prepared((), (), 0.0)


def install_nothing(name: str | None = None) -> None:
    """Leave Django's connections as they are: no hook, no discard, no tripwire."""


preparation.prepare_to_fork = prepare_nothing
installation.install = install_nothing
