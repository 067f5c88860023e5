"""``workerd alert --test``: each way in this very process, without a daemon."""

import io
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.test import override_settings

from tests.harness.mail_settings import LOCMEM, mail_settings
from tests.harness.receivers import http_server
from workerd.notifier.alert import Alert

HEARD: list[Alert] = []


def hear(alert: Alert) -> None:
    HEARD.append(alert)


def fail(_alert: Alert) -> None:
    raise RuntimeError("never")


def leave(_alert: Alert) -> None:
    raise SystemExit(3)


def run(alerts: Any, *words: str) -> tuple[int, str, str]:
    """Run the verb; return its exit code and what it has printed."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    mail.outbox = []
    settings = {"ALERTS": alerts} if alerts is not None else {}
    with override_settings(WORKERD=settings, ADMINS=[], **mail_settings(LOCMEM)):
        try:
            call_command("workerd", "alert", "--test", *words, stdout=out, stderr=err)
        except SystemExit as end:
            code = int(end.code or 0)
    return code, out.getvalue(), err.getvalue()


def test_each_way_gets_one_and_the_command_says_so() -> None:
    HEARD.clear()
    with http_server() as hook:
        entries = [{"mail": ["ops@example.org"]}, {"webhook": hook.url, "secret": "s"}, f"{__name__}.hear"]
        code, out, err = run(entries)

        assert (code, err) == (0, "")
        assert out.splitlines() == [
            "mail ops@example.org: sent",
            "webhook 127.0.0.1: sent",
            f"{__name__}.hear: sent",
        ]
        assert hook.posts[0].json["kind"] == HEARD[0].kind == "test"
        assert hook.posts[0].json["id"] == HEARD[0].id
        assert len(mail.outbox) == 1


@pytest.mark.parametrize(("bad", "told"), [("fail", "RuntimeError: never"), ("leave", "SystemExit: 3")])
def test_one_that_fails_is_said_and_the_others_go(bad: str, told: str) -> None:
    HEARD.clear()
    code, out, _ = run([f"{__name__}.{bad}", f"{__name__}.hear"])

    assert code == 1
    assert out.splitlines() == [f"{__name__}.{bad}: {told}", f"{__name__}.hear: sent"]
    assert len(HEARD) == 1


def test_one_way_alone() -> None:
    HEARD.clear()
    code, out, _ = run([f"{__name__}.fail", f"{__name__}.hear"], "--way", "2")

    assert (code, out) == (0, f"{__name__}.hear: sent\n")


def test_a_way_that_hangs_is_not_waited_for_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workerd.management.verbs.alert.PATIENCE_S", 0.3)
    with http_server() as hook:
        hook.hanging.set()
        code, out, _ = run([{"webhook": hook.url, "secret": "s"}])

    assert (code, out) == (1, "webhook 127.0.0.1: no answer within 0 s\n")


@pytest.mark.parametrize(
    ("alerts", "words", "sentence"),
    [
        (None, (), "Alerts go nowhere"),
        ([], (), "Alerts go nowhere"),
        ([f"{__name__}.hear"], ("--way", "2"), 'WORKERD["ALERTS"] has no entry 2: it has 1.'),
        ([{"webhook": "nowhere"}], (), "Entry 1 has a URL that begins with neither http:// nor https://"),
    ],
)
def test_where_there_is_nothing_to_send_by_it_says_why(alerts: Any, words: tuple[str, ...], sentence: str) -> None:
    code, out, err = run(alerts, *words)

    assert (code, out) == (1, "")
    assert sentence in err
