"""The table of jobs and nodes: who has a row and a column of his own, and who is folded (``Matrix``)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workerd.admin.badges import badge
from workerd.models import Node

from .bars import bars_of_job
from .cells import Cells, standing
from .links import Links
from .rows import Fleet, JobRows
from .troubles import Trouble

MOST_WHOLE = 24
"""Up to so many jobs each has a row, also where nothing is wrong; of more, only those with trouble have."""
MOST_ROWS = 40
MOST_COLUMNS = 60
MOST_FLAT = 8
"""Up to so many names of nodes are written level."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The table's columns and rows, the jobs that are folded, and how many nodes have no column."""

    columns: tuple[Node, ...]
    rows: tuple[dict[str, Any], ...]
    folded: tuple[dict[str, Any], ...]
    hidden_nodes: int
    hidden_jobs: int
    """How many jobs with trouble have no row of their own."""

    @property
    def is_flat(self) -> bool:
        return len(self.columns) <= MOST_FLAT


def lay_out(fleet: Fleet, troubles: Sequence[Trouble], links: Links) -> Matrix:
    """Return the matrix: jobs with trouble first, worst first, then the others by name."""
    worst: dict[int, Trouble] = {}
    for trouble in troubles:
        if trouble.job is not None:
            worst.setdefault(trouble.job.pk, trouble)
    places = {pk: place for place, pk in enumerate(worst)}
    troubled = sorted((rows for rows in fleet.jobs if rows.job.pk in worst), key=lambda rows: places[rows.job.pk])
    well = [rows for rows in fleet.jobs if rows.job.pk not in worst]
    is_whole = len(fleet.jobs) <= MOST_WHOLE
    with_row = [*troubled, *well] if is_whole else troubled[:MOST_ROWS]
    columns, most = _columns(fleet, troubles), fleet.day.most
    cells = Cells(columns, {node.pk for node in fleet.nodes.live})
    return Matrix(
        columns if with_row else (),
        tuple({**_entry(rows, worst.get(rows.job.pk), most, links), "cells": cells.of(rows)} for rows in with_row),
        tuple(_entry(rows, None, most, links) for rows in ([] if is_whole else well)),
        len(fleet.shown) - len(columns),
        len(troubled) - len(with_row) if not is_whole else 0,
    )


def _columns(fleet: Fleet, troubles: Sequence[Trouble]) -> tuple[Node, ...]:
    """Return all nodes in order, or those of them with trouble where there are too many."""
    if len(fleet.shown) <= MOST_COLUMNS:
        return fleet.shown
    troubled = [node for trouble in troubles for node in trouble.nodes]
    chosen = list(dict.fromkeys(node.pk for node in [*troubled, *fleet.shown]))[:MOST_COLUMNS]
    return tuple(node for node in fleet.shown if node.pk in chosen)


def _entry(rows: JobRows, trouble: Trouble | None, most: int, links: Links) -> dict[str, Any]:
    tone, words = standing(rows)
    if trouble is not None:
        tone = trouble.tone
    return {
        "name": rows.job.name,
        "url": links.job(rows.job),
        "is_troubled": trouble is not None,
        "tone": tone,
        "standing": words,
        "badge": badge(tone, words),
        "bars": bars_of_job(rows.hours, most, scheduled=bool(rows.job.schedule)),
    }
