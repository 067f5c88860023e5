"""Finds the secrets in a management command's line, and masks them."""

import re
from fnmatch import fnmatchcase

from .conf import get_settings
from .url_passwords import PASSWORD

MASK = "********"
_VALUE = r"""(?:"(?:\\.|[^"\\])*(?:"|$)|'[^']*(?:'|$)|\\.|[^\s"'\\])+"""
_OPTION = re.compile(rf"(?<!\S)--?(?P<name>[A-Za-z][\w-]*)(?:=|\s+(?!-))(?P<value>{_VALUE})")
"""An option with its value, as a shell would read them; an option that takes none may be followed by another word."""


def is_secret(name: str) -> bool:
    """Return whether a value of this name is masked: ``api-token`` is the argument ``api_token``."""
    plain = name.replace("-", "_").lower()
    return any(fnmatchcase(plain, pattern.replace("-", "_").lower()) for pattern in get_settings().secret_kwargs)


def masked_command(line: str) -> str:
    """Return the line with a mask for each value of an option in ``WORKERD["SECRET_KWARGS"]``, and URL's password."""
    parts: list[str] = []
    done = 0
    for found in _secrets(line):
        if found.start("value") >= done:
            parts += line[done : found.start("value")], MASK
            done = found.end("value")
    return "".join((*parts, line[done:]))


def without_secrets(text: str, line: str) -> str:
    """Return a text about the line without the values that are masked in it."""
    values = {found["value"] for found in _secrets(line)}
    values |= {value.strip("\"'") for value in values}
    for value in sorted(values - {"", MASK}, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def _secrets(line: str) -> list[re.Match[str]]:
    options = [found for found in _OPTION.finditer(line) if is_secret(found["name"])]
    return sorted([*options, *PASSWORD.finditer(line)], key=lambda found: found.start("value"))
