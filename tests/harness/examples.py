"""The files that a page of the docs shows."""

import re

_BLOCK = re.compile(r"^```(?:ini|text)\n([#;] ([\w.-]+)\n.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: str) -> dict[str, str]:
    """Return the files by the name that the comment in their first line has."""
    return {name: text for text, name in _BLOCK.findall(page)}
