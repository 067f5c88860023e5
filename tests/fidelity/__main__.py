"""Runs every case and writes the table of docs/compared.md; ends with 1 where a case failed."""

import os
import sys

import pytest

from .case import load, names
from .comparison import Comparison
from .table import compared, not_compared, render, write_page


class Rows:
    """Collects the rows as the tests end."""

    def __init__(self) -> None:
        self.of = {name: not_compared(load(name)) for name in names() if load(name).cannot}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == "fidelity" and isinstance(value, Comparison):
                self.of[value.name] = compared(value)


def main() -> int:
    """Run the tests, write the table, and return the exit code."""
    os.environ["WORKERD_TEST_FIDELITY"] = "all"
    rows = Rows()
    code = pytest.main(["tests/fidelity", "--backends=sqlite", "-p", "no:randomly", *sys.argv[1:]], plugins=[rows])
    if missing := sorted(set(names()) - set(rows.of)):
        print(f"The table is not written: nothing was seen of {', '.join(missing)}")
        return 1
    write_page(render(rows.of.values()))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
