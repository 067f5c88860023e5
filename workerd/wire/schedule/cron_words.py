"""Five fields in plain English: cronsim's words, after what it would describe wrongly is written another way."""

import re
from collections.abc import Collection

from .walls import read

ENDINGS = {"1": "st", "2": "nd", "3": "rd"}


def in_words(fields: str) -> str:
    from cronsim.explain import explain

    minute, hour, day, month, weekday = fields.split()
    cron = read(fields)
    every_day = cron.days >= set(range(1, 32))
    every_weekday = {found % 7 for found in cron.weekdays if isinstance(found, int)} == set(range(7))
    is_either = not cron.day_and and (every_day or every_weekday)
    day = "*" if every_day or is_either else day
    weekday = "*" if every_weekday or is_either else weekday
    if cron.months >= set(range(1, 13)):
        month = "*"
    minute = _plain(minute, cron.minutes, 60)
    hour = _plain(hour, cron.hours, 24)
    return _polish(explain(f"{minute} {hour} {day} {month} {weekday}"))


def _plain(text: str, values: Collection[int], length: int) -> str:
    """Write a step that does not divide the hour or the day as its values: "every 25th minute" hides 00, 25, 50, 00."""
    if len(values) == length:
        return "*"
    uneven = any(length % int(step) for step in re.findall(r"/(\d+)", text))
    return ",".join(map(str, sorted(values))) if uneven else text


def _polish(words: str) -> str:
    """Cronsim writes "21th", and joins with a mere "and" what is due on either."""
    words = re.sub(r"\b([2-5])([123])th\b", lambda found: f"{found[1]}{found[2]}{ENDINGS[found[2]]}", words)
    return words.replace(" and on ", ", and also on ")
