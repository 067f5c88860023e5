"""The notifier as a process of its own, spoken to over its channel as the daemon does, with real servers to send to."""

import hashlib
import hmac
import itertools
import json
import os
import select
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.harness.mail_settings import SMTP, mail_settings
from tests.harness.project import JOBS_SETTINGS
from tests.harness.receivers import Hook, MailBox, http_server, smtp_server
from tests.harness.small_disk import make_room, small_disk
from tests.harness.waiting import eventually
from workerd.models import FleetAlert
from workerd.wire.channel import Channel
from workerd.wire.messages import AlertChanged, AlertsKept, AlertsListed, AlertsUnsent, Message

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

WITHIN_S = 30.0
AT = 1_760_000_000.0
PROGRAM = """
import json, os, sys
from django.conf import settings
given = json.loads(os.environ["NOTIFIER"])
settings.DATABASES["default"].update(given["database"])
for name, value in given["django"].items():
    setattr(settings, name, value)
import django
django.setup()
from workerd.notifier import couriers
from workerd.notifier.main import run_notifier
vars(couriers).update(given["limits"])
from workerd.wire.channel import Channel
from workerd.wire.messages import License
from workerd.wire.page import HeartbeatPage
license = License({}, 0, "run", 1, "shop", given["host"], "mark", life=given["life"])
os._exit(run_notifier(Channel.from_descriptor(int(sys.argv[1])), HeartbeatPage(int(sys.argv[2])), license))
"""
LIFE = str(uuid.uuid4())


@dataclass
class NotifierProcess:
    """A running notifier and the daemon's end of its channel."""

    process: subprocess.Popen[bytes]
    channel: Channel
    sequence: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    heard: list[Message] = field(default_factory=list)

    def say(self, key: str, *, over: bool = False, **values: Any) -> int:
        sequence = next(self.sequence)
        values = {"text": f"{key} has a reason", **values}
        self.channel.send(AlertChanged(sequence, key, key.partition(" ")[0], over, AT, **values))
        return sequence

    def hear(self, cls: Any, condition: Callable[[Any], bool] = lambda _: True, within: float = WITHIN_S) -> Any:
        """Return the next message of this class for which the condition holds; fails at the deadline or the end."""
        deadline = time.monotonic() + within
        while select.select([self.channel], [], [], max(0.0, deadline - time.monotonic()))[0]:
            message, _ = self.channel.receive()
            assert message is not None, f"the notifier ended before it said {cls}"
            self.heard.append(message)
            if isinstance(message, cls) and condition(message):
                return message
        raise AssertionError(f"no such {cls} within {within} s")

    def hear_kept(self, sequence: int) -> None:
        self.hear(AlertsKept, lambda message: message.sequence >= sequence)

    def hear_unsent(self, count: int) -> None:
        self.hear(AlertsUnsent, lambda message: message.count == count)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(WITHIN_S)

    def end(self, within: float = WITHIN_S) -> int:
        self.channel.close()
        return self.process.wait(within)


Start = Callable[..., NotifierProcess]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def box() -> Iterator[MailBox]:
    with smtp_server() as box:
        yield box


@pytest.fixture
def hook() -> Iterator[Hook]:
    with http_server() as hook:
        yield hook


