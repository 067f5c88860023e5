"""The payloads of webhooks: workerd's own, which is API and has a version, and those of Slack and PagerDuty."""

from datetime import UTC, datetime
from typing import Any

from workerd.notifier.alert import Alert
from workerd.wire.visible import visible

from .mail_text import body_of, held_back_of, subject_of

VERSION = 1
_SLACK_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SUMMARY_CHARACTERS = 1000
_DEDUP_CHARACTERS = 255


def payload_of(alert: Alert) -> dict[str, Any]:
    """Return workerd's own payload. Within a version fields are added, and none changes its meaning."""
    return {
        "version": VERSION,
        "id": alert.id,
        "state": alert.state,
        "key": alert.key,
        "dedup_key": alert.dedup_key,
        "kind": alert.kind,
        "severity": str(alert.severity),
        "node": alert.node,
        "since": _moment(alert.since),
        "at": _moment(alert.at),
        "says": alert.says,
        "text": alert.text,
        "public": alert.public,
        "job": alert.job,
        "slot": alert.slot,
        "run": alert.run,
        "labels": dict(alert.labels),
        "count": alert.count,
        "held_back": dict(alert.held_back),
        "see": alert.remedy,
    }


def slack_of(alert: Alert) -> dict[str, Any]:
    """Return a message for an incoming webhook of Slack, and of what takes the same, such as Mattermost."""
    lines = [f"*{_slack(subject_of(alert))}*", _slack(visible(alert.text) or alert.says)]
    if alert.state == "raised":
        lines.append(f"`{_slack(visible(alert.remedy))}`")
    if alert.held_back:
        lines.append(_slack(held_back_of(alert)))
    return {"text": "\n".join(lines)}


def pagerduty_of(alert: Alert, routing_key: str) -> dict[str, Any]:
    """Return an event of PagerDuty's Events API v2. What was over before it could be sent opens no incident."""
    return {
        "routing_key": routing_key,
        "event_action": "trigger" if alert.state == "raised" else "resolve",
        "dedup_key": alert.dedup_key[:_DEDUP_CHARACTERS],
        "payload": {
            "summary": f"{subject_of(alert)}: {visible(alert.text) or alert.says}"[:_SUMMARY_CHARACTERS],
            "source": alert.node,
            "severity": str(alert.severity),
            "timestamp": _moment(alert.at),
            "component": alert.job,
            "class": alert.kind,
            "custom_details": {"id": alert.id, "count": alert.count, "body": body_of(alert)},
        },
    }


def _slack(text: str) -> str:
    return text.translate(_SLACK_ESCAPES)


def _moment(at: float) -> str | None:
    """Return a moment in ISO 8601; None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return None
