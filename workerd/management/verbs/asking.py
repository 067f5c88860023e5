"""The verbs that ask the running daemon, and need nothing of the project but its settings."""

from typing import Any

from . import reload, shutdown, status, tail
from .orders import order_verbs

ASKING: dict[str, Any] = {"status": status, **order_verbs(), "reload": reload, "tail": tail, "shutdown": shutdown}
