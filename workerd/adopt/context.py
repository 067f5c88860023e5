"""The context holds all that adoption knows of the project and of its service."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from inspect import Signature
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Context:
    """The project's part in an adoption; the command fills it in, and a test as it likes."""

    commands: Collection[str]
    """Every management command of the installed apps."""
    allowed_commands: Collection[str] = ()
    """``WORKERD["COMMANDS"]``."""
    is_allowed_target: Callable[[str], bool] = lambda dotted: False  # noqa: ARG005 - its callers name the argument
    """Whether ``@job`` or ``WORKERD["TARGETS"]`` allows a dotted path."""
    signature: Callable[[str], Signature | None] = lambda dotted: None  # noqa: ARG005 - as above
    """Returns what an allowed target takes; None where the project does not allow it, or where it does not load."""
    environment: Collection[str] = ()
    """The names of the service's environment variables, as far as they are known."""
    settings_module: str = ""
    time_zone: str = ""
    """The host's time zone, by which cron and systemd go; "" where it is not known."""
    is_secret: Callable[[str], bool] = lambda name: False  # noqa: ARG005 - as above
    """Whether a value of this name is masked."""
    mask: Callable[[str], str] = lambda line: line
    """Masks the values of secret options in a command line."""
    paths: Collection[Path] = field(default_factory=tuple)
    """The files that are adopted together."""
