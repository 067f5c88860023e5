"""The entries of ALERTS and the ways out: what is refused with which sentence, what is sent, and no secret shown."""

import re
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.dispatch import Signal
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.mail_settings import LOCMEM, mail_settings
from tests.harness.receivers import Hook, http_server
from workerd.alert_entries import AlertEntry, find_entries
from workerd.conf import find_problems, get_settings
from workerd.notifier.alert import Alert
from workerd.notifier.ways.all_ways import NamedWay, find_ways
from workerd.notifier.ways.mail import MailWay
from workerd.notifier.ways.mail_text import body_of, subject_of
from workerd.notifier.ways.payload import pagerduty_of, payload_of, slack_of
from workerd.notifier.ways.project import CallableWay, OnceError, SignalWay
from workerd.notifier.ways.sentry import SentryWay
from workerd.notifier.ways.way import RefusedError, WayError
from workerd.notifier.ways.webhook import WebhookWay
from workerd.signals import alert_raised, alert_resolved
from workerd.wire.alerts import ALERT_KINDS, Severity

ALERTS_PAGE = Path(__file__).parents[2] / "docs" / "alerts.md"
CALLED: list[Alert] = []


def called(alert: Alert) -> None:
    CALLED.append(alert)


not_callable = 7


def alert(**values: Any) -> Alert:
    given = {
        "id": "6f0c2e7e-8a55-4c0e-9b7a-0f5a3f1f7c11",
        "state": "raised",
        "key": "parked mail-outbox:0",
        "kind": "parked",
        "severity": Severity.CRITICAL,
        "node": "shop@web1",
        "since": 1_760_000_000.25,
        "at": 1_760_000_000.25,
        "text": "it was given up: more than 5 failures",
        "job": "mail-outbox",
        "slot": "mail-outbox",
    }
    return Alert(**{**given, **values})


# settings


def sentences(alerts: Any, **settings: Any) -> list[tuple[str, str]]:
    with override_settings(WORKERD={"ALERTS": alerts}, **settings):
        return [(problem.level, str(problem)) for problem in find_problems()]


@pytest.mark.parametrize(
    ("entry", "level", "words"),
    [
        ("shop.nowhere.page", "error", "names 'shop.nowhere.page', which does not load"),
        (f"{__name__}.not_callable", "error", "which cannot be called"),
        ("page", "error", "names no callable by its dotted path"),
        ({"webhook": "hooks.example.org"}, "error", "neither http:// nor https://"),
        ({"webhook": "ftp://hooks.example.org", "secret": "s"}, "error", "neither http:// nor https://"),
        ({"webhook": "https://", "secret": "s"}, "error", "a URL that cannot be read"),
        ({"webhook": "https://[x", "secret": "s"}, "error", "a URL that cannot be read"),
        ({"webhook": "https://x:y", "secret": "s"}, "error", "a URL that cannot be read"),
        ({"webhook": "https://a:b@x/", "secret": "s"}, "error", "a user or a password"),
        ({"webhook": 5, "secret": "s"}, "error", "a webhook that is neither a text nor names a variable"),
        ({"webhook": {"$env": "NOT_SET_HERE"}, "secret": "s"}, "error", "NOT_SET_HERE, which is not set here"),
        ({"webhook": "https://x/", "secret": {"$env": "NOT_SET_HERE"}}, "error", "its secret from the environment"),
        ({"webhook": "https://x/"}, "warning", "has no secret"),
        ({"webhook": "https://x/", "shape": "teams"}, "error", "has the shape 'teams'"),
        ({"webhook": "https://x/", "shape": "pagerduty"}, "error", "has no routing_key"),
        ({"webhook": "https://x/", "secret": "s", "sekret": 1}, "error", "has the key 'sekret'"),
        ({"mail": "ops@example.org"}, "error", "no list of addresses"),
        ({"mail": ["ops"]}, "error", "mails to 'ops', which is no address"),
        ({"mail": []}, "error", "mails to ADMINS, which is empty"),
        ("mail", "error", "mails to ADMINS, which is empty"),
        ({"mail": ["a@b.org"], "webhook": "https://x/"}, "error", "it is to have one of them"),
        ({}, "error", 'has no "mail", "webhook", "sentry" or "call"'),
        ({"mail": ["a@b.org"], "severity": "loud"}, "error", "has the severity 'loud'"),
        ({"mail": ["a@b.org"], "labels": ["team"]}, "error", "labels that are no dictionary of texts"),
        ({"sentry": False}, "error", "a value for sentry that is not True"),
        (7, "error", "is a int, not a dictionary or a text"),
    ],
)
def test_a_bad_entry_is_a_sentence_with_its_place_and_its_remedy(entry: Any, level: str, words: str) -> None:
    found = sentences([{"mail": ["ops@example.org"]}, entry], ADMINS=[])

    told = [text for its_level, text in found if its_level == level and words in text]
    assert told, found
    assert told[0].startswith('Entry 2 of WORKERD["ALERTS"] ')
    assert told[0].endswith(".") or told[0].endswith("install sentry-sdk")


