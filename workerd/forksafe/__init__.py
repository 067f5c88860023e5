"""Keeps database connections from crossing a fork; usable by itself in any Django project.

Each name is imported at its first use, so that ``python -m workerd.forksafe audit`` needs no Django.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import ForkedConnectionError as ForkedConnectionError
    from .errors import UnsafeForkError as UnsafeForkError
    from .health import heal_connections as heal_connections
    from .installation import install as install
    from .labels import label_sessions as label_sessions
    from .preparation import Prepared as Prepared
    from .preparation import prepare_to_fork as prepare_to_fork
    from .refresh import close_connections as close_connections
    from .refresh import close_own_connections as close_own_connections
    from .refresh import drop_dead_connections as drop_dead_connections
    from .refresh import refresh_connections as refresh_connections
    from .session_state import keep_session as keep_session
    from .unreachable import is_unreachable as is_unreachable

_MODULES = {
    "ForkedConnectionError": "errors",
    "Prepared": "preparation",
    "UnsafeForkError": "errors",
    "close_connections": "refresh",
    "close_own_connections": "refresh",
    "drop_dead_connections": "refresh",
    "heal_connections": "health",
    "install": "installation",
    "is_unreachable": "unreachable",
    "keep_session": "session_state",
    "label_sessions": "labels",
    "prepare_to_fork": "preparation",
    "refresh_connections": "refresh",
}
__all__ = [
    "ForkedConnectionError",
    "Prepared",
    "UnsafeForkError",
    "close_connections",
    "close_own_connections",
    "drop_dead_connections",
    "heal_connections",
    "install",
    "is_unreachable",
    "keep_session",
    "label_sessions",
    "prepare_to_fork",
    "refresh_connections",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    return value
