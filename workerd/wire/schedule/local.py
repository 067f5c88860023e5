"""Writes a wall time; in English, whatever the locale of the process."""

from datetime import UTC, datetime

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def from_wall(wall: int) -> datetime:
    return datetime.fromtimestamp(wall, UTC)


def time_of(moment: datetime) -> str:
    """Return "02:30", with the seconds where there are any."""
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"


def date_of(moment: datetime) -> str:
    return f"{moment.day} {MONTHS[moment.month - 1]}"


def date_and_time(moment: datetime) -> str:
    return f"{date_of(moment)} {moment.year} at {time_of(moment)}"


def short(moment: datetime, year: int) -> str:
    """Return "Sun 29 Mar 03:00", with the year where it is another than ``year``."""
    date = f"{DAYS[moment.weekday()]} {moment.day} {MONTHS[moment.month - 1][:3]}"
    return f"{date} {time_of(moment)}" if moment.year == year else f"{date} {moment.year} {time_of(moment)}"
