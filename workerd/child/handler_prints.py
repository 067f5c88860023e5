"""The prints of logging handlers: what one prints is the text of its record, of whichever class it is."""

import logging
import threading
from collections.abc import Callable
from typing import Any

Print = Callable[[bytes], None]
Write = Callable[[logging.LogRecord, str], bool]
"""Takes a record and what a handler printed of it; returns False where that is for the stream."""

ERROR = b"--- Logging error ---"
"""How ``logging.Handler.handleError`` begins: it is about the handler, and not what the record says."""
_handle = logging.Handler.handle


class HandlerPrints(threading.local):
    """This thread's: what the handler that has a record has printed so far, by the stream; None while none has one."""

    taken: dict[Print, bytearray] | None = None

    def take(self, stream: Print, text: bytes) -> bool:
        """Keep ``text``, which is to go to ``stream``; return whether a handler is at work, or else nothing is kept."""
        if self.taken is None:
            return False
        self.taken.setdefault(stream, bytearray()).extend(text)
        return True


PRINTS = HandlerPrints()


def take_prints(write: Write, is_ours: Callable[[logging.Handler], bool]) -> None:
    """Have ``write`` get what a handler prints as it handles a record; handlers that are ours print nothing."""

    def handle(handler: logging.Handler, record: logging.LogRecord) -> Any:
        if is_ours(handler):
            return _handle(handler, record)
        outer, PRINTS.taken = PRINTS.taken, {}
        try:
            return _handle(handler, record)
        finally:
            taken, PRINTS.taken = PRINTS.taken, outer
            for stream, text in taken.items():
                _share(stream, bytes(text), record, write)

    logging.Handler.handle = handle  # type: ignore[method-assign, assignment]


def _share(stream: Print, text: bytes, record: logging.LogRecord, write: Write) -> None:
    """Give whole lines to the record, and the stream the rest: a progress bar, which is drawn again, has no newline."""
    lines, newline, rest = text.rpartition(b"\n")
    said = b"\n".join(line.rstrip(b"\r").rpartition(b"\r")[2] for line in lines.split(b"\n")).strip(b"\n")
    is_error = said.lstrip().startswith(ERROR)
    if said.strip() and (is_error or not write(record, said.decode("utf-8", "replace"))):
        stream(lines + newline)
    if rest:
        stream(rest)
