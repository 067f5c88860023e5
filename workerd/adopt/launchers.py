"""All launchers by name, and those that only prepare what they start: an environment, a user, a shell."""

import re
import shlex
from collections.abc import Mapping
from itertools import takewhile

from .launcher import Launcher, Peeling, unknown_option, without_options
from .limiters import flock, ionice, nice, timeout
from .not_adopted import NotAdoptedError

_STARTED = "workerd starts its processes itself."


def _env(words: list[str], peeling: Peeling) -> list[str]:
    rest = words[1:]
    if rest and rest[0] in ("-", "-i", "--ignore-environment"):
        peeling.draft.drop(f"env {rest[0]}", "A job has the service's environment.")
        rest = rest[1:]
    return without_options("env", rest)


def _plain(words: list[str], peeling: Peeling) -> list[str]:
    if words[0] != "exec":
        peeling.draft.drop(words[0], _STARTED)
    return without_options(words[0], words[1:])


def _shell(words: list[str], peeling: Peeling) -> list[str]:
    flags = list(takewhile(lambda word: word.startswith("-"), words[1:]))
    line = words[1 + len(flags) :][:1]
    if not line or not re.fullmatch(r"-[elux]*c|(-[elux]+)+-?c", "".join(flags)):
        raise NotAdoptedError(f"“{words[0]}” runs a shell: adopt the command that it runs in the end.")
    return peeling.peel_in_shell(line[0])


def _as_user(words: list[str], peeling: Peeling) -> list[str]:
    peeling.draft.drop(shlex.join(words[:2]), "One user a daemon: its own.")
    return without_options(words[0], words[2:])


def _sudo(words: list[str], peeling: Peeling) -> list[str]:
    at = 1
    while at < len(words) and words[at].startswith("-"):
        if words[at] not in ("-u", "--user", "-g", "--group", "-E", "-H", "-n", "--"):
            raise unknown_option("sudo", words[at])
        at += 2 if words[at] in ("-u", "--user", "-g", "--group") else 1
    peeling.draft.drop(shlex.join(words[:at]), "One user a daemon: its own.")
    return words[at:]


def _run(words: list[str], peeling: Peeling) -> list[str]:
    """Peel ``poetry run`` and its like: an environment of Python, which is the service's."""
    rest = words[1:]
    if rest[:1] != ["run"]:
        raise NotAdoptedError(f"“{words[0]}” is a program of its own, not manage.py.")
    rest = rest[1:]
    while rest and rest[0].startswith("-"):
        rest = rest[1:]
    peeling.draft.drop(shlex.join(words[: len(words) - len(rest)]), "The service's own environment of Python is used.")
    return rest


LAUNCHERS: Mapping[str, Launcher] = {
    "env": _env,
    "exec": _plain,
    "nohup": _plain,
    "setsid": _plain,
    "command": _plain,
    "nice": nice,
    "ionice": ionice,
    "flock": flock,
    "timeout": timeout,
    "sh": _shell,
    "bash": _shell,
    "dash": _shell,
    "sudo": _sudo,
    "s6-setuidgid": _as_user,
    "setuidgid": _as_user,
    "gosu": _as_user,
    "su-exec": _as_user,
    "poetry": _run,
    "pipenv": _run,
    "pdm": _run,
    "uv": _run,
    "hatch": _run,
}
"""By the name of the program. A program that is not here starts nothing that could be adopted."""
