"""sentry-sdk: a loop of the project that reports by it; a local receiver stands for Sentry."""

import json
import os
from typing import Any

from tests.fidelity.case import Case

CASE = Case(
    "sentry-sdk",
    "poll",
    ("sentry-sdk==2.75.0",),
    needs=frozenset({"receiver"}),
    quick=True,
    environment={"FIDELITY_LEVEL": "ERROR"},
    shown="a loop of the project",
)


def settings() -> dict[str, Any]:
    import sentry_sdk

    sentry_sdk.init(f"http://key@{os.environ['FIDELITY_RECEIVER']}/1", auto_session_tracking=False)
    return {}


def define() -> Any:
    from tests.fidelity.site.management.commands.poll import put

    return put


def understand(bodies: list[bytes]) -> list[str]:
    """Return what Sentry was told; not of the KeyboardInterrupt of a plain Ctrl-C, as an asked stop is no failure."""
    told = []
    for line in b"\n".join(bodies).splitlines():
        try:
            item = json.loads(line)
        except ValueError:
            continue
        if isinstance(item, dict) and ("exception" in item or "logentry" in item):
            values = item.get("exception", {}).get("values", [])
            types = [value["type"] for value in values]
            text = item.get("logentry", {}).get("formatted") or item.get("logentry", {}).get("message")
            if types != ["KeyboardInterrupt"]:
                told.append(" ".join([str(item.get("level")), *types, str(text)]))
    return told
