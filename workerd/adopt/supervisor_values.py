"""Reads values as supervisor writes them: flags, signals, expansions, and a program's environment."""

import re
import shlex
import signal
from collections.abc import Mapping

from workerd.job_rules.choices import STOP_SIGNALS

_TRUE = ("yes", "true", "on", "1")
_FALSE = ("no", "false", "off", "0")
_EXPANSION = re.compile(r"%(?:\((?P<name>[^)]*)\)(?P<form>[-#0 +]*\d*(?:\.\d+)?[a-zA-Z])|(?P<other>%|.?))", re.DOTALL)


def read_flag(text: str) -> bool:
    """Raises ValueError."""
    if (word := text.lower()) in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("is neither true nor false")


def read_restart(text: str) -> str:
    """Raises ValueError."""
    if text.lower() == "unexpected":
        return "on_failure"
    try:
        return "always" if read_flag(text) else "never"
    except ValueError:
        raise ValueError("is neither true, false nor unexpected") from None


def read_whole(text: str) -> int:
    """Raises ValueError; no number of supervisor's has more digits than these."""
    if not re.fullmatch(r"[-+]?\d{1,9}", text.strip(), re.ASCII):
        raise ValueError("is no whole number")
    return int(text)


def read_signal(text: str) -> str | None:
    """Return the signal as a row may have it, None for one that a row may not. Raises ValueError."""
    name = text.strip().upper()
    if name.isascii() and name.isdigit():
        try:
            name = signal.Signals(int(name)).name
        except ValueError:
            raise ValueError("is no signal") from None
    name = name.removeprefix("SIG")
    if f"SIG{name}" not in signal.Signals.__members__:
        raise ValueError("is no signal")
    return name if name in STOP_SIGNALS else None


def expand(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with its ``%(name)s`` expanded. Raises ValueError with a phrase where that cannot be done."""

    def replace(found: re.Match[str]) -> str:
        if found["name"] is None:
            if found["other"] == "%":
                return "%"
            raise ValueError(f"holds “{found[0]}”, where supervisor wants “%%”")
        name, form = found["name"], found["form"]
        if name.startswith("ENV_") and name not in values:
            raise ValueError(f"holds %({name})s, the value of a variable of supervisor's environment: write it out")
        if name == "process_num" and name not in values:
            raise ValueError("holds the number of a process, which only a command line may hold: make it an option")
        if name not in values:
            raise ValueError(f"holds %({name}){form}, which supervisor does not know")
        value = values[name]
        if form in ("s", "d"):
            return value
        if not form.endswith("d") or not value.isdigit():
            raise ValueError(f"holds %({name}){form}, and a row pads no numbers: write %({name})s")
        return f"%{form}" % int(value)

    return _EXPANSION.sub(replace, text)


def read_environment(text: str) -> dict[str, str]:
    """Return the variables of ``KEY="value",OTHER=value``, as supervisor splits it. Raises ValueError."""
    lexer = shlex.shlex(text)
    lexer.wordchars += "/.+-():"
    try:
        words = list(lexer)
    except ValueError:
        raise ValueError("holds a quotation that does not end") from None
    variables = {}
    for at in range(0, len(words), 4):
        name, equals, value, comma = (*words[at : at + 4], "", "", "", "")[:4]
        if equals != "=" or not value or comma not in ("", ","):
            raise ValueError(f'is no list like KEY="value",OTHER="value" (see {name})')
        variables[name] = value.strip("'\"")
    return variables
