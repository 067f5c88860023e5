"""A command line as one types it in a shell or writes it for supervisor: the part of it that belongs in a row."""

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise

FOREIGN_OPTIONS = ("--settings", "--pythonpath")
"""Options that choose another project than the one that the daemon has loaded."""

_ENTRIES = ("manage.py", "django-admin", "django-admin.py")
_INTERPRETER = re.compile(r"(python|pypy)[\d.]*")
_LAUNCHERS = ("bash", "cd", "env", "exec", "hatch", "nice", "nohup", "pdm", "pipenv", "poetry", "sh", "sudo", "uv")
"""Programs and words of a shell that may stand before an entry; a command of the project may be called so as well."""


def pasted_fault(words: Sequence[str]) -> str:
    """Return the sentence for a line that starts a program, "" for one that begins with a management command."""
    rest = _after_entry(words)
    if rest is None and not _is_program(words[0]):
        return ""
    if rest:
        return f"command begins with “{words[0]}”, as in a shell: write only “{shlex.join(rest)}”."
    if rest is not None:
        return f"command begins with “{words[0]}” and names no management command: write it like db_worker."
    return (
        f"command begins with “{words[0]}”, which starts a program: write a management command of the project, "
        "like db_worker --queue-name mail, or clear it and set a target."
    )


def _after_entry(words: Sequence[str]) -> list[str] | None:
    """Return what follows ``manage.py``, ``django-admin`` or ``-m django``; None where the line has none of them."""
    if not (_is_program(words[0]) or words[0] in _LAUNCHERS):
        return None
    pairs = enumerate(pairwise(("", *words)))
    end = next((at for at, (last, word) in pairs if _is_entry(word) or (last, word) == ("-m", "django")), None)
    return None if end is None else list(_without_foreign(words[end + 1 :]))


def _is_program(word: str) -> bool:
    """Return whether no management command can be called so: a path, a variable's value, an interpreter."""
    return "/" in word or "=" in word or _is_entry(word) or _INTERPRETER.fullmatch(word) is not None


def _is_entry(word: str) -> bool:
    return word.rpartition("/")[2] in _ENTRIES


def _without_foreign(words: Sequence[str]) -> Iterator[str]:
    options = iter(words)
    for word in options:
        name, equals, _ = word.partition("=")
        if name not in FOREIGN_OPTIONS:
            yield word
        elif not equals:
            next(options, None)
