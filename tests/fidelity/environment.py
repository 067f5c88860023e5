"""The virtual environment that the cases run in: made on demand, filled a case at a time, kept for the next run."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

VARIABLE = "WORKERD_FIDELITY_ENV"
"""Names the folder of the environment; by default it is in the user's cache."""
OURS = ("Django", "structlog", "setproctitle")
"""What workerd needs, in the versions that the tests run with."""
PIP_WITHIN_S = 600


class InstallError(Exception):
    """A case's packages cannot be installed. The text is the end of what pip said."""


def python_with(requirements: Sequence[str]) -> Path:
    """Return a Python that has these and what workerd needs. Raises InstallError."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder / "lock"):
        python = folder / "bin" / "python"
        if not python.exists():
            _run([sys.executable, "-m", "venv", str(folder)])
        _install(folder, python, [*(f"{name}=={version(name)}" for name in OURS), "psycopg[binary]", *requirements])
    return python


def version_in(python: Path, package: str) -> str:
    """Return the version of ``package`` that this Python has."""
    ask = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"
    return _run([str(python), "-c", ask, package]).strip()


def _install(folder: Path, python: Path, requirements: Sequence[str]) -> None:
    """Have pip install what was not asked for before; it keeps to the versions that workerd's tests have."""
    record = folder / "installed.json"
    before = set(json.loads(record.read_text())) if record.exists() else set()
    if missing := [requirement for requirement in requirements if requirement not in before]:
        kept = requirements[: len(OURS)]
        _run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *kept, *missing])
        record.write_text(json.dumps(sorted(before | set(requirements))))


def _folder() -> Path:
    if given := os.environ.get(VARIABLE):
        return Path(given).absolute()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "workerd-fidelity" / f"python{sys.version_info[0]}.{sys.version_info[1]}"


def _run(words: Sequence[str]) -> str:
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=PIP_WITHIN_S, check=False)
    if done.returncode != 0:
        raise InstallError((done.stderr or done.stdout).strip()[-1500:])
    return done.stdout


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
