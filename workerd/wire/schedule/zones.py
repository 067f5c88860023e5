"""Finds a time zone by its name, or says why the machine has none of that name."""

from datetime import UTC
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .dues import ZoneError
from .zone import Zone


def find(name: str) -> Zone:
    """Return the zone; UTC needs no data. Raises ZoneError."""
    if name == "UTC":
        return Zone(UTC)
    try:
        return Zone(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ZoneError(f"“{name[:60]}” is no time zone of this machine: {_remedy(error)}") from error


def _remedy(error: Exception) -> str:
    if not _has_data():
        return "it has no time zone data; install the package tzdata (of the system, or by pip), or write UTC"
    if isinstance(error, ZoneInfoNotFoundError):
        return "write a name such as Europe/Berlin; old names such as US/Eastern may need the package tzdata-legacy"
    return f"{error}; write a name such as Europe/Berlin"


def _has_data() -> bool:
    try:
        ZoneInfo("Etc/UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
