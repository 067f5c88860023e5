"""Supervisor's configuration: each ``[program:NAME]`` is a job."""

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .adopted import Adopted, Refused, Result, told_users
from .context import Context
from .fates import Fate
from .files import UnreadableFileError, read_text
from .ini_file import IniFile, Section, read_ini
from .names import shortened
from .supervisor_program import Program
from .supervisor_table import SECTIONS

MAX_FILES = 200
"""Files that one [include] may bring in."""


def fits(_path: Path, text: str) -> bool:
    """Return whether the text looks like supervisor's."""
    return any(name.partition(":")[0] in SECTIONS for name in read_ini(text).sections)


def read(path: Path, text: str, context: Context) -> Result:
    """Return the programs of the file and of those that it includes."""
    result = Result()
    parts = _Parts(result)
    parts.add(path, read_ini(text))
    if include := parts.sections.get("include"):
        parts.include(path, include)
    parts.merge_defaults()
    groups = dict(_groups(parts))
    users: dict[str, None] = {}
    for name, section in parts.sections.items():
        if program := _take(parts, name, groups, str(path.absolute().parent), context):
            result.add(program)
            users |= dict.fromkeys([section.options.get("user", "")] if isinstance(program, Adopted) else [])
    result.notes.extend([*_told_sections(parts), *told_users(users)])
    return result


class _Parts:
    """The sections of all files as supervisor has them: one of the same name adds to the one before."""

    def __init__(self, result: Result) -> None:
        self.sections: dict[str, Section] = {}
        self._files: dict[str, Path] = {}
        self._say = result.notes.append
        self._refuse = result.refused.append

    def place(self, name: str) -> str:
        return f"{self._files[name]}, line {self.sections[name].line}"

    def add(self, path: Path, file: IniFile) -> None:
        for line, text in file.strays:
            self._say(f"{path}, line {line}: “{shortened(text)}” is no line of such a file, and is passed over.")
        for line, name in file.repeated:
            self._say(f"{path}, line {line}: [{name}] stands twice; of each directive the last one counts.")
        for name, section in file.sections.items():
            if known := self.sections.get(name):
                self._say(f"{path}, line {section.line}: [{name}] adds to the one of {self._files[name]}.")
                known.repeated += [option for option in section.options if option in known.options]
                known.options |= section.options
            else:
                self.sections[name], self._files[name] = section, path

    def include(self, path: Path, include: Section) -> None:
        """Add the files that supervisor would read besides."""
        place = self.place("include")
        done = {os.path.realpath(path)}
        for file in self._included(path, include.options.get("files", "").split(), place):
            if (real := os.path.realpath(file)) in done:
                self._say(f"{place}: “{file}” is read already.")
                continue
            done.add(real)
            try:
                found = read_ini(read_text(file))
            except UnreadableFileError as error:
                self._refuse(Refused(str(file), place, str(error)))
                continue
            if found.sections.pop("include", None):
                self._say(f"{file}: supervisor follows [include] in its main file only, and so does adopt.")
            self.add(file, found)

    def merge_defaults(self) -> None:
        if defaults := self.sections.pop("DEFAULT", None):
            for section in self.sections.values():
                section.options = {**defaults.options, **section.options}

    def _included(self, path: Path, patterns: Sequence[str], place: str) -> Iterator[Path]:
        count = 0
        for written in patterns:
            pattern = written.replace("%(here)s", str(path.absolute().parent)).replace(
                "%(host_node_name)s", os.uname().nodename
            )
            found = sorted(glob.glob(str(path.parent / pattern)))  # noqa: PTH207 - Path.glob takes no absolute pattern
            if not found:
                self._say(f"{place}: “{written}” matches no file.")
            for name in found:
                count += 1
                if count > MAX_FILES:
                    self._say(f"{place}: only the first {MAX_FILES} files are read.")
                    return
                yield Path(name)


def _groups(parts: _Parts) -> Iterator[tuple[str, str]]:
    """Yield each program that is in a group, and the group."""
    for name, section in parts.sections.items():
        kind, _, group = name.partition(":")
        if kind == "group":
            yield from ((program.strip(), group) for program in section.options.get("programs", "").split(","))


def _take(parts: _Parts, name: str, groups: Mapping[str, str], here: str, context: Context) -> Adopted | Refused | None:
    """Return what comes of a section, None where it is no program."""
    kind, _, own_name = (part.strip() for part in name.partition(":"))
    fate = SECTIONS.get(kind)
    if fate is None or (kind == "program" and not own_name):
        return Refused(name, parts.place(name), f"Supervisor has no section [{name}]: correct its name, or remove it.")
    if kind == "program":
        program = Program(own_name, parts.place(name), parts.sections[name], context)
        return program.adopt(group=groups.get(own_name, own_name), here=here)
    if fate.fate is Fate.BLOCKS:
        return Refused(own_name or name, parts.place(name), fate.says)
    return None


def _told_sections(parts: _Parts) -> Iterator[str]:
    """Yield a sentence for each reason not to carry sections over."""
    reasons: dict[str, list[str]] = {}
    for name in parts.sections:
        fate = SECTIONS.get(name.partition(":")[0].strip())
        if fate and fate.fate in (Fate.DROPPED, Fate.SERVICE):
            reasons.setdefault(fate.says, []).append(f"[{name}]")
    return (f"Not carried over: {', '.join(names)}. {reason}" for reason, names in reasons.items())
