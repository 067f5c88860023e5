"""A process takes its row's surroundings before the job's code comes: environment variables, a directory, a umask."""

import os
import sys

from workerd.arguments import check_environment, read_environment
from workerd.directories import enter_directory
from workerd.job_rules import find_faults, values_of
from workerd.targets import RowError
from workerd.wire.spec import JobSpec

from .secrets import SECRETS


def take_surroundings(spec: JobSpec) -> None:
    """Give this process what the row says, and mask in its texts what a variable takes from the service's.

    Raises RowError where the row is at fault or asks for a variable that is not there, and DirectoryError.
    """
    if not has_surroundings(spec):
        return
    if faults := find_faults(values_of(spec)):
        raise RowError(faults)
    check_environment("environment", spec.environment)
    values, secrets = read_environment("environment", spec.environment)
    SECRETS.take(secrets)
    os.environ.update(values)
    if spec.umask:
        os.umask(int(spec.umask, 8))
    if spec.working_directory:
        _keep_paths()
        enter_directory(spec.working_directory)


def has_surroundings(spec: JobSpec) -> bool:
    """Return whether the row gives its processes other surroundings than the service's."""
    return bool(spec.environment or spec.working_directory or spec.umask)


def _keep_paths() -> None:
    """Make absolute what was found from the directory of the service: a row must not choose whose code is imported."""
    sys.path[:] = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100 - its entries are texts
    script = sys.argv[0]
    if os.path.exists(script):  # noqa: PTH110
        sys.argv[0] = os.path.abspath(script)  # noqa: PTH100
        sys.orig_argv[:] = [sys.argv[0] if word == script else word for word in sys.orig_argv]
