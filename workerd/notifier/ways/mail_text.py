"""The words of an alert in plain text: a subject of one line, and a body. A job may have put anything into its own."""

from datetime import UTC, datetime

from workerd.notifier.alert import Alert
from workerd.wire.visible import visible

SUBJECT_CHARACTERS = 150
TEXT_CHARACTERS = 2000
_HEADS = {"raised": "", "resolved": "over: ", "passed": "was, and is over: "}


def subject_of(alert: Alert) -> str:
    """Return one line without controls: “[shop@host] critical: parked mail-outbox:0”."""
    severity = alert.severity if alert.state == "raised" else "ok"
    line = visible(f"[{alert.node}] {severity}: {_HEADS[alert.state]}{alert.key}")
    return line if len(line) <= SUBJECT_CHARACTERS else f"{line[: SUBJECT_CHARACTERS - 1]}…"


def body_of(alert: Alert) -> str:
    """Return the lines: node, job, what, since when, what to do, and the id."""
    rows = [
        ("node", alert.node),
        ("job", alert.slot or alert.job),
        ("run", alert.run),
        ("what", f"{alert.kind}: {alert.says}"),
        ("since", time_of(alert.since)),
        ("over", time_of(alert.at) if alert.state != "raised" else ""),
        ("times", f"{alert.count} since the last message about it" if alert.count > 1 else ""),
        ("see", alert.remedy if alert.state == "raised" else ""),
        ("id", alert.id),
    ]
    lines = [visible(alert.text)[:TEXT_CHARACTERS] or alert.says, ""]
    lines += [f"{name + ':':<7}{visible(value)}" for name, value in rows if value]
    if alert.held_back:
        lines += ["", held_back_of(alert)]
    return "\n".join([*lines, ""])


def held_back_of(alert: Alert) -> str:
    """Return the sentence about what was not sent; "" where nothing was held back."""
    if not alert.held_back:
        return ""
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(alert.held_back.items()))
    return f"{sum(alert.held_back.values())} more alerts were not sent, as there were too many: {visible(kinds)}."


def time_of(at: float) -> str:
    """Return a moment as “2026-11-30 15:04:05 UTC”; a wrong one is shown as its number."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return str(at)
