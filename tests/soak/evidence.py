"""What the children report in files of their own: the soak believes these, and not what the daemon says."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "SOAK_FOLDER"
_claims: list[int] = []
"""Held until the process ends."""


@dataclass(frozen=True)
class ChildReport:
    """What a child reported: its run, its slot, its pid."""

    run: str
    slot: tuple[str, int]
    pid: int


def write_report(context: Any, **_: Any) -> None:
    """Leave a line, and lock the slot's file, so that a second child in the slot shows."""
    folder = Path(os.environ[FOLDER])
    claim = os.open(folder / f"{context.job_name}.{context.index}.claim", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _claims.append(claim)
    try:
        fcntl.lockf(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _append(folder / "doubles", f"{context.job_name}:{context.index} has a second child, {os.getpid()}")
    _append(folder / "reports", f"{context.run_id} {context.job_name} {context.index} {os.getpid()}")


def read_reports(folder: Path) -> list[ChildReport]:
    """Return the reports so far, in order."""
    path = folder / "reports"
    lines = path.read_text().splitlines() if path.exists() else []
    return [ChildReport(run, (job, int(index)), int(pid)) for run, job, index, pid in map(str.split, lines)]


def note_due(context: Any, word: str) -> None:
    """Leave a line that a run for a due moment has begun, or has come to its end."""
    moment = round(context.due.timestamp())
    _append(Path(os.environ[FOLDER]) / "dues", f"{word} {context.job_name} {moment} {context.run_id}")


def read_dues(folder: Path, word: str) -> list[tuple[str, int, str]]:
    """Return job, moment and run of each such line."""
    path = folder / "dues"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [(job, int(moment), run) for found, job, moment, run in lines if found == word]


def read_latest(folder: Path) -> set[str]:
    """Return the last two runs of each slot: those that live now, or have ended just now."""
    latest: dict[tuple[str, int], list[str]] = {}
    for report in read_reports(folder):
        latest.setdefault(report.slot, []).append(report.run)
    for job, _moment, run in read_dues(folder, "begin"):
        latest.setdefault((job, 0), []).append(run)
    return {run for runs in latest.values() for run in runs[-2:]}


def _append(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)
