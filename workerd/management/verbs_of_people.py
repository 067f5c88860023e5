"""The verbs of ``manage.py workerd`` that help lists."""

from typing import Any

from .asking import ASKING
from .verbs import adopt, alert, check, export, import_, once, rebalance, run, sync

VERBS: dict[str, Any] = {
    "run": run,
    "check": check,
    "once": once,
    "sync": sync,
    "export": export,
    "import": import_,
    "adopt": adopt,
    "rebalance": rebalance,
    "alert": alert,
    **ASKING,
}
