"""django-watchfiles: runserver with its autoreloader, which starts itself a second time."""

from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "django-watchfiles",
    "runserver 127.0.0.1:{port}",
    ("django-watchfiles==1.4.0",),
    apps=("django_watchfiles",),
    shown="`runserver`",
)


def define() -> Any:
    from tests.fidelity.site.web import ask

    return ask
