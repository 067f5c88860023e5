"""The quick selection of a ``pytest`` that names no files, backends or markers, and what it says of the rest."""

from argparse import Namespace
from collections.abc import Sequence

import pytest

HELP = "run every test, on every backend that this machine can run; a pytest that names nothing runs the quick ones"


def is_meant(options: Namespace) -> bool:
    """Return whether the command line leaves the choice of tests to us."""
    return not (options.whole or options.file_or_dir or options.backends or options.markexpr)


def leave_out_slow(config: pytest.Config, items: list[pytest.Item]) -> int:
    """Deselect the slow tests and return how many they are."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    items[:] = [item for item in items if not item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    return len(slow)


def sentence(slow: int, backends: Sequence[str]) -> str:
    """Return what the summary says."""
    others = f" and the backends {', '.join(backends)}" if backends else ""
    tests = "test" if slow == 1 else "tests"
    return f"This run left out {slow} slow {tests}{others}: `pytest --whole` runs everything."
