"""Alerts as messages of sentry_sdk, which the project has initialised."""

from importlib import import_module
from typing import Any

from workerd.notifier.alert import Alert

from .mail_text import body_of, subject_of
from .way import PATIENCE_S, WayError

_LEVELS = {"critical": "error", "warning": "warning"}


class SentryWay:
    """One message for each alert; those of one matter are one issue."""

    def send(self, alert: Alert) -> None:
        sdk: Any = import_module("sentry_sdk")
        if not sdk.get_client().is_active():
            raise WayError("sentry_sdk is not initialised: have the project's settings call sentry_sdk.init()")
        with sdk.new_scope() as scope:
            scope.fingerprint = ["workerd", alert.dedup_key]
            scope.set_tags({"kind": alert.kind, "node": alert.node, "job": alert.job, "alert": alert.id})
            scope.set_context("alert", {"state": alert.state, "body": body_of(alert)})
            level = _LEVELS[alert.severity] if alert.state == "raised" else "info"
            sdk.capture_message(subject_of(alert), level=level)
        sdk.flush(timeout=PATIENCE_S)