@pytest.fixture
def start(state_dir: Path, tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a notifier with these ``ALERTS``; other keys are of WORKERD."""
    started: list[NotifierProcess] = []
    log_path = tmp_path / "log"

    def start_notifier(
        alerts: list[Any], box: MailBox | None = None, host: str = "host-1", state: Path | None = None, **keys: Any
    ) -> NotifierProcess:
        ours, theirs = Channel.pair()
        page = os.memfd_create("page")
        os.ftruncate(page, 4096)
        folder = state or state_dir
        given = {
            "database": {"NAME": str(connection.settings_dict["NAME"]), **keys.pop("database", {})},
            "django": {
                **mail_settings(SMTP, host="127.0.0.1", port=box.port if box else 1),
                **keys.pop("django", {}),
            },
            "limits": keys.pop("limits", {}),
            "host": host,
            "life": keys.pop("life", LIFE),
        }
        env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": JOBS_SETTINGS,
            "NOTIFIER": json.dumps(given),
            "HOOK_SECRET": "hunter2",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "WORKERD_STATE_DIR": str(folder),
            "WORKERD_SETTINGS": json.dumps({"ALERTS": alerts, **keys}),
            "NOTIFIER_CALLS": str(tmp_path / "calls"),
        }
        argv = [sys.executable, "-c", PROGRAM, str(theirs.fileno()), str(page)]
        with log_path.open("ab") as log:
            process = subprocess.Popen(argv, pass_fds=(theirs.fileno(), page), env=env, stdout=log, stderr=log)
        theirs.close()
        os.close(page)
        started.append(NotifierProcess(process, ours))
        return started[-1]

    yield start_notifier
    for notifier in started:
        notifier.kill()
        notifier.channel.close()
    if started:  # a test that is skipped has none
        print(log_path.read_text())


def mail(*addresses: str) -> dict[str, Any]:
    return {"mail": list(addresses) or ["ops@example.org"]}


def webhook(hook: Hook, **values: Any) -> dict[str, Any]:
    return {"webhook": hook.url, "secret": {"$env": "HOOK_SECRET"}, **values}


@pytest.mark.backends("any")
def test_an_alert_and_its_end_reach_every_way_once_and_within_seconds(
    start: Start, box: MailBox, hook: Hook, tmp_path: Path
) -> None:
    notifier = start([mail(), webhook(hook), "tests.process.bad_jobs.alerts.note"], box)
    notifier.hear_unsent(0)
    began = time.monotonic()
    notifier.hear_kept(notifier.say("parked mail-outbox:0", job="mail-outbox", slot="mail-outbox:0"))
    eventually(lambda: bool(box.mails and hook.posts), WITHIN_S, "mail and post")
    took = time.monotonic() - began
    calls = tmp_path / "calls"
    eventually(calls.exists, WITHIN_S, "the call")
    notifier.hear_kept(notifier.say("parked mail-outbox:0", over=True))
    eventually(lambda: len(box.mails) == len(hook.posts) == 2, WITHIN_S, "the resolution")
    eventually(lambda: len(calls.read_text().split()) == 2, WITHIN_S, "the second call")
    assert notifier.end() == 0

    assert took < 5.0
    assert box.subjects == [
        "[shop@host-1] critical: parked mail-outbox:0",
        "[shop@host-1] ok: over: parked mail-outbox:0",
    ]
    body = box.mails[0].get_content()
    for line in ("parked mail-outbox:0 has a reason", "node:  shop@host-1", "job:   mail-outbox:0"):
        assert line in body
    assert "since: 2025-10-09 08:53:20 UTC" in body
    assert "see:   workerd resume mail-outbox:0" in body
    first, last = hook.posts
    assert (first.json["version"], first.json["state"], last.json["state"]) == (1, "raised", "resolved")
    assert first.json["id"] == last.json["id"]
    assert f"id:    {first.json['id']}" in body
    assert (first.id, last.id) == (f"{first.json['id']}.raised", f"{first.json['id']}.resolved")
    signed = hmac.new(b"hunter2", first.headers["Workerd-Timestamp"].encode() + b"." + first.body, hashlib.sha256)
    assert first.headers["Workerd-Signature"] == f"sha256={signed.hexdigest()}"
    assert calls.read_text().split() == [f"raised={first.json['id']}", f"resolved={first.json['id']}"]
    assert "hunter2" not in (tmp_path / "log").read_text()


@pytest.mark.backends("any")
def test_what_hangs_and_what_fails_holds_up_no_other_way_and_loses_nothing(
    start: Start, box: MailBox, hook: Hook, state_dir: Path
) -> None:
    with http_server() as other:
        hook.hanging.set()
        other.code = 500
        box.refusal = "451 try later"
        calls = "tests.process.bad_jobs.alerts"
        notifier = start([webhook(hook), webhook(other), mail(), f"{calls}.fail", f"{calls}.note"], box)
        notifier.hear_kept(notifier.say("down a"))
        eventually((state_dir / "calls").exists, WITHIN_S, "the call")
        eventually(lambda: bool(hook.tries) and len(other.tries) >= 2, WITHIN_S, "a second try")
        other.code, box.refusal = 200, ""
        eventually(lambda: bool(other.posts and box.mails), WITHIN_S, "both")
        notifier.hear_kept(notifier.say("down b"))
        eventually(lambda: len(other.posts) == len(box.mails) == 2, WITHIN_S, "the next")

        assert len({post.id for post in other.tries}) == 2
        assert [post.json["key"] for post in other.posts] == ["down a", "down b"]
        assert len(hook.tries) == 1
        log = (state_dir / "log").read_text()
        assert "answered 500" in log
        assert "fails as ever" in log


@pytest.mark.backends("any")
def test_killed_between_journal_and_send_it_is_sent_by_the_next_with_the_same_id(
    start: Start, hook: Hook, state_dir: Path
) -> None:
    hook.hanging.set()
    first = start([webhook(hook)])
    first.hear_kept(first.say("parked a:0"))
    first.say("hung b:0")
    eventually(lambda: bool(hook.tries), WITHIN_S, "the first try")
    first.hear_kept(2)
    first.kill()
    hook.hanging.clear()
    second = start([webhook(hook)])
    second.say("parked a:0")
    second.say("hung b:0")
    second.hear_unsent(0)

    assert [post.json["key"] for post in hook.posts] == ["parked a:0", "hung b:0"]
    assert hook.posts[0].id == hook.tries[0].id
    assert (state_dir / "shop.alerts").stat().st_mode & 0o777 == 0o600


@pytest.mark.backends("any")
def test_killed_again_and_again_nothing_is_lost_and_what_comes_twice_has_its_id(start: Start, hook: Hook) -> None:
    keys = [f"hung a:{number}" for number in range(60)]
    for life in range(3):
        notifier = start([webhook(hook)], ALERTS_PER_HOUR=1000)
        notifier.sequence = itertools.count(1 + life * 20)
        posts = len(hook.posts)
        for key in keys[life * 20 :][:20]:
            notifier.say(key)
        while len(hook.posts) == posts:
            notifier.hear(AlertsKept | AlertsUnsent)
        notifier.kill()
    last = start([webhook(hook)], ALERTS_PER_HOUR=1000)
    for key in keys:  # the daemon does not know what was kept, and says all of it again
        last.say(key)
    last.hear_unsent(0)
    last.end()

    ids = {
        post.json["key"]: {other.id for other in hook.posts if other.json["key"] == post.json["key"]}
        for post in hook.posts
    }
    assert sorted(ids) == sorted(keys)
    assert all(len(found) == 1 for found in ids.values())
    assert len(hook.posts) <= len(keys) + 3


@pytest.mark.backends("any")
def test_a_daemon_that_says_what_holds_ends_the_rest(start: Start, hook: Hook) -> None:
    notifier = start([webhook(hook)])
    for key in ("parked a:0", "parked b:0", "missed c"):
        notifier.say(key)
    eventually(lambda: len(hook.posts) == 3, WITHIN_S, "three posts")
    notifier.end()
    notifier = start([webhook(hook)], life=str(uuid.uuid4()))
    notifier.say("parked b:0")
    notifier.channel.send(AlertsListed())
    eventually(lambda: len(hook.posts) == 4, WITHIN_S, "the end")

    assert (hook.posts[-1].json["state"], hook.posts[-1].json["key"]) == ("resolved", "parked a:0")


@pytest.mark.backends("any")
def test_ten_thousand_at_once_are_all_kept_and_the_hour_holds(start: Start, hook: Hook, state_dir: Path) -> None:
    notifier = start([webhook(hook)], ALERTS_PER_HOUR=10)
    for number in range(10_000):
        sequence = notifier.say(f"hung a:{number}")
    notifier.hear_kept(sequence)
    eventually(lambda: len(hook.posts) == 10, WITHIN_S, "ten posts")
    notifier.hear(AlertsUnsent, lambda message: message.count == 9_990)
    assert notifier.end() == 0

    assert len(hook.posts) == 10
    assert "alert.held_back" in (state_dir / "log").read_text()


@pytest.mark.backends("any")
def test_a_name_full_of_html_and_line_breaks_stays_text_on_one_line(start: Start, box: MailBox, hook: Hook) -> None:
    nasty = "<b>&amp;</b>\r\nBcc: all@example.org\r\n\r\n<script>alert(1)</script>\x1b[31m\u202e"
    notifier = start([mail(), webhook(hook, shape="slack")], box)
    notifier.say(f"hung {nasty}", job=nasty, slot=nasty, text=f"It said {nasty}", labels={nasty: nasty})
    eventually(lambda: bool(box.mails and hook.posts), WITHIN_S, "mail and post")

    [sent] = box.mails
    assert box.to == [["ops@example.org"]]
    assert sent["Bcc"] is None
    assert sent.get_content_type() == "text/plain"
    assert r"hung <b>&amp;</b>\r\nBcc: all@example.org" in str(sent["Subject"])
    body = sent.get_content()
    assert r"job:   <b>&amp;</b>\r\nBcc" in body
    assert "\x1b" not in body
    assert "\u202e" not in body
    text = hook.posts[0].json["text"]
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.backends("any")
def test_bad_entries_are_said_without_their_secrets_and_the_others_go_on(
    start: Start, hook: Hook, state_dir: Path
) -> None:
    secret_url = "https://[hooks.example.org/T0/SECRET"
    alerts = [{"webhook": secret_url}, 7, {"webhook": hook.url, "secret": {"$env": "NOWHERE"}}, webhook(hook)]
    notifier = start(alerts)
    notifier.say("down a")
    eventually(lambda: bool(hook.posts), WITHIN_S, "a post")
    log = (state_dir / "log").read_text()

    assert log.count("alert.way_refused") == 3
    assert "SECRET" not in log
    assert "NOWHERE" in log


@pytest.mark.backends("any")
def test_a_redirect_is_not_followed(start: Start, hook: Hook, state_dir: Path) -> None:
    with http_server() as elsewhere:
        hook.code, hook.location = 307, elsewhere.url
        notifier = start([webhook(hook)])
        notifier.say("down a")
        eventually(lambda: "a redirect, which is not followed" in (state_dir / "log").read_text(), WITHIN_S, "the line")

        assert elsewhere.tries == []


@pytest.mark.backends("any")
def test_at_the_end_it_sends_what_it_has_for_two_seconds_at_most(start: Start, hook: Hook) -> None:
    notifier = start([webhook(hook)])
    notifier.hear_unsent(0)
    notifier.say("down a")
    notifier.end()
    assert [post.json["key"] for post in hook.posts] == ["down a"]

    hook.hanging.set()
    notifier = start([webhook(hook)])
    notifier.hear_unsent(0)
    notifier.hear_kept(notifier.say("down b"))
    began = time.monotonic()
    assert notifier.end() == 0
    assert time.monotonic() - began < 10.0


@pytest.mark.backends("any")
def test_a_journal_that_is_broken_or_taken_away_is_replaced(start: Start, hook: Hook, state_dir: Path) -> None:
    path = state_dir / "shop.alerts"
    path.write_bytes(b"no journal at all, but something else" * 100)
    notifier = start([webhook(hook)])
    notifier.hear_kept(notifier.say("down a"))
    path.unlink()
    notifier.hear_kept(notifier.say("down b"))
    eventually(lambda: len(hook.posts) == 2, WITHIN_S, "two posts")

    assert (state_dir / "log").read_text().count("journal.replaced") == 2
    assert path.exists()


@pytest.mark.backends("any")
def test_a_full_disk_is_gone_on_with_in_memory_and_kept_once_there_is_room(
    start: Start, hook: Hook, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", kib=256) as disk:
        hook.hanging.set()
        notifier = start([webhook(hook)], state=disk)
        for number in range(300):
            sequence = notifier.say(f"hung a:{number}", text="x" * 2000)
        eventually(lambda: "journal.unwritable" in (tmp_path / "log").read_text(), WITHIN_S, "the line")
        make_room(disk, kib=16 * 1024)
        notifier.hear_kept(sequence)
        notifier.kill()


@pytest.mark.backends("any")
def test_a_callable_that_hangs_is_said_and_ends_the_notifier_that_a_new_one_may_begin(
    start: Start, hook: Hook, state_dir: Path
) -> None:
    limits = {"STUCK_S": 0.5, "TOO_LONG_S": 2.0}  # a minute, and five
    notifier = start(["tests.process.bad_jobs.alerts.hang", webhook(hook)], limits=limits)
    notifier.say("down a")
    assert notifier.process.wait(WITHIN_S) == 1

    assert [post.json["key"] for post in hook.posts] == ["down a"]
    assert "alert.stuck" in (state_dir / "log").read_text()


# the fleet


def test_two_nodes_send_what_is_one_matter_of_the_fleet_once(start: Start, hook: Hook, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    one, two = (start([webhook(hook)], host=folder.name, state=folder) for folder in folders)
    for round_ in range(5):
        for node in (one, two):
            node.say(f"node_silent host-{round_}")
    eventually(lambda: FleetAlert.objects.exclude(sent_at=None).count() == 5, WITHIN_S, "five rows")
    eventually(lambda: len(hook.posts) == 5, WITHIN_S, "five posts")
    for node in (one, two):
        node.hear_unsent(0)
    for round_ in range(5):
        for node in (two, one):
            node.say(f"node_silent host-{round_}", over=True)
    for node in (one, two):
        node.hear_kept(10)
    eventually(lambda: not FleetAlert.objects.exists(), WITHIN_S, "no row")
    eventually(lambda: len(hook.posts) == 10, WITHIN_S, "ten posts")
    for node in (one, two):
        assert node.end() == 0

    raised = {post.json["id"] for post in hook.posts if post.json["state"] == "raised"}
    resolved = [post.json["id"] for post in hook.posts if post.json["state"] == "resolved"]
    assert len(hook.posts) == 10
    assert sorted(resolved) == sorted(raised)


def test_what_its_claimer_does_not_send_another_takes_over_with_the_same_id(start: Start, hook: Hook) -> None:
    from workerd.notifier.fleet_alerts import FleetAlerts, Questions
    from workerd.notifier.outbox import Unclaimed

    id_ = str(uuid.uuid4())
    table = FleetAlerts("default", "shop@dead")
    [claimed] = table.ask(Questions([Unclaimed(1, id_, "node_silent x", "node_silent", "wanted", "")], ()))
    assert claimed.claim == "mine"
    notifier = start([webhook(hook)])
    notifier.hear_kept(notifier.say("node_silent x"))
    notifier.hear_unsent(1)
    assert hook.posts == []
    from datetime import timedelta

    from workerd.models.clock import DatabaseNow

    FleetAlert.objects.update(claimed_at=DatabaseNow() - timedelta(seconds=61))
    eventually(lambda: bool(hook.posts), WITHIN_S, "the post")

    assert hook.posts[0].json["id"] == id_
    eventually(lambda: FleetAlert.objects.exclude(sent_at=None).filter(node="shop@host-1").exists(), WITHIN_S, "sent")


@pytest.mark.backends("postgres", "mysql")
def test_a_database_that_is_out_keeps_the_fleets_alerts_and_holds_up_no_other(start: Start, hook: Hook) -> None:
    notifier = start([webhook(hook)], database={"HOST": "127.0.0.1", "PORT": "1"})
    notifier.say("node_silent x")
    notifier.say("down a")
    eventually(lambda: bool(hook.posts), WITHIN_S, "the post")
    notifier.hear_unsent(1)
    notifier.kill()
    again = start([webhook(hook)])
    again.hear_unsent(0)

    assert [post.json["key"] for post in hook.posts] == ["down a", "node_silent x"]
