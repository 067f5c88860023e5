"""gunicorn: two workers, forked by its arbiter."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "gunicorn",
    "program gunicorn tests.fidelity.site.web:wsgi --bind 127.0.0.1:{port} --workers 2 --no-control-socket",
    ("gunicorn==27.0.1",),
    shown="`gunicorn --workers 2`, by a command of the project",
)


def define() -> Any:
    from tests.fidelity.site.web import ask

    return ask
