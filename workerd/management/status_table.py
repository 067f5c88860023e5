"""The text that ``status`` prints for people."""

import time
from collections import Counter
from typing import Any

from workerd.durations import format_duration
from workerd.wire.visible import visible
from workerd.wire.words import ITS_TIME, State

MISFITS_NAMED = 10
OWN = "workerd's own processes:"
COLUMNS = ("SLOT", "STATE", "SINCE", "PID", "RESTARTS", "MEMORY", "LAST BEAT")


def format_status(status: dict[str, Any]) -> str:
    """Return lines on the daemon, and a table of the slots."""
    now = time.time()
    slots = sorted(status["slots"], key=lambda slot: (slot["builtin"], slot["job_name"], slot["index"]))
    of_jobs = sum(not slot["builtin"] for slot in slots)
    table = _table([(*COLUMNS, ""), *(tuple(map(visible, _row(slot, now))) for slot in slots)])
    if of_jobs < len(slots):
        table[1 + of_jobs : 1 + of_jobs] = ["", OWN]
    daemon = status["daemon"]
    lines = [_daemon_line(daemon, now), _slots_line(daemon, slots), _forkserver_line(daemon)]
    lines.append(_database_line(daemon, now))
    troubles = [
        line
        for told in (
            _schedule_lines,
            _set_aside_lines,
            _alert_lines,
            _reload_lines,
            _drain_lines,
            _log_lines,
            _leftover_lines,
            _misfit_lines,
        )
        for line in told(daemon)
    ]
    return "\n".join([*lines, *troubles, "", *table])


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """Return a line for each row; every column is as wide as its widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]


def _daemon_line(daemon: dict[str, Any], now: float) -> str:
    phase = "stopping" if daemon["stopping"] else "ready" if daemon["ready"] else "starting"
    up = _age(daemon["started"], now)
    name = f"workerd {daemon['name']} on {daemon['host']}"
    return f"{name}: {phase}, pid {daemon['pid']}, up {up}, version {daemon['version']}"


def _slots_line(daemon: dict[str, Any], slots: list[dict[str, Any]]) -> str:
    resting = sum(bool(slot.get("resting")) for slot in slots)
    counts = Counter(slot["state"] for slot in slots if not (slot["builtin"] or slot.get("resting")))
    newer = sorted(counts.keys() - set(State))
    parts = [f"{counts[state]} {state.lower()}" for state in (*State, *newer) if counts[state]]
    parts += [f"{resting} resting until {'its' if resting == 1 else 'their'} time"] if resting else []
    if significant := len(daemon["significant_parked"]):
        parts = [f"{part} ({significant} significant)" if part.endswith(" parked") else part for part in parts]
    remedy = "; “resume” or an edit of its row starts a parked one" if counts[State.PARKED] else ""
    return f"slots: {', '.join(parts) or 'none'}{remedy}"


def _forkserver_line(daemon: dict[str, Any]) -> str:
    if daemon["forkserver_ready"]:
        return f"forkserver: generation {daemon['generation']}, pid {daemon['forkserver_pid']}"
    trouble = daemon["forkserver_trouble"]
    return f"forkserver: not ready: {visible(trouble)}" if trouble else "forkserver: not ready yet"


def _database_line(daemon: dict[str, Any], now: float) -> str:
    database, waiting = daemon["database"], daemon["waiting"]
    if database["reachable"] is None:
        return "database: not known yet, the ledger has not reported"
    if database["reachable"]:
        return f"database: reachable ({database['vendor']}), push: {'yes' if database['push'] else 'no'}"
    since = database.get("out_since")  # a daemon of an older version does not tell
    out = f"OUT for {_age(since, now)}" if since else "OUT"
    records = f"; {waiting} {'record is' if waiting == 1 else 'records are'} waiting" if waiting else ""
    return f"database: {out}; it is tried again, running jobs go on{records}\n  {visible(database['trouble'])}"


def _schedule_lines(daemon: dict[str, Any]) -> list[str]:
    """Say which due moments went by unnoticed, and whose last one came to a bad end though it matters."""
    overdue, failed = daemon.get("overdue", ()), daemon.get("significant_failed", ())  # an older daemon tells neither
    return [
        *(f"fleet: no node runs {slot['slot']}: {slot['reason']}" for slot in daemon.get("unheld", ())),
        *(f"schedule: {slot} was due more than a minute ago and has not started: please report it" for slot in overdue),
        *(f"schedule: {slot['slot']}, which is significant, came to “{slot['outcome']}” last" for slot in failed),
    ]


def _set_aside_lines(daemon: dict[str, Any]) -> list[str]:
    """Say what the database has refused, if anything."""
    count = daemon["set_aside"]
    if not count:
        return []
    records = "1 record that it refused is" if count == 1 else f"{count} records that it refused are"
    return [f"database: {records} set aside; “manage.py workerd records” says why, and what to do"]


def _alert_lines(daemon: dict[str, Any]) -> list[str]:
    """Say how many alerts have not reached everybody who is to hear of them."""
    count = daemon.get("alerts_unsent")  # None where there is no notifier; a daemon of an older version does not tell
    if not count:
        return []
    return [f"alerts: {'1 has' if count == 1 else f'{count} have'} not been sent; “tail --event alert.failed” says why"]


def _reload_lines(daemon: dict[str, Any]) -> list[str]:
    """Say how a reload goes, or that the last one has not ended well."""
    account = daemon.get("reload")  # a daemon that was started with an older version tells none
    return [f"reload: {visible(account)}"] if account else []


def _drain_lines(daemon: dict[str, Any]) -> list[str]:
    account = daemon.get("drain")  # a daemon of an older version does not tell
    return [f"fleet: {visible(account)}"] if account else []


def _log_lines(daemon: dict[str, Any]) -> list[str]:
    """Say why the log cannot be written, if so: it cannot say so itself."""
    trouble = daemon.get("log_trouble")  # a daemon of an older version does not tell
    return [f"log: cannot be written: {trouble}. The newest lines are kept; “tail” shows them"] if trouble else []


def _leftover_lines(daemon: dict[str, Any]) -> list[str]:
    """Name the processes that should have ended and cannot be ended."""
    return [
        f"left over: pid {left['pid']} ({visible(left['name'])})"
        + (f" of {left['job']}" if left["job"] else "")
        + f" cannot be ended: {left['reason']}"
        for left in daemon.get("leftovers", ())  # a daemon of an older version does not tell
    ]


def _misfit_lines(daemon: dict[str, Any]) -> list[str]:
    """Name the jobs that run on other nodes alone, by their labels."""
    misfits = sorted(daemon.get("misfits", {}).items())  # a daemon of an older version does not tell
    more = [f"  and {len(misfits) - MISFITS_NAMED} more"] if len(misfits) > MISFITS_NAMED else []
    named = [f"  {visible(name)}: this node {visible(misfit)}" for name, misfit in misfits[:MISFITS_NAMED]]
    return ["not on this node, by its labels:", *named, *more] if misfits else []


def _row(slot: dict[str, Any], now: float) -> tuple[str, ...]:
    return (
        slot["name"],
        slot["state"],
        _age(slot["since"], now),
        str(slot["pid"] or "-"),
        str(slot["restarts"]),
        _memory(slot["memory"]),
        _age(slot["last_beat"], now) if slot["last_beat"] else "-",
        _remark(slot, now),
    )


def _memory(mib: float | None) -> str:
    """Return what was measured, and “-” where nothing was: a figure of 0 would be taken for that."""
    if mib is None:
        return "-"
    return "< 1 MiB" if mib < 1 else f"{mib:.0f} MiB"


def _remark(slot: dict[str, Any], now: float) -> str:
    """Return why the slot is as it is or what it does, and when it starts next, if that is known."""
    remark, following = str(slot["reason"] or slot["note"]), slot["next_start"]
    due = slot.get("next_due")  # a daemon of an older version does not tell
    if slot.get("resting"):
        when, remark = "due", remark.removeprefix(ITS_TIME)
    else:
        when = "due again" if following == due else "next start"
    if not following:
        return remark
    away = f"{when} in {_distance(following - now)}"
    return "; ".join(filter(None, (remark, away))) if when == "due again" else ": ".join(filter(None, (away, remark)))


def _distance(seconds: float) -> str:
    """Return a time ahead, the more roughly the longer it is."""
    if seconds < 60:
        return format_duration(max(0.0, round(seconds, 1)))
    step = 1 if seconds < 3600 else 60 if seconds < 86400 else 3600
    return format_duration(float(round(seconds / step) * step))


def _age(moment: float, now: float) -> str:
    return format_duration(float(max(0, round(now - moment))))