@pytest.mark.parametrize(
    "entry",
    [
        "mail",
        {"mail": []},
        {"mail": ["ops@example.org"], "severity": "critical", "labels": {"team": "billing"}},
        {"webhook": "http://127.0.0.1:8000/x", "secret": {"$env": "PATH"}},
        {"webhook": {"$env": "ALERT_URL"}, "shape": "slack"},
        {"webhook": "https://x/", "shape": "pagerduty", "routing_key": "k"},
        f"{__name__}.called",
        {"call": f"{__name__}.called", "severity": "warning"},
    ],
)
def test_a_good_entry_has_no_problem(entry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERT_URL", "https://hooks.slack.com/services/T0/B0/x")

    assert sentences([entry], ADMINS=[("Ops", "ops@example.org")]) == []


def test_sentry_without_its_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workerd.alert_problems.find_spec", lambda _: None)

    assert "needs sentry_sdk, which is not installed. Run: pip install sentry-sdk" in sentences(["sentry"])[0][1]


@pytest.mark.parametrize("secret", ["hunter2", {"$env": "ALERT_SECRET"}])
def test_no_secret_is_in_a_problem_a_repr_or_a_name(secret: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERT_SECRET", "hunter2")
    url = "https://hooks.example.org/hunter2?key=hunter2"
    bad = {"webhook": url, "secret": secret, "routing_key": secret, "shape": "hunter"}
    for alerts in ([bad], bad, [{**bad, "shape": "slack"}], [{"webhook": "ssh" + url, "secret": secret}]):
        assert "hunter2" not in str(sentences(alerts))
        with override_settings(WORKERD={"ALERTS": alerts}):
            assert "hunter2" not in repr(get_settings())
    [way] = find_ways(find_entries([{**bad, "shape": "slack"}]))
    assert way.name == "webhook hooks.example.org"
    assert "hunter2" not in way.tell(ValueError(f"cannot post to {url} with hunter2"))


KEYS = ("mail", "webhook", "call", "sentry", "secret", "shape", "severity", "labels", "$env", "x")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(("https://x/", "https://[x", "slack")),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=8,
)


@given(raw=ANYTHING)
def test_whatever_stands_there_is_read(raw: Any) -> None:
    for entry in find_entries(raw):
        assert entry.is_usable or entry.faults
        assert entry.name
    assert find_ways(find_entries(raw)) is not None


@pytest.mark.parametrize(
    ("admins", "debug", "count"),
    [([("Ops", "o@x.org")], False, 1), ([("Ops", "o@x.org")], True, 0), ([], False, 0), (["o@x.org"], False, 1)],
)
def test_by_default_admins_get_a_mail_unless_debug_is_on(admins: Any, debug: bool, count: int) -> None:
    with override_settings(WORKERD={}, ADMINS=admins, DEBUG=debug):
        assert [entry.kind for entry in get_settings().alerts] == ["mail"] * count


def test_two_ways_of_one_name_are_told_apart() -> None:
    entries = find_entries([{"webhook": f"https://hooks.example.org/{n}", "secret": "s"} for n in range(2)])

    assert [way.name for way in find_ways(entries)] == [
        "webhook hooks.example.org",
        "webhook hooks.example.org (entry 2)",
    ]


# texts

texts = st.text(st.characters() | st.sampled_from("\r\n\0\x1b\u202e<>&`*"), max_size=300)


@given(
    key=texts,
    text=texts,
    job=texts,
    public=texts,
    kind=st.sampled_from([*ALERT_KINDS, "new"]),
    state=st.sampled_from(("raised", "resolved", "passed")),
)
def test_whatever_a_job_is_called_a_mail_keeps_its_form(**values: Any) -> None:
    it = alert(**values, slot=values["job"], labels={values["key"]: values["text"]}, held_back={values["key"]: 3})

    subject = subject_of(it)
    assert subject.isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]", subject)
    assert len(subject) <= 150
    assert all(line == "" or not re.search(r"[\x00-\x1f\x7f]", line) for line in body_of(it).split("\n"))
    assert "<" not in slack_of(it)["text"]
    for payload in (payload_of(it), slack_of(it), pagerduty_of(it, "k")):
        assert payload
    with override_settings(**mail_settings(LOCMEM)):
        mail.outbox = []
        MailWay(AlertEntry(1, "mail", mail=("ops@example.org",))).send(it)
        [sent] = mail.outbox
    parsed = message_from_bytes(sent.message().as_bytes(), policy=default)
    assert parsed.get_content_type() == "text/plain"
    assert sent.recipients() == ["ops@example.org"]
    assert parsed["Bcc"] is None


