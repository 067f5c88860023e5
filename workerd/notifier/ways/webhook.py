"""Alerts by HTTP: a POST of JSON, signed where there is a secret, with an id that each retry has again."""

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from workerd import __version__
from workerd.alert_entries import AlertEntry
from workerd.notifier.alert import Alert

from .payload import pagerduty_of, payload_of, slack_of
from .way import PATIENCE_S, RefusedError, WayError

_AGAIN = frozenset({408, 425, 429})
"""Of the answers that find fault with the request, those that another try may not get."""


class _NoRedirect(HTTPRedirectHandler):
    """Follows no redirect: it could lead the message to another host, and a POST becomes a GET on its way there."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


_OPENER = build_opener(_NoRedirect)


class WebhookWay:
    """Posts each alert to the URL of an entry; an answer from 200 to 299 says that it has arrived."""

    def __init__(self, entry: AlertEntry) -> None:
        self._entry = entry

    def send(self, alert: Alert) -> None:
        """Raise RefusedError where the answer finds fault with the request, WayError where it does not arrive."""
        body = json.dumps(self._payload(alert)).encode()
        request = Request(self._entry.url, body, self._headers(alert, body), method="POST")  # noqa: S310 - checked
        try:
            with _OPENER.open(request, timeout=PATIENCE_S):
                pass  # what the answer says beside its status is read by nobody
        except HTTPError as error:
            with error:
                code = error.code
            self._raise(code)
        except URLError as error:
            raise WayError(f"cannot be reached: {error.reason}") from None
        except TimeoutError:
            raise WayError(f"no answer within {PATIENCE_S:.0f} s") from None

    def _raise(self, code: int) -> None:
        if 300 <= code < 500 and code not in _AGAIN:
            what = "a redirect, which is not followed" if code < 400 else "a refusal"
            raise RefusedError(f"answered {code}, {what}")
        raise WayError(f"answered {code}")

    def _payload(self, alert: Alert) -> dict[str, Any]:
        match self._entry.shape:
            case "slack":
                return slack_of(alert)
            case "pagerduty":
                return pagerduty_of(alert, self._entry.routing_key)
        return payload_of(alert)

    def _headers(self, alert: Alert, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"workerd/{__version__}",
            "Idempotency-Key": alert.message_id,
        }
        if self._entry.secret:
            timestamp = str(int(time.time()))
            headers["Workerd-Timestamp"] = timestamp
            headers["Workerd-Signature"] = f"sha256={sign(self._entry.secret, timestamp, body)}"
        return headers


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return HMAC-SHA256, in hexadecimal, of the timestamp, a dot and the body."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
