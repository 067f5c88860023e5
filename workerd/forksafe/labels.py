"""The label of sessions, for people who look at the server: PostgreSQL's application_name, MySQL's program_name."""

import contextlib
import inspect
import os
from collections.abc import Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

MAX_BYTES = 63
"""PostgreSQL cuts a longer application_name (NAMEDATALEN), with a notice in each session."""
_label = ""


def label_sessions(text: str) -> None:
    """Label every session that this process opens from now on with ``text``, cut to 63 bytes of UTF-8.

    PostgreSQL shows it as ``application_name``, MySQL with PyMySQL as ``program_name``; mysqlclient cannot send one.
    A name in the project's own OPTIONS wins.
    """
    global _label
    _label = text.replace("\0", "").encode()[:MAX_BYTES].decode(errors="ignore")
    os.environ["PGAPPNAME"] = _label  # read by libpq, and so by pools and raw connections, too


@contextlib.contextmanager
def labelled_parameters(wrapper: BaseDatabaseWrapper) -> Iterator[None]:
    """Inside the block, add the label to the wrapper's connection parameters, where its driver takes one (PyMySQL)."""
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
