"""Makes visible what would move a terminal's cursor, colours or title, or the order of its characters."""

import re

_CONTROLS = (
    "\x00-\x1f\x7f-\x9f"  # C0 and C1, with escape and newline
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible, bidi, separators
    "\ud800-\udfff\U000e0000-\U000e0fff"  # halves of pairs, tags
)
_INVISIBLE = re.compile(f"[{_CONTROLS}]")
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\x1b"}


def visible(text: str) -> str:
    """Return ``text`` on one line, with each such character as Python would write it in a literal."""
    return _INVISIBLE.sub(_escape, text)


def visible_lines(text: str) -> str:
    """Return ``text`` with its lines and tabs, and every other such character made visible."""
    return _INVISIBLE.sub(lambda found: found[0] if found[0] in "\n\t" else _escape(found), text)


def visible_json(line: str) -> str:
    """Return a line of JSON that means the same, and shows such characters as JSON escapes them."""
    return _INVISIBLE.sub(_escape_in_json, line)


def _escape(found: "re.Match[str]") -> str:
    character = found[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    # From DEL on as JSON writes it, too: json.dumps() leaves these as they are.
    return f"\\x{code:02x}" if code < 0x7F else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape_in_json(found: "re.Match[str]") -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
