"""The values that a run's arguments take from the environment: none is in what its process says, prints or raises."""

import json
from collections.abc import Iterable, Iterator

MASK = "********"
SHORT = 6
"""The fewest characters of a value that is masked everywhere: a shorter one is in many words, so only within quotes."""
_HEAD = 16
"""The characters of a longer value by which it is known: Python cuts values in its messages."""


class Secrets:
    """The values that this process masks in its texts; there are none until ``take`` is called."""

    def __init__(self) -> None:
        self._forms: tuple[str, ...] = ()

    def take(self, values: Iterable[str]) -> None:
        """Mask ``values``, too, from now on, in each form in which a message or a line may hold them."""
        forms = {*self._forms, *(form for value in values if value for form in _forms(value))}
        self._forms = tuple(sorted(forms, key=len, reverse=True))

    def forget(self) -> None:
        """Mask nothing from now on: for a process that runs one job after another."""
        self._forms = ()

    def __bool__(self) -> bool:
        """Return whether anything is to be masked."""
        return bool(self._forms)

    def mask(self, text: str) -> str:
        """Return ``text`` with a mask in place of each value, also where only its beginning is there."""
        for form in self._forms:
            text = _without(text, form)
        return text

    def mask_bytes(self, text: bytes) -> bytes:
        """Return what ``mask`` makes of UTF-8, or of whatever else the bytes are."""
        return self.mask(text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _forms(value: str) -> Iterator[str]:
    """Yield the value and its lines: as they are, as ``repr`` writes them, and both of these as JSON writes them."""
    if len(value) < SHORT:
        yield from (f"'{value}'", f'"{value}"', f"“{value}”")
        return
    lines = {line.strip() for line in value.splitlines()}
    for text in {value, value.strip(), *(line for line in lines if len(line) >= SHORT)}:
        for written in {text, repr(text)[1:-1], ascii(text)[1:-1]}:
            yield written
            yield json.dumps(written)[1:-1]
            yield json.dumps(written, ensure_ascii=False)[1:-1]


def _without(text: str, form: str) -> str:
    head = form[:_HEAD]
    start = text.find(head)
    if start < 0:
        return text
    parts: list[str] = []
    done = 0
    while start >= 0:
        end = start + len(head)
        while text[end : end + 1] == form[end - start : end - start + 1] != "":
            end += 1
        parts += text[done:start], MASK
        done = end
        start = text.find(head, done)
    return "".join((*parts, text[done:]))


SECRETS = Secrets()
"""Of this process, which runs one job."""
