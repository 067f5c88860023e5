"""The picture of ``status`` as a person reads it."""

import time
from typing import Any

from workerd.durations import format_duration


def draw(picture: dict[str, Any]) -> str:
    """Return the daemon's lines and a line a slot."""
    now = time.time()
    lines = [*_head(picture["daemon"], now), ""]
    rows: list[tuple[str, ...]] = [("SLOT", "STATE", "SINCE", "PID", "RESTARTS", "MEMORY", "LAST BEAT", "")]
    slots = sorted(picture["slots"], key=lambda slot: (slot["builtin"], slot["job_name"], slot["index"]))
    rows += [_row(slot, now) for slot in slots]
    widths = [max(len(row[column]) for row in rows) for column in range(7)]
    lines += [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[7]]).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def _head(daemon: dict[str, Any], now: float) -> list[str]:
    database = daemon["database"]
    push = "yes" if database["push"] else "no"
    reach = {
        True: f"reachable ({database['vendor']}), push: {push}",
        False: f"OUT: {database['trouble']} ({daemon['waiting']} records wait for it in the journal)",
        None: "not known, as no ledger has told of it yet",
    }
    mood = "stopping" if daemon["stopping"] else "ready" if daemon["ready"] else "starting"
    forkserver = f"generation {daemon['generation']}, pid {daemon['forkserver_pid']}"
    if not daemon["forkserver_ready"]:
        forkserver = f"not ready: {daemon['forkserver_trouble']}" if daemon["forkserver_trouble"] else "not ready"
    since = _ago(daemon["started"], now)
    who = f"workerd {daemon['name']} on {daemon['host']}"
    return [
        f"{who}: {mood}, pid {daemon['pid']}, up {since}, version {daemon['version']}",
        f"forkserver: {forkserver}",
        f"database: {reach[database['reachable']]}",
    ]


def _row(slot: dict[str, Any], now: float) -> tuple[str, ...]:
    remark = slot["reason"] or slot["note"]
    if slot["next_start"]:
        remark = f"next start in {format_duration(max(0.0, round(slot['next_start'] - now, 1)))}: {remark}"
    return (
        slot["name"],
        slot["state"],
        _ago(slot["since"], now),
        str(slot["pid"] or "-"),
        str(slot["restarts"]),
        "-" if slot["memory"] is None else f"{slot['memory']:.0f} MiB",
        _ago(slot["last_beat"], now) if slot["last_beat"] else "-",
        remark,
    )


def _ago(moment: float, now: float) -> str:
    return format_duration(float(max(0, round(now - moment))))
