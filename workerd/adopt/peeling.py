"""Peels a command line: steps of a shell and programs that only start another one, down to the one that runs."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from .context import Context
from .draft import Draft
from .launcher import is_assignment, take_assignments
from .launchers import LAUNCHERS
from .management_command import OWN_INTERPRETER
from .not_adopted import NotAdoptedError, needs_shell
from .programs import base_name, refuse_server
from .shell_words import ShellError, Token, split_shell
from .templates import refuse_template

_MAX_LAYERS = 30
_REDIRECTION = re.compile(r"(\d*[<>][<>&]*|&>>?)(.*)", re.DOTALL)


class LinePeeling:
    """Takes layer after layer off a line; what a layer says goes to the draft."""

    def __init__(self, draft: Draft, context: Context, variables: Mapping[str, str]) -> None:
        self.draft = draft
        self.context = context
        self._variables = variables
        self._layers = 0

    def peel_in_shell(self, line: str) -> list[str]:
        """Return what is left of a line that a launcher gives to a shell. Raises NotAdoptedError."""
        return self.peel(line, in_shell=True)

    def peel(self, line: str, *, in_shell: bool) -> list[str]:
        """Return the words from the program on that is to be run. Raises NotAdoptedError."""
        refuse_template(line, in_shell=in_shell)
        words = list(self._without_steps(self._tokens(line, in_shell=in_shell)))
        while words:
            self._layers += 1
            if self._layers > _MAX_LAYERS:
                raise NotAdoptedError(f"The command line has more than {_MAX_LAYERS} programs that start each other.")
            if is_assignment(words[0]):
                words = take_assignments(words, self.draft, self.context)
            elif launcher := LAUNCHERS.get(base_name(words[0])):
                words = launcher(words, self)
            else:
                return words
        raise NotAdoptedError("The command line names no program.")

    def variable(self, word: str) -> None:
        name, _, value = word.partition("=")
        self.draft.set_variable(name, value, self.context)

    def _tokens(self, line: str, *, in_shell: bool) -> list[Token]:
        if not in_shell:
            return list(_words_without_shell(line))
        try:
            return split_shell(line.strip(), self._variables)
        except ShellError as error:
            refuse_server(line.split())  # else a web server's line would be refused for its $PORT
            raise needs_shell(str(error)) from error

    def _without_steps(self, tokens: Sequence[Token]) -> Iterator[str]:
        """Yield the words of the last step; those before it may only set the scene for it."""
        steps: list[list[str]] = [[]]
        following = iter(tokens)
        for token in following:
            if token.is_redirection:
                self._redirect(token.text, next(following, Token("")).text)
            elif token.text in ("&&", ";") and token.is_operator:
                steps.append([])
            elif token.is_operator:
                raise needs_shell(f"“{token.text}”")
            else:
                steps[-1].append(token.text)
        *scene, last = [step for step in steps if step] or [[]]
        for step in scene:
            self._set_scene(step)
        yield from last

    def _redirect(self, operator: str, where: str) -> None:
        if "<" in operator and where != "/dev/null":
            raise needs_shell(f"“{operator}”")
        self.draft.drop(f"{operator}{where}", "The service's log has what a job prints.")

    def _set_scene(self, step: list[str]) -> None:
        match step:
            case ["cd", directory]:
                self.draft.set_directory(directory)
            case ["umask", mask]:
                self.draft.values["umask"] = mask
            case ["." | "source", file] if file.endswith("/activate"):
                self.draft.drop(f"{step[0]} {file}", OWN_INTERPRETER)
            case ["." | "source", file]:
                self.draft.drop(f"{step[0]} {file}", "What that file sets belongs into the service's environment.")
            case ["export", *assignments] if assignments and all(map(is_assignment, assignments)):
                for assignment in assignments:
                    self.variable(assignment)
            case ["set", options] if options.startswith("-"):
                self.draft.drop(f"set {options}", "No shell runs the command.")
            case _ if all(map(is_assignment, step)):
                for assignment in step:
                    self.variable(assignment)
            case _:
                raise NotAdoptedError(
                    f"The line runs more than one program, “{step[0]}” first: shell; "
                    "put the steps into a management command."
                )


def _words_without_shell(line: str) -> Iterator[Token]:
    """Yield the words as a program gets them that is started without a shell; operators would be words of it."""
    if found := re.search(r"`|\$\(", line):
        refuse_server(line.split())
        raise needs_shell(f"“{found[0]}”")
    try:
        words = shlex.split(line)
    except ValueError as error:
        reason = str(error).lower()
        raise NotAdoptedError(f"It is no command line ({reason}): close the quotation, or escape it.") from error
    for word in words:
        if redirection := _REDIRECTION.fullmatch(word):
            yield Token(redirection[1], is_operator=True)
            if redirection[2]:
                yield Token(redirection[2])
        else:
            yield Token(word, is_operator=word in ("&&", "||", "|", ";", "&"))
