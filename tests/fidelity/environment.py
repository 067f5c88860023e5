"""The virtual environments that the cases run in: made on demand, filled a case at a time, kept for the next run."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from .case import Case

VARIABLE = "WORKERD_FIDELITY_ENV"
"""Names the folder of the environments; by default it is in the user's cache."""
OURS = ("Django", "structlog", "setproctitle", "cronsim")
"""What workerd needs, in the versions that the tests run with."""
ALSO = ("psycopg[binary]",)
PIP_WITHIN_S = 600
RECORD = "installed.json"


class InstallError(Exception):
    """A case's packages cannot be installed. The text is the end of what pip said."""


def python_for(name: str, case: Case) -> Path:
    """Return a Python that has what the case and workerd need. Raises InstallError."""
    folder = _base() / (name if case.apart else f"python{sys.version_info[0]}.{sys.version_info[1]}")
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder / "lock"):
        python = folder / "bin" / "python"
        if not python.exists():
            (folder / RECORD).unlink(missing_ok=True)
            _run([_find_python(case.oldest), "-m", "venv", str(folder)])
        _install(folder, python, case.requirements)
    return python


def _find_python(oldest: tuple[int, int]) -> str:
    """Return this Python, or another one that is new enough. Raises InstallError."""
    if sys.version_info >= oldest:
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for minor in range(oldest[1], oldest[1] + 5):
        name = f"python3.{minor}"
        paths = [*sorted(pyenv.glob(f"3.{minor}.*/bin/{name}")), *map(Path, filter(None, [shutil.which(name)]))]
        for path in paths:
            if subprocess.run([path, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0:
                return str(path)
    raise InstallError(f"no Python {oldest[0]}.{oldest[1]} or newer is here")


def version_in(python: Path, package: str) -> str:
    """Return the version of ``package`` that this Python has."""
    ask = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"
    return _run([str(python), "-c", ask, package]).strip()


def _install(folder: Path, python: Path, requirements: Sequence[str]) -> None:
    """Have pip install what was not asked for before; it keeps to the versions that workerd's tests have."""
    record = folder / RECORD
    before = set(json.loads(record.read_text())) if record.exists() else set()
    theirs = {requirement.partition("==")[0] for requirement in requirements}
    ours = [*(f"{name}=={version(name)}" for name in OURS if name not in theirs), *ALSO]
    if missing := {*ours, *requirements} - before:
        _run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *ours, *sorted(missing)])
        record.write_text(json.dumps(sorted(before | missing)))


def _base() -> Path:
    if given := os.environ.get(VARIABLE):
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "workerd-fidelity"


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
