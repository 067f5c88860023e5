"""A reason: a text, and the part of it that is workerd's own and not a job's or the project's words."""

from typing import Self


class Reason(str):
    """A text with the part of it that everybody may read: a plain text has none, as nobody has said so."""

    __slots__ = ("public",)
    public: str

    def __new__(cls, text: str, public: str | None = None) -> Self:
        """Make a text that is workerd's own throughout, or as far as ``public``."""
        reason = super().__new__(cls, text)
        reason.public = str(text if public is None else public)
        return reason


def public_part(text: str) -> str:
    """Return what of ``text`` a user reads who may not read what jobs write."""
    return text.public if isinstance(text, Reason) else ""


def say(own: str, *parts: str) -> Reason:
    """Join words of workerd's own with texts that may have a part which not everybody may read."""
    return Reason(own + "".join(parts), own + "".join(map(public_part, parts)))
