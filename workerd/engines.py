"""The task engines that ``WORKERD["ENGINES"]`` may name: the packages of each, and the module with its job."""

from collections.abc import Mapping
from importlib.util import find_spec

PACKAGES: Mapping[str, Mapping[str, str]] = {
    "celery": {"celery": "celery"},
    "dramatiq": {"django_dramatiq": "django-dramatiq"},
    "huey": {"huey": "huey"},
    "procrastinate": {"procrastinate": "procrastinate[django]"},
    "q2": {"django_q": "django-q2"},
    "rq": {"django_rq": "django-rq"},
    "scaling": {},
    "tasks": {
        "django_tasks_db": "django-tasks-db",
        "django_tasks_rq": "django-tasks-rq",
        "steady_queue": "steady-queue",
        "django_ox": "django-ox",
    },
}
"""The modules by which each engine is found here, with the names by which pip installs them."""

ALTERNATIVES = frozenset({"tasks"})
"""Those of which one package is enough."""
_FOLDER = "workerd.contrib."


def module_of(engine: str) -> str:
    """Return the module that marks the consumer of ``engine`` as a job."""
    return f"{_FOLDER}{engine}"


def engine_of(target: str) -> str:
    """Return the engine in whose module ``target`` stands, or would stand; "" where it is no module of an engine."""
    return target.removeprefix(_FOLDER).partition(".")[0] if target.startswith(_FOLDER) else ""


def missing_packages(engine: str) -> list[str]:
    """Return what pip would have to install for ``engine``, or one of which it would; nothing is imported."""
    packages = PACKAGES[engine]
    missing = [package for module, package in packages.items() if find_spec(module) is None]
    return [] if engine in ALTERNATIVES and len(missing) < len(packages) else missing
