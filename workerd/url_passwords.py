"""Passwords within URLs (``postgres://shop:hunter2@db``): secrets, whatever the values that hold them are called."""

import re

PASSWORD = re.compile(r"://[^\s/?#:@\"']*:(?P<value>[^\s/\"']+)@")
"""Up to the last @ of the authority: people write one into a password as it is."""


def holds_password(text: object) -> bool:
    """Return whether a value is a text with such a URL."""
    return isinstance(text, str) and PASSWORD.search(text) is not None
