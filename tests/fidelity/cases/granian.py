"""granian: its loop is Rust's, in a process of its own."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "granian",
    "program granian --interface wsgi --host 127.0.0.1 --port {port} tests.fidelity.site.web:wsgi",
    ("granian==2.8.9",),
    shown="`granian`, by a command of the project",
)


def define() -> Any:
    from tests.fidelity.site.web import ask

    return ask
