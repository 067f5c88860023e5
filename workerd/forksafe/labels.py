"""The name that sessions carry, for whoever looks at the server: application_name, or MySQL's program_name."""

import contextlib
import inspect
import os
from collections.abc import Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

MAX_BYTES = 63
"""PostgreSQL cuts application_name there (NAMEDATALEN), with a notice."""
_label = ""


def label_sessions(text: str) -> None:
    """Name every session opened from now on in this process; a name that the project's own OPTIONS give wins.

    libpq takes it from PGAPPNAME, so pools and raw connections carry it too.
    """
    global _label
    _label = text.replace("\0", "").encode()[:MAX_BYTES].decode(errors="ignore")
    os.environ["PGAPPNAME"] = _label


@contextlib.contextmanager
def labelled_parameters(wrapper: BaseDatabaseWrapper) -> Iterator[None]:
    """While it lasts, have the wrapper's connection parameters name the program, where its driver can (PyMySQL)."""
    if not _label or wrapper.vendor != "mysql" or not _takes_program_name(wrapper):
        yield
        return
    original = wrapper.get_connection_params

    def get_connection_params() -> dict[str, Any]:
        return {"program_name": _label, **original()}

    wrapper.__dict__["get_connection_params"] = get_connection_params
    try:
        yield
    finally:
        wrapper.__dict__.pop("get_connection_params", None)


def _takes_program_name(wrapper: BaseDatabaseWrapper) -> bool:
    connection = getattr(getattr(wrapper, "Database", None), "Connection", None)
    try:
        return "program_name" in inspect.signature(connection).parameters  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
