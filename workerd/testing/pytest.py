"""A plugin for pytest: ``pytest_plugins = ["workerd.testing.pytest"]`` gives tests the fixture ``run_job``."""

from collections.abc import Callable

import pytest

from . import Result
from . import run_job as _run_job


@pytest.fixture
def run_job() -> Callable[..., Result]:
    """Return ``workerd.testing.run_job``. A job that uses the database needs pytest-django's ``db`` besides."""
    return _run_job
