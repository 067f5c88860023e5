"""The task engines that ``WORKERD["ENGINES"]`` may name: the packages of each, and the module with its job."""

from collections.abc import Mapping
from importlib.util import find_spec

PACKAGES: Mapping[str, Mapping[str, str]] = {
    "celery": {"celery": "celery"},
    "rq": {"django_rq": "django-rq"},
}
"""The modules by which each engine is found here, with the names by which pip installs them."""


_FOLDER = "workerd.contrib."


def module_of(engine: str) -> str:
    """Return the module that marks the consumer of ``engine`` as a job."""
    return f"{_FOLDER}{engine}"


def engine_of(target: str) -> str:
    """Return the engine in whose module ``target`` stands, or would stand; "" where it is no module of an engine."""
    return target.removeprefix(_FOLDER).partition(".")[0] if target.startswith(_FOLDER) else ""


def missing_packages(engine: str) -> list[str]:
    """Return what pip would have to install for ``engine``; nothing is imported."""
    return [package for module, package in PACKAGES[engine].items() if find_spec(module) is None]
