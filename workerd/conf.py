"""The project's ``WORKERD`` as one checked, typed value. It is read at each call, but for a forkserver's children."""

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from django.conf import settings
from django.utils.module_loading import import_string

from .alert_entries import AlertEntry
from .alert_problems import find_alert_faults
from .engines import ALTERNATIVES, missing_packages
from .errors import WorkerdError
from .setting_keys import KEYS
from .wire.private_folder import why_not_private

_SHARED_DIRS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - named in a warning, never used
_EXAMPLE = 'Write WORKERD = {"STATE_DIR": "/var/lib/shop/workerd"}.'


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of the settings and its remedy. With warnings alone workerd runs."""

    key: str
    message: str
    remedy: str
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"


class SettingsError(WorkerdError):
    """The settings cannot be used. The error's text has a line for each problem."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


@dataclass(frozen=True, slots=True)
class Settings:
    """``WORKERD`` with its defaults filled in; one attribute for each key."""

    name: str
    state_dir: Path | None
    database: str
    poll_seconds: float
    preload: tuple[str, ...]
    targets: tuple[str, ...]
    commands: tuple[str, ...]
    before_fork: tuple[str | Callable[[], object], ...]
    strict_fork: bool
    conn_max_age: float | None
    log_format: str
    http_bind: str | None
    run_retention_s: float
    spool_max_bytes: int
    max_unavailable: int | None
    secret_kwargs: tuple[str, ...]
    exit_when_parked: bool
    log_level: int | None
    env: tuple[str, ...]
    max_processes: int
    definitions: tuple[Path, ...]
    labels: Mapping[str, str]
    engines: tuple[str, ...]
    alerts: tuple[AlertEntry, ...]
    alert_quiet_s: float
    alerts_per_hour: int
    alert_down_s: float
    alert_out_s: float
    alert_circle: tuple[int, float] | None

    def load_before_fork(self) -> tuple[Callable[[], object], ...]:
        """Return BEFORE_FORK as callables. Raises whatever the import of a dotted path raises."""
        return tuple(_load_callable(entry) for entry in self.before_fork)


def get_settings() -> Settings:
    """Return the settings as they are now. Raises SettingsError, with a problem for each value that cannot be read."""
    if _kept:
        return _kept[-1]
    values, problems = _read(_raw())
    if problems:
        raise SettingsError(tuple(problems))
    return Settings(**values)


def keep_settings() -> None:
    """Have this process and its forks go on with the settings as they are now: a read costs each fork 0.3 MiB."""
    _kept[:] = [get_settings()]


_kept: list[Settings] = []


def find_problems(*, for_run: bool = False) -> list[Problem]:
    """Return every problem of the settings, warnings included; ``for_run`` adds what only the daemon needs."""
    values, problems = _read(_raw())
    problems += _before_fork_problems(values.get("before_fork", ()))
    problems += _target_problems(values.get("targets", ()))
    problems += _engine_problems(values.get("engines", ()))
    problems += _alert_problems(values.get("alerts", ()))
    if "state_dir" in values:
        problems += _state_dir_problems(values["state_dir"], for_run=for_run)
    return problems


def _raw() -> Any:
    return getattr(settings, "WORKERD", {})


def _read(raw: Any) -> tuple[dict[str, Any], list[Problem]]:
    """Return the attributes that could be read, and a problem for each value that could not and each unknown key."""
    if not isinstance(raw, Mapping):
        return {}, [Problem("WORKERD", f"WORKERD is {raw!r}, not a dictionary.", _EXAMPLE)]
    values: dict[str, Any] = {}
    problems = [_unknown(name) for name in raw if name not in KEYS]
    for name, key in KEYS.items():
        value = raw.get(name, key.default)
        try:
            values[key.attribute] = key.read(value)
        except (TypeError, ValueError):
            problems.append(Problem(name, f'WORKERD["{name}"] is {value!r}, not {key.expected}.', key.remedy))
    return values, problems


