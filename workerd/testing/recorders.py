"""Recorders of what a job in a test tells the daemon (``RecordingPage``, ``RecordingSender``)."""

from workerd.child.stopping import StopRequest
from workerd.wire.messages import Message, RecycleAsked, Refused


class RecordingPage:
    """A heartbeat page that counts the beats and keeps the notes."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self.beats = 0
        self.notes: list[str] = []

    def beat(self) -> None:
        self.beats += 1

    def write_note(self, text: str) -> None:
        self.notes.append(text)

    def note_silence(self, begun: float, ended: float) -> None: ...

    def forget_silence(self) -> None: ...

    def allow(self, seconds: float | None) -> None: ...

    def count_opened(self) -> None: ...

    def count_closed(self) -> None: ...


class RecordingSender:
    """Does what the daemon does at a child's messages: keeps a refusal, stops a job that is to be recycled."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop
        self.refusal = ""
        self.is_recycled = False

    def send(self, message: Message) -> None:
        if isinstance(message, Refused):
            self.refusal = message.reason
        elif isinstance(message, RecycleAsked):
            self.is_recycled = True
            self._stop.ask()
