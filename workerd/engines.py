"""The task engines that ``WORKERD["ENGINES"]`` may name: the packages of each, and the module with its job."""

from collections.abc import Mapping
from importlib.util import find_spec

PACKAGES: Mapping[str, Mapping[str, str]] = {
    "celery": {"celery": "celery"},
    "dramatiq": {"django_dramatiq": "django-dramatiq"},
    "huey": {"huey": "huey"},
    "rq": {"django_rq": "django-rq"},
}
"""The modules by which each engine is found here, with the names by which pip installs them."""


def module_of(engine: str) -> str:
    """Return the module that marks the consumer of ``engine`` as a job."""
    return f"workerd.contrib.{engine}"


def missing_packages(engine: str) -> list[str]:
    """Return what pip would have to install for ``engine``; nothing is imported."""
    return [package for module, package in PACKAGES[engine].items() if find_spec(module) is None]
