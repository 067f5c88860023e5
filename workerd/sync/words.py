"""Shows a value of a row in one line, without its secrets."""

import json
from typing import Any

from workerd.command_secrets import masked_command
from workerd.durations import format_duration
from workerd.job_rules.ranges import DURATIONS
from workerd.secret_arguments import masked

MOST_SHOWN = 120


def shown(field: str, value: Any) -> str:
    """Return the value as people write it."""
    if value is None:
        return "none"
    if field in DURATIONS and isinstance(value, int | float) and not isinstance(value, bool):
        return format_duration(value)
    if isinstance(value, str):
        return _clipped(masked_command(value) if field == "command" else value)
    return _clipped(json.dumps(masked(value), ensure_ascii=False))


def shown_change(field: str, before: Any, after: Any) -> str:
    """Return “2 → 3”, or a sentence where what is shown of both is the same."""
    old, new = shown(field, before), shown(field, after)
    return f"{old} → {new}" if old != new else f"{new} (changed in what is not shown)"


def _clipped(text: str) -> str:
    if not text:
        return "empty"
    line = text if "\n" not in text else json.dumps(text, ensure_ascii=False)
    return line if len(line) <= MOST_SHOWN else f"{line[:MOST_SHOWN]}…"