def _unknown(name: object) -> Problem:
    likely = difflib.get_close_matches(str(name).upper(), KEYS, n=1)
    remedy = f'Did you mean "{likely[0]}"?' if likely else f"The keys are {', '.join(KEYS)}."
    return Problem("WORKERD", f"WORKERD has no key {name!r}.", remedy)


def _load_callable(entry: str | Callable[[], object]) -> Callable[[], object]:
    loaded: Any = import_string(entry) if isinstance(entry, str) else entry
    if not callable(loaded):
        raise TypeError(f"a {type(loaded).__name__} cannot be called")
    function: Callable[[], object] = loaded
    return function


def _before_fork_problems(entries: tuple[str | Callable[[], object], ...]) -> Iterator[Problem]:
    for entry in entries:
        try:
            _load_callable(entry)
        except Exception as error:  # noqa: BLE001 - the project's module runs here and may raise anything
            message = f'WORKERD["BEFORE_FORK"] names {entry!r}, which does not load: {type(error).__name__}: {error}.'
            yield Problem("BEFORE_FORK", message, "Name a callable without arguments by its full dotted path.")


def _target_problems(patterns: tuple[str, ...]) -> Iterator[Problem]:
    for pattern in patterns:
        if not re.match(r"\w+\.", pattern):
            message = (
                f'WORKERD["TARGETS"] allows {pattern!r}, which may match functions of any package, even os.system.'
            )
            yield Problem("TARGETS", message, 'Begin it with a package of yours: "shop.tasks.*".', "warning")


def _engine_problems(names: tuple[str, ...]) -> Iterator[Problem]:
    for name in names:
        if not (missing := missing_packages(name)):
            continue
        if name in ALTERNATIVES:
            message = f'WORKERD["ENGINES"] names {name!r}, but none of {", ".join(missing)} is installed.'
            yield Problem("ENGINES", message, "Install the one whose backend TASKS in the settings names.")
        else:
            message = f'WORKERD["ENGINES"] names {name!r}, but {" and ".join(missing)} is not installed.'
            yield Problem("ENGINES", message, f"Run: pip install {' '.join(missing)}")


def _alert_problems(entries: tuple[AlertEntry, ...]) -> Iterator[Problem]:
    for fault in find_alert_faults(entries):
        yield Problem("ALERTS", fault.message, fault.remedy, "warning" if fault.is_warning else "error")


def _state_dir_problems(path: Path | None, *, for_run: bool) -> Iterator[Problem]:
    if path is None:
        if for_run:
            yield Problem("STATE_DIR", 'WORKERD["STATE_DIR"] is not set.', KEYS["STATE_DIR"].remedy)
        return
    if any(path.is_relative_to(shared) for shared in _SHARED_DIRS):
        message = f'WORKERD["STATE_DIR"] is “{path}”, where others may write and cleaners delete.'
        yield Problem("STATE_DIR", message, KEYS["STATE_DIR"].remedy, "warning")
    if for_run and (reason := _why_unusable(path)):
        message = f'WORKERD["STATE_DIR"] is “{path}”, but {reason}.'
        yield Problem("STATE_DIR", message, "Give the daemon's user a directory that it may write to.")


def _why_unusable(path: Path) -> str:
    """Return why the daemon could not keep its files in ``path``; empty where it could."""
    try:
        existing = next(folder for folder in (path, *path.parents) if _is_there(folder))
    except OSError as error:
        return f"it cannot be looked at ({error.strerror})"
    if not existing.is_dir():
        return f"“{existing}” is not a directory"
    if not os.access(existing, os.W_OK | os.X_OK, effective_ids=True):
        return f"“{existing}” is not writable"
    return why_not_private(path)


def _is_there(path: Path) -> bool:
    """Return whether ``path`` exists. Raises OSError where that may not be seen: newer Pythons' exists() hides it."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
