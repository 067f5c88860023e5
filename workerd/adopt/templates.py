"""Placeholders of templates: what still has one says nothing about a job."""

import re

from .not_adopted import NotAdoptedError

_PLACEHOLDER = re.compile(r"\{\{|\{%|<%|%\([^)]{0,100}\)\w")
_WITHOUT_SHELL = re.compile(r"\$\{|" + _PLACEHOLDER.pattern)


NUMBER = re.compile(r"\{(?:index|processes)\}")


def refuse_number(text: str) -> None:
    """Raise NotAdoptedError where a line has by chance what stands for the number of a process in a row's command."""
    if found := NUMBER.search(text):
        raise NotAdoptedError(f"“{found[0]}” is replaced in the command of a row: write the line without it.")


def refuse_template(text: str, *, in_shell: bool = True) -> None:
    """Raise NotAdoptedError where a placeholder is left; a shell reads ``${NAME}`` itself."""
    if found := (_PLACEHOLDER if in_shell else _WITHOUT_SHELL).search(text):
        raise NotAdoptedError(f"“{found[0]}” is a placeholder of a template; give the rendered file.")