def test_a_mail_says_what_since_when_and_what_to_do() -> None:
    assert subject_of(alert()) == "[shop@web1] critical: parked mail-outbox:0"
    assert body_of(alert(count=4, held_back={"hung": 2, "down": 1})).split("\n") == [
        "it was given up: more than 5 failures",
        "",
        "node:  shop@web1",
        "job:   mail-outbox",
        "what:  parked: a slot was given up until resume or an edit",
        "since: 2025-10-09 08:53:20 UTC",
        "times: 4 since the last message about it",
        "see:   workerd resume mail-outbox",
        "id:    6f0c2e7e-8a55-4c0e-9b7a-0f5a3f1f7c11",
        "",
        "3 more alerts were not sent, as there were too many: down 1, hung 2.",
        "",
    ]


def test_the_end_of_an_alert_answers_its_first_mail_and_a_retry_has_its_message_id() -> None:
    with override_settings(ADMINS=[("O", "o@x.org")], **mail_settings(LOCMEM)):
        mail.outbox = []
        way = MailWay(AlertEntry(1, "mail"))
        for state in ("raised", "raised", "resolved"):
            way.send(alert(state=state))
        first, again, end = (sent.extra_headers for sent in mail.outbox)

    assert first["Message-ID"] == again["Message-ID"] == end["In-Reply-To"] != end["Message-ID"]
    assert mail.outbox[0].to == ["o@x.org"]


def test_one_matter_has_one_dedup_key_from_every_node() -> None:
    def keys(kind: str) -> set[str]:
        return {alert(kind=kind, key=f"{kind} x", node=node).dedup_key for node in ("shop@a", "shop@b")}

    assert len(keys("node_silent")) == len(keys("database_out")) == 1
    assert len(keys("parked")) == 2


def test_the_page_shows_the_payload_as_it_is() -> None:
    import json

    [example] = re.findall(r"```json\n(.*?)```", ALERTS_PAGE.read_text(), re.DOTALL)
    shown = json.loads(example)

    assert list(shown) == list(payload_of(alert()))
    assert {name: type(value) for name, value in shown.items()} == {
        name: type(value) for name, value in payload_of(alert()).items()
    }


# webhooks


@pytest.fixture
def hook() -> Any:
    with http_server() as hook:
        yield hook


def test_the_pages_function_takes_what_is_signed_and_nothing_else(hook: Hook) -> None:
    [example] = re.findall(r"```python\n(import hashlib.*?)```", ALERTS_PAGE.read_text(), re.DOTALL)
    space: dict[str, Any] = {}
    exec(example, space)
    WebhookWay(AlertEntry(1, "webhook", url=hook.url, secret="hunter2")).send(alert())
    [post] = hook.posts

    assert space["is_genuine"](post.headers, post.body, "hunter2")
    assert not space["is_genuine"](post.headers, post.body, "another")
    assert not space["is_genuine"](post.headers, post.body + b" ", "hunter2")
    old = {**post.headers, "Workerd-Timestamp": "1760000000"}
    assert not space["is_genuine"](old, post.body, "hunter2")


