"""Launchers that limit what they start: its niceness, its time, and how many of it there are."""

import re
import shlex

from .launcher import Peeling, unknown_option, without_options
from .not_adopted import NotAdoptedError

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def nice(words: list[str], peeling: Peeling) -> list[str]:
    rest, level = words[1:], "10"
    if rest and rest[0] in ("-n", "--adjustment"):
        level, rest = (rest[1] if rest[1:] else ""), rest[2:]
    elif rest and (found := re.fullmatch(r"(?:-n|-|--adjustment=)([-+]?\d+)", rest[0])):
        level, rest = found[1], rest[1:]
    peeling.draft.values["nice"] = int(_matched("nice", r"[-+]?\d{1,3}", level))
    return without_options("nice", rest)


def ionice(words: list[str], peeling: Peeling) -> list[str]:
    at = 1
    while at < len(words) and words[at].startswith("-"):
        at += 2 if re.fullmatch(r"-[cn]", words[at]) else 1
    peeling.draft.drop(shlex.join(words[:at]), "A job has no priority of input and output.")
    return words[at:]


def flock(words: list[str], peeling: Peeling) -> list[str]:
    rest, waits = words[1:], True
    while rest and rest[0].startswith("-") and rest[0] != "-c":
        if rest[0] in ("-n", "--nb", "--nonblock"):
            waits, rest = False, rest[1:]
        elif rest[0] in ("-w", "--wait", "--timeout", "-E", "--conflict-exit-code"):
            rest = rest[2:]
        elif rest[0] in ("-x", "-e", "--exclusive", "-o", "--close", "-F", "--no-fork"):
            rest = rest[1:]
        else:
            raise unknown_option("flock", rest[0])
    if not rest:
        raise NotAdoptedError("flock names no file.")
    peeling.draft.set_overlap("queue" if waits else "skip", f"flock {rest[0]}")
    if rest[1:2] in (["-c"], ["--command"]):
        return peeling.peel_in_shell(rest[2] if rest[2:] else "")
    return rest[1:]


def timeout(words: list[str], peeling: Peeling) -> list[str]:
    rest = words[1:]
    while rest and rest[0].startswith("-"):
        option, equals, value = rest[0].partition("=")
        if option in ("-k", "--kill-after", "-s", "--signal"):
            value, rest = (value, rest[1:]) if equals else ((rest[1] if rest[1:] else ""), rest[2:])
            if option in ("-k", "--kill-after"):
                peeling.draft.values["stop_timeout"] = _seconds(value)
            else:
                peeling.draft.drop(f"timeout {option} {value}", "A job's own stop signal ends it.")
        elif option in ("--foreground", "--preserve-status", "-f", "-p", "-v", "--verbose"):
            rest = rest[1:]
        else:
            raise unknown_option("timeout", rest[0])
    if seconds := _seconds(rest[0] if rest else ""):  # 0 is no limit
        peeling.draft.values["max_age"] = seconds
    return rest[1:]


def _seconds(text: str) -> float:
    found = _matched("timeout", r"\d{1,9}(?:\.\d{1,9})?[smhd]?", text)
    number = float(found.rstrip("smhd"))
    return number * _UNITS[found[len(found.rstrip("smhd")) :]]


def _matched(name: str, pattern: str, text: str) -> str:
    if not re.fullmatch(pattern, text, re.ASCII):
        raise NotAdoptedError(f"{name} is given “{text}”, which is no number that it takes.")
    return text
