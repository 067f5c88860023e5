"""The management command of a program's words, if it has one that this project has, too."""

import difflib
import re
import shlex
from collections.abc import Iterator, Sequence

from workerd.job_rules.pasted import FOREIGN_OPTIONS

from .context import Context
from .draft import Draft
from .not_adopted import NotAdoptedError
from .programs import base_name, refuse_command, refuse_program

OWN_INTERPRETER = "The service's own interpreter loads the project."
_ENTRIES = ("manage.py", "django-admin", "django-admin.py")
_INTERPRETER = re.compile(r"(python|pypy)[\d.]*")
_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")


def find_management_command(draft: Draft, words: Sequence[str], context: Context) -> list[str]:
    """Return the management command and its arguments. Raises NotAdoptedError."""
    found = list(_own_words(draft, _after_entry(draft, words), context))
    if not found:
        raise NotAdoptedError(f"“{words[0]}” names no management command.")
    name = found[0]
    refuse_command(found)
    if name not in context.commands:
        likely = difflib.get_close_matches(name, context.commands, n=1)
        question = f" Did you mean “{likely[0]}”?" if likely else ""
        raise NotAdoptedError(f"There is no management command “{name}” in this project.{question}")
    if name not in context.allowed_commands:
        draft.say(f'Add "{name}" to WORKERD["COMMANDS"].')
    return found


def _after_entry(draft: Draft, words: Sequence[str]) -> list[str]:
    if base_name(words[0]) in _ENTRIES:
        return list(words[1:])
    if not _INTERPRETER.fullmatch(base_name(words[0])):
        refuse_program(words)
    rest = list(words[1:])
    while rest and rest[0].startswith("-") and rest[0] not in ("-m", "-c", "-"):
        count = 2 if rest[0] in _WITH_VALUE else 1
        draft.drop(shlex.join(rest[:count]), OWN_INTERPRETER)
        rest = rest[count:]
    match rest:
        case ["-m", "django", *after]:
            return after
        case [script, *after] if base_name(script) in _ENTRIES:
            return after
        case ["-m", module, *after]:
            refuse_program([module, *after])
        case ["-c" | "-", *_]:
            raise NotAdoptedError("It runs Python code that stands on the command line: make it a management command.")
        case [script, *_] if _INTERPRETER.fullmatch(script):
            raise NotAdoptedError(f"“{words[0]} {script}” runs a script called {script}: remove one of the two words.")
        case [script, *_] if script != "-m":
            raise NotAdoptedError(f"“{script}” is a script of its own: make it a management command.")
    raise NotAdoptedError("It starts Python and names nothing to run.")


def _own_words(draft: Draft, words: Sequence[str], context: Context) -> Iterator[str]:
    """Yield the words without the options that choose a project: the service has loaded one."""
    rest = iter(words)
    for word in rest:
        if word == "--":
            yield word
            yield from rest
            return
        option, equals, value = word.partition("=")
        if option not in FOREIGN_OPTIONS:
            yield word
            continue
        value = value if equals else next(rest, "")
        if option == "--settings":
            draft.compare_settings(value, context)
        draft.drop(f"{option} {value}", "The service loads the project once, with its own settings.")