@pytest.mark.parametrize(
    ("code", "error"),
    [(200, None), (204, None), (301, RefusedError), (404, RefusedError), (410, RefusedError), (408, WayError),
     (425, WayError), (429, WayError), (500, WayError), (503, WayError)],
)  # fmt: skip
def test_what_an_answer_means(hook: Hook, code: int, error: type[Exception] | None) -> None:
    hook.code, hook.location = code, "http://127.0.0.1:1/" if code == 301 else ""
    way = WebhookWay(AlertEntry(1, "webhook", url=hook.url))
    if error is None:
        way.send(alert())
    else:
        with pytest.raises(error) as caught:
            way.send(alert())
        assert str(code) in str(caught.value)
        assert type(caught.value) is error
    assert [post.id for post in hook.tries] == ["6f0c2e7e-8a55-4c0e-9b7a-0f5a3f1f7c11.raised"]


def test_a_server_that_is_not_there_is_said() -> None:
    with pytest.raises(WayError, match="cannot be reached"):
        WebhookWay(AlertEntry(1, "webhook", url="http://127.0.0.1:1/")).send(alert())


def test_pagerduty_opens_an_incident_and_ends_it() -> None:
    first, end = (pagerduty_of(alert(state=state), "key") for state in ("raised", "resolved"))

    assert (first["event_action"], end["event_action"]) == ("trigger", "resolve")
    assert first["dedup_key"] == end["dedup_key"] == "shop@web1 parked mail-outbox:0"
    assert first["payload"]["severity"] == "critical"
    assert first["routing_key"] == "key"


# the project


def test_a_callable_gets_the_alert() -> None:
    CALLED.clear()
    CallableWay(AlertEntry(1, "callable", target=f"{__name__}.called")).send(alert())

    assert [alert()] == CALLED


def test_signals_say_what_is_raised_and_what_is_over_and_a_receiver_that_raises_ends_no_other() -> None:
    heard: list[str] = []

    def note(alert: Alert, signal: Signal, **_: Any) -> None:
        heard.append(f"{'raised' if signal is alert_raised else 'resolved'} {alert.state}")

    def fail(**_: Any) -> None:
        raise RuntimeError("never")

    assert not SignalWay.has_receivers()
    for signal in (alert_raised, alert_resolved):
        signal.connect(note)
    try:
        assert [way.name for way in find_ways(())] == ["signals"]
        for state in ("raised", "resolved", "passed"):
            SignalWay().send(alert(state=state))
        alert_raised.connect(fail)
        with pytest.raises(OnceError, match="1 receivers of the signal have raised RuntimeError"):
            SignalWay().send(alert())
    finally:
        for signal in (alert_raised, alert_resolved):
            signal.disconnect(note)
        alert_raised.disconnect(fail)

    assert heard == ["raised raised", "resolved resolved", "resolved passed", "raised raised"]


def test_sentry_gets_a_message_with_one_fingerprint_for_one_matter() -> None:
    sdk = pytest.importorskip("sentry_sdk")
    with pytest.raises(WayError, match="not initialised"):
        SentryWay().send(alert())
    events: list[Any] = []
    sdk.init(
        "http://key@127.0.0.1:1/1", before_send=lambda event, _hint: events.append(event), default_integrations=False
    )
    try:
        for state in ("raised", "resolved"):
            SentryWay().send(alert(state=state))
    finally:
        sdk.get_client().close()
        sdk.init(default_integrations=False)  # those patch what other tests use

    assert [event["level"] for event in events] == ["error", "info"]
    assert len({str(event["fingerprint"]) for event in events}) == 1
    assert events[0]["message"] == "[shop@web1] critical: parked mail-outbox:0"


def test_a_project_error_is_told_on_one_line() -> None:
    way = NamedWay("x", CallableWay(AlertEntry(1)), AlertEntry(1))

    assert way.tell(RuntimeError("a\r\nb\x1b")) == r"RuntimeError: a\r\nb\x1b"
