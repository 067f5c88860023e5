"""workerd runs the long-lived background processes of a Django project.

Its public names load when first used (PEP 562): the daemon imports this package, and must never import Django.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .child.context import JobContext
    from .errors import SeatLostError
    from .registry import job

__all__ = ["JobContext", "SeatLostError", "__version__", "job"]
__version__ = "0.1.0"

_HOMES = {"JobContext": ".child.context", "SeatLostError": ".errors", "job": ".registry"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name], __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
