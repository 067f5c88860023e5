"""The command's standard output and error: what they write cannot steer a terminal, and fits its encoding."""

import sys

from django.core.management.base import BaseCommand, OutputWrapper

from workerd.wire.visible import visible_lines


class Terminal(OutputWrapper):
    """Takes the place of a command's stream."""

    def __init__(self, stream: OutputWrapper) -> None:
        super().__init__(stream._out, stream.ending)  # type: ignore[arg-type]  # the stubs do not know it
        self.style_func = stream.style_func

    def write(self, msg: str = "", style_func: object = None, ending: str | None = None) -> None:  # type: ignore[override]
        """Write a message, in which only lines and tabs act on a terminal."""
        super().write(visible_lines(msg), style_func, ending)  # type: ignore[arg-type]

    def write_rendered(self, text: str) -> None:
        """Write a text of which each part that is not ours has been made visible, and whose colours are ours."""
        super().write(text)


def guard_streams(command: BaseCommand) -> tuple[Terminal, Terminal]:
    """Have ``command`` write by a Terminal; return both."""
    out, err = Terminal(command.stdout), Terminal(command.stderr)
    command.stdout, command.stderr = out, err
    return out, err


def write_any_character() -> None:
    """Have both streams of this process escape what their encoding lacks: not every terminal is one of UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
