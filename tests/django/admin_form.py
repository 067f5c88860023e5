"""The job form as a browser posts it."""

from typing import Any

JOB_FORM: dict[str, Any] = {
    "name": "mail-outbox",
    "target": "shop.jobs.ship_orders",
    "command": "",
    "kwargs": "{}",
    "enabled": "on",
    "processes": "1",
    "nice": "0",
    "restart": "always",
    "backoff_initial": "500 ms",
    "backoff_max": "1 min",
    "max_restarts": "",
    "restart_window": "10 min",
    "start_grace": "1 s",
    "start_timeout": "30 s",
    "stop_signal": "TERM",
    "stop_timeout": "10s",
    "heartbeat_timeout": "",
    "heartbeat": "any",
    "max_memory": "",
    "max_age": "",
    "notes": "",
}
