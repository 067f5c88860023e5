"""One ``[program:NAME]`` of supervisor as a job."""

import os
from collections.abc import Callable

from .adopted import Adopted, Refused
from .command_line import adopt_command
from .context import Context
from .draft import Draft
from .fates import Fate
from .ini_file import Section
from .supervisor_table import PROGRAM, UNKNOWN
from .supervisor_values import expand, read_environment, read_flag, read_restart, read_signal, read_whole
from .templates import NUMBER

_SHORTEST_S = 0.1
_LONGER_S = 30.0
"""How much longer than start_grace the start_timeout is that follows a long startsecs."""


class Program:
    """Takes each directive of a program in turn."""

    def __init__(self, name: str, place: str, section: Section, context: Context) -> None:
        self._name = name
        self._draft = Draft(name, place)
        self._options = dict(section.options)
        self._repeated = section.repeated
        self._context = context
        self._expansions: dict[str, str] = {}

    def adopt(self, group: str, here: str) -> Adopted | Refused:
        """Return the job, or why there is none."""
        processes = self._count("numprocs", 1)
        first = self._count("numprocs_start", 0)
        self._expansions = {
            "program_name": self._name,
            "group_name": group,
            "here": here,
            "host_node_name": os.uname().nodename,
            "numprocs": str(processes),
        }
        if processes == 1:
            self._expansions["process_num"] = str(first)
        else:
            self._draft.values["processes"] = processes
        self._draft.values["restart"] = "on_failure"  # supervisor's default
        self._take_environment()
        for option, value in self._options.items():
            self._take(option, value)
        self._take_command(processes, first)
        for option in self._repeated:
            self._draft.say(f"{option} stands more than once; the last one counts, as for supervisor.")
        return self._draft.finish()

    def _take(self, option: str, value: str) -> None:
        fate = PROGRAM.get(option, UNKNOWN)
        if fate.fate is not Fate.MAPPED:
            shown = f"{option}={value}" if fate.fate is Fate.SERVICE else option
            if option != "numprocs_start" or value.strip() != "0":
                self._draft.drop(shown, fate.says)
        elif take := _TAKERS.get(option):
            try:
                take(self._draft, expand(value, self._expansions))
            except ValueError as error:
                self._draft.block(f"{option}={value} {error}.")

    def _count(self, option: str, default: int) -> int:
        try:
            return read_whole(self._options.get(option, str(default)))
        except ValueError as error:
            self._draft.block(f"{option}={self._options[option]} {error}.")
            return default

    def _take_environment(self) -> None:
        written = self._options.get("environment", "")
        try:
            for name, value in read_environment(expand(written, self._expansions)).items():
                self._expansions[f"ENV_{name}"] = value
                self._draft.set_variable(name, value, self._context)
        except ValueError as error:
            self._draft.block(f"environment {error}.")

    def _take_command(self, processes: int, first: int) -> None:
        if not (written := self._options.get("command", "")):
            self._draft.block("It has no command.")
            return
        values = dict(self._expansions)
        if processes != 1:
            values |= {"process_num": "{index}", "numprocs": "{processes}"}
            if first and "%(process_num)" in written:
                self._draft.say(f"Its processes were numbered from {first}; {{index}} begins with 0.")
        try:
            line = expand(written, values)
        except ValueError as error:
            self._draft.block(f"command {error}.")
        else:
            is_numbered = processes != 1 and not NUMBER.search(written)
            adopt_command(self._draft, line, self._context, is_numbered=is_numbered)


def _autostart(draft: Draft, text: str) -> None:
    if not read_flag(text):
        draft.values["enabled"] = False


def _autorestart(draft: Draft, text: str) -> None:
    draft.values["restart"] = read_restart(text)


def _startsecs(draft: Draft, text: str) -> None:
    seconds = float(read_whole(text))
    if seconds <= 0:
        draft.say(f"startsecs=0 counts a process as running at once; here it counts after {_SHORTEST_S} s.")
        seconds = _SHORTEST_S
    draft.values["start_grace"] = seconds
    if seconds >= _LONGER_S:
        draft.values["start_timeout"] = seconds + _LONGER_S


def _exitcodes(draft: Draft, text: str) -> None:
    others = [code.strip() for code in text.split(",") if code.strip() != "0"]
    if others:
        draft.say(f"Exit code {', '.join(others)} was expected; here only 0 is no failure.")


def _stopsignal(draft: Draft, text: str) -> None:
    name = read_signal(text)
    if name is None:
        draft.say(f"The stop signal {text.strip()} cannot be caught; TERM asks first, and stop_timeout ends it.")
    else:
        draft.values["stop_signal"] = name


def _stopwaitsecs(draft: Draft, text: str) -> None:
    draft.values["stop_timeout"] = max(float(read_whole(text)), _SHORTEST_S)


def _umask(draft: Draft, text: str) -> None:
    draft.values["umask"] = text.strip()


def _directory(draft: Draft, text: str) -> None:
    draft.set_directory(text.strip())


_TAKERS: dict[str, Callable[[Draft, str], None]] = {
    "autostart": _autostart,
    "autorestart": _autorestart,
    "startsecs": _startsecs,
    "exitcodes": _exitcodes,
    "stopsignal": _stopsignal,
    "stopwaitsecs": _stopwaitsecs,
    "umask": _umask,
    "directory": _directory,
}
"""Those that are taken one by one; command, environment and the numbers depend on each other."""
