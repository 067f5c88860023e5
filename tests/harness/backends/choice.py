"""Which backends a test run uses, as ``--backends`` says and this machine allows."""

from dataclasses import dataclass

import pytest

from .backend import BACKENDS, Backend

HELP = (
    "auto (the default for --whole, and where tests are named): every backend that this machine can run; "
    f"all: every one, a missing one is an error; or names, separated by commas: {', '.join(BACKENDS)}"
)

LEFT_TO_WHOLE = "pytest --whole runs it"


@dataclass(frozen=True)
class Choice:
    """The backends to run, in order, and why the others are left out."""

    run: tuple[Backend, ...]
    left_out: dict[str, str]

    @classmethod
    def of(cls, option: str) -> "Choice":
        """Read the option's value. Raises UsageError for an unknown name, or one asked for that cannot run."""
        missing = {name: reason for name, backend in BACKENDS.items() if (reason := backend.missing())}
        if option == "auto":
            return cls(tuple(backend for name, backend in BACKENDS.items() if name not in missing), missing)
        names = list(BACKENDS) if option == "all" else [name.strip() for name in option.split(",")]
        for name in names:
            if name not in BACKENDS:
                raise pytest.UsageError(f"--backends: {name!r} is none of {', '.join(BACKENDS)}")
            if name in missing:
                raise pytest.UsageError(f"--backends={option}: {name} cannot run here: {missing[name]}")
        others = {name: "not asked for" for name in BACKENDS if name not in names}
        return cls(tuple(BACKENDS[name] for name in names), others)

    @classmethod
    def quick(cls) -> "Choice":
        """Choose SQLite, which every machine can run."""
        auto = cls.of("auto")
        others = {backend.name: LEFT_TO_WHOLE for backend in auto.run[1:]}
        return cls(auto.run[:1], others | auto.left_out)

    def lines(self) -> list[str]:
        """The lines that pytest's header shows."""
        return [
            f"backends: {', '.join(backend.name for backend in self.run)}",
            *(f"not run: {name} ({reason})" for name, reason in self.left_out.items()),
        ]
