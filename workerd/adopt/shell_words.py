"""Reads a command line as a shell would split it. Nothing is run, and no file is looked at."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from workerd.errors import WorkerdError

_OPERATOR = re.compile(r"\d*(?:>>|<<<|<<|>&|<&|>\||<>|>|<)|&>>?|&&|\|\||\|&|;;|[|&;()\n]")
_REDIRECTION = re.compile(r"\d*[<>].*|&>>?")
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})", re.ASCII)
_ENDS_WORD = " \t\n|&;()<>"
_PATTERN = "*?"


class ShellError(WorkerdError):
    """The line needs a shell: the text is what of it, as a phrase."""


class Token(NamedTuple):
    """A word as the program would get it, or an operator of the shell."""

    text: str
    is_operator: bool = False

    @property
    def is_redirection(self) -> bool:
        return self.is_operator and _REDIRECTION.fullmatch(self.text) is not None


def split_shell(line: str, variables: Mapping[str, str]) -> list[Token]:
    """Return the words and operators of ``line``, with the values of ``variables`` in it.

    Raises ShellError for what only a shell can do: command substitution, other variables, patterns of file names.
    """
    return list(_Reader(line, variables).tokens())


class _Reader:
    def __init__(self, line: str, variables: Mapping[str, str]) -> None:
        self._line = line
        self._variables = variables
        self._at = 0

    def tokens(self) -> Iterator[Token]:
        while self._at < len(self._line):
            if self._line[self._at] in " \t":
                self._at += 1
            elif self._line[self._at] == "#":
                return
            elif operator := _OPERATOR.match(self._line, self._at):
                self._at = operator.end()
                yield Token(operator[0], is_operator=True)
            else:
                yield Token("".join(self._word()))

    def _word(self) -> Iterator[str]:
        while self._at < len(self._line) and (char := self._line[self._at]) not in _ENDS_WORD:
            if char == "'":
                yield self._until_quote()
            elif char == '"':
                self._at += 1
                yield from self._in_quotes()
            elif char == "\\":
                self._at += 2
                yield self._line[self._at - 1 : self._at] or char
            elif char in _PATTERN:
                raise ShellError(f"a pattern of file names, “{char}”")
            else:
                yield self._plain(quoted=False)

    def _until_quote(self) -> str:
        end = self._line.find("'", self._at + 1)
        if end < 0:
            raise ShellError("a quotation that does not end")
        text = self._line[self._at + 1 : end]
        self._at = end + 1
        return text

    def _in_quotes(self) -> Iterator[str]:
        while (char := self._line[self._at : self._at + 1]) != '"':
            if not char:
                raise ShellError("a quotation that does not end")
            following = self._line[self._at + 1 : self._at + 2]
            if char == "\\" and following and following in '"\\$`\n':
                self._at += 2
                yield following
            else:
                yield self._plain(quoted=True)
        self._at += 1

    def _plain(self, *, quoted: bool) -> str:
        """Return one character, or what stands for a variable."""
        char = self._line[self._at]
        if char == "`":
            raise ShellError("a back-tick, which puts in what another program prints")
        if char != "$":
            self._at += 1
            return char
        if found := _VARIABLE.match(self._line, self._at):
            self._at = found.end()
            return self._value(found[1] or found[2], quoted=quoted)
        following = self._line[self._at + 1 : self._at + 2]
        if following and following in "({0123456789?!$@*#-":
            raise ShellError(f"“${following}”")
        self._at += 1
        return char

    def _value(self, name: str, *, quoted: bool) -> str:
        if name not in self._variables:
            raise ShellError(f"the variable ${name}, which the file does not set: write its value")
        value = self._variables[name]
        if not quoted and re.search(r"[\s*?]", value):
            raise ShellError(f"the variable ${name}, which is several words: write its value")
        return value
