"""The refusal of a command line."""

from workerd.errors import WorkerdError


class NotAdoptedError(WorkerdError):
    """No job can be made of a command line; the text is the reason, one sentence or more, with the remedy."""


def needs_shell(what: str) -> NotAdoptedError:
    return NotAdoptedError(f"The line needs a shell, for {what}; put it into a management command.")
