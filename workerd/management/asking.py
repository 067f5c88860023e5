"""The verbs that ask the running daemon or look into its journal, and need nothing of the project but its settings."""

from typing import Any

from .verbs import drain, records, reload, shutdown, status, tail, trigger
from .verbs.orders import order_verbs

ASKING: dict[str, Any] = {
    "status": status,
    **order_verbs(),
    "trigger": trigger,
    "reload": reload,
    "drain": drain,
    "tail": tail,
    "records": records,
    "shutdown": shutdown,
}
