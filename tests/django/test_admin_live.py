"""The live pages: what the list and a job's page say of slots, daemons and orders, and how they stay fresh."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from workerd.admin.ages import spell, spell_span
from workerd.models import Job, Node, Operation, Run, Slot
from workerd.models.slot import STATE_CHOICES
from workerd.wire.words import LAST, State

from .admin_roles import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]

LIST = "admin:workerd_job_changelist"
LIVE = "admin:workerd_job_live"


@pytest.fixture
def superuser() -> Client:
    return client_of("superuser")


@pytest.fixture
def job() -> Job:
    return Job.objects.create(name="price-feed", target="shop.jobs.price_feed")


@pytest.fixture
def node() -> Node:
    return Node.objects.create(name="shop", host="web1", generation=3, pulse=timezone.now())


def add_slot(job: Job, node: Node, index: int = 0, **fields: Any) -> Slot:
    name = job.name if job.processes == 1 else f"{job.name}:{index}"
    values = {"state": "RUNNING", "since": timezone.now(), **fields}
    return Slot.objects.create(job=job, job_name=job.name, node=node, index=index, name=name, **values)


def pieces(client: Client, url: str = "") -> Any:
    response = client.get(url or reverse(LIVE))
    assert response.status_code == 200
    return json.loads(response.content)["pieces"]


def state_of(client: Client, job: Job) -> str:
    return str(pieces(client)[f"{job.pk}:state"])


@pytest.mark.parametrize(("state", "words"), STATE_CHOICES)
def test_every_state_has_its_word(superuser: Client, job: Job, node: Node, state: str, words: Any) -> None:
    job.enabled = state != State.STOPPED
    job.save()
    add_slot(job, node, state=state)

    assert f">{words}</span>" in state_of(superuser, job)


def test_words_of_a_newer_daemon_are_shown_as_they_are(superuser: Client, job: Job, node: Node) -> None:
    """A deploy updates daemons and web servers one after another; both versions read the rows meanwhile."""
    pair = Job.objects.create(name="pair", target="shop.jobs.price_feed", processes=2)
    slots = [add_slot(job, node, state="SEATED"), add_slot(pair, node, 0, state="SEATED"), add_slot(pair, node, 1)]
    run = Run.objects.create(job=job, job_name=job.name, slot=job.name, born=timezone.now(), outcome="evicted")
    order = Operation.objects.create(verb="restart", job=job, job_name=job.name, requested_by="ada")
    pages = [reverse(LIST), reverse(LIVE), reverse("admin:workerd_job_change", args=[job.pk])]
    for row in (slots[0], run, order):
        model = row._meta.model_name
        pages += [reverse(f"admin:workerd_{model}_changelist"), reverse(f"admin:workerd_{model}_change", args=[row.pk])]

    assert {page: code for page in pages if (code := superuser.get(page).status_code) != 200} == {}
    assert "SEATED" in state_of(superuser, job)
    assert "1 SEATED" in state_of(superuser, pair)


def test_of_several_processes_it_counts_the_running_and_names_the_others(
    superuser: Client, job: Job, node: Node
) -> None:
    job.processes = 4
    job.save()
    for index, state in enumerate(["RUNNING", "RUNNING", "BACKOFF", "PARKED"]):
        add_slot(job, node, index, state=state, reason="it crashed" if state == "PARKED" else "")

    shown = pieces(superuser)

    assert "2 of 4 running" in shown[f"{job.pk}:state"]
    assert "1 parked, 1 backing off" in shown[f"{job.pk}:state"]
    assert "it crashed" in shown[f"{job.pk}:activity"]


@pytest.mark.parametrize("state", ["PARKED", "WAITING", "BACKOFF"])
def test_what_does_not_run_says_why_and_when_next(superuser: Client, job: Job, node: Node, state: str) -> None:
    add_slot(job, node, state=state, reason="no <such> table", next_start=timezone.now() + timedelta(seconds=30))

    activity = pieces(superuser)[f"{job.pk}:activity"]

    assert "no &lt;such&gt; table" in activity
    assert "next start in" in activity


def test_of_a_job_that_was_given_up_the_cause_comes_first(superuser: Client, job: Job, node: Node) -> None:
    add_slot(job, node, state="PARKED", reason=f"3 failures within 600 s{LAST}shop.labels.InkError: none left")

    activity = pieces(superuser)[f"{job.pk}:activity"]

    assert activity.index(">InkError: none left<") < activity.index("3 failures within 600 s")
    assert 'title="shop.labels.InkError: none left"' in activity
    assert "the last" not in activity


def test_a_running_one_says_what_it_does_when_it_last_beat_and_how_much_it_takes(
    superuser: Client, job: Job, node: Node
) -> None:
    Job.objects.update(max_memory=64)
    add_slot(job, node, note="order 118", last_beat=timezone.now(), memory=34.2)

    shown = pieces(superuser)

    assert "order 118" in shown[f"{job.pk}:activity"]
    assert "beat" in shown[f"{job.pk}:activity"]
    assert "34 of 64 MiB" in shown[f"{job.pk}:memory"]


def test_the_problem_of_a_row_comes_before_all_else(superuser: Client, job: Job, node: Node) -> None:
    Job.objects.update(problem="“shop.gone” does not import.")
    add_slot(job, node, state="PARKED", reason="another")

    assert "“shop.gone” does not import." in pieces(superuser)[f"{job.pk}:activity"]


def test_restarts_of_the_last_hour_are_counted_without_those_that_were_asked_for(superuser: Client, job: Job) -> None:
    now = timezone.now()
    ends = {"error": 2, "finished": 3, "stopped": 5}
    for outcome, count in ends.items():
        for _ in range(count):
            Run.objects.create(job=job, job_name=job.name, slot=job.name, ended=now, outcome=outcome)
    Run.objects.create(job=job, job_name=job.name, slot=job.name, ended=now - timedelta(hours=2), outcome="error")

    shown = pieces(superuser)[f"{job.pk}:restarts"]

    assert ">5<" in shown
    assert "2 failures" in shown


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: None, "No daemon has ever reported"),
        (
            lambda: Node.objects.create(name="shop", host="web1", pulse=timezone.now() - timedelta(minutes=3)),
            "No daemon has reported for",
        ),
        (
            lambda: Node.objects.create(name="shop", host="web1", pulse=timezone.now()),
            "shop@web1 generation 0, reported",
        ),
    ],
)
def test_the_page_says_how_old_its_picture_is(superuser: Client, job: Job, make: Any, words: str) -> None:
    make()

    assert words in pieces(superuser)["nodes"]
    assert words in superuser.get(reverse(LIST)).content.decode()
    assert words in superuser.get(reverse("admin:workerd_job_page", args=[job.pk])).content.decode()


def test_a_dead_nodes_slots_do_not_count_beside_a_live_ones(superuser: Client, job: Job, node: Node) -> None:
    dead = Node.objects.create(name="shop", host="web2", pulse=timezone.now() - timedelta(hours=3))
    add_slot(job, dead, state="PARKED", reason="long ago")
    add_slot(job, node)

    shown = pieces(superuser)

    assert "running" in shown[f"{job.pk}:state"]
    assert "long ago" not in shown[f"{job.pk}:activity"]
    assert "silent: shop@web2" in shown["nodes"]


def test_an_enabled_job_that_stands_still_is_on_hold(superuser: Client, job: Job, node: Node) -> None:
    add_slot(job, node, state="STOPPED")

    assert "stopped by an operator" in state_of(superuser, job)


def test_nothing_new_is_304_and_anything_new_is_not(superuser: Client, job: Job, node: Node) -> None:
    slot = add_slot(job, node)
    for url in (reverse(LIVE), reverse("admin:workerd_job_page_live", args=[job.pk])):
        etag = superuser.get(url)["ETag"]

        assert superuser.get(url, headers={"If-None-Match": etag}).status_code == 304

        slot.note += "moved on"
        slot.last_beat = timezone.now()
        slot.save()
        assert superuser.get(url, headers={"If-None-Match": etag}).status_code == 200


def test_the_script_asks_for_the_rows_that_the_page_shows(superuser: Client, job: Job, node: Node) -> None:
    other = Job.objects.create(name="other", target="shop.jobs.price_feed")

    found = pieces(superuser, f"{reverse(LIVE)}?q=other")

    assert f"{other.pk}:state" in found
    assert f"{job.pk}:state" not in found
    assert superuser.get(f"{reverse(LIVE)}?nonsense=1").status_code == 400


def test_an_order_is_a_row_of_the_audit_trail(superuser: Client, job: Job, node: Node) -> None:
    other = Job.objects.create(name="other", target="shop.jobs.price_feed")

    data = {"action": "restart", "_selected_action": [job.pk, other.pk]}
    page = superuser.post(reverse(LIST), data, follow=True).content.decode()

    orders = Operation.objects.order_by("job_name")
    assert [(order.verb, order.job_name, order.job_id, order.slot, order.requested_by) for order in orders] == [
        ("restart", "other", other.pk, "", "superuser"),
        ("restart", "price-feed", job.pk, "", "superuser"),
    ]
    assert all(order.taken is None and timedelta(seconds=50) < order.expires - timezone.now() for order in orders)
    assert "Restart was asked for 2 jobs: other, price-feed." in page


def test_an_order_may_be_for_one_slot_and_only_for_one_that_is(superuser: Client, job: Job, node: Node) -> None:
    Job.objects.update(processes=2)
    job.refresh_from_db()
    add_slot(job, node, 1)
    url = reverse("admin:workerd_job_orders", args=[job.pk])

    assert superuser.post(url, {"order": "dump price-feed:1"}).status_code == 302
    assert superuser.post(url, {"order": "dump price-feed:7"}).status_code == 400
    assert superuser.post(url, {"order": "explode"}).status_code == 400
    assert [(order.verb, order.slot) for order in Operation.objects.all()] == [("dump", "price-feed:1")]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "waiting"),
        ({"taken": timezone.now(), "result": "restarted <1> slot"}, "restarted &lt;1&gt; slot"),
        ({"expires": timezone.now() - timedelta(seconds=1)}, "expired"),
    ],
)
def test_what_became_of_an_order_is_shown(
    superuser: Client, job: Job, node: Node, fields: dict[str, Any], words: str
) -> None:
    Operation.objects.create(verb="restart", job=job, job_name=job.name, requested_by="ada", **fields)

    for shown in (pieces(superuser), pieces(superuser, reverse("admin:workerd_job_page_live", args=[job.pk]))):
        assert words in shown["orders"]
        assert "ada" in shown["orders"]


def test_the_switch_writes_one_column_and_history(superuser: Client, job: Job) -> None:
    url = reverse("admin:workerd_job_switch", args=[job.pk])

    response = superuser.post(url, {"enabled": "0", "back": "q=price"})

    assert response["Location"] == f"{reverse(LIST)}?q=price"
    job.refresh_from_db()
    assert not job.enabled
    history = superuser.get(reverse("admin:workerd_job_history", args=[job.pk])).content.decode()
    assert "Changed Enabled." in history


def test_the_switch_turns_nothing_on_that_cannot_run(superuser: Client) -> None:
    job = Job.objects.create(name="a", target="shop.jobs.gone", enabled=False)

    page = superuser.post(reverse("admin:workerd_job_switch", args=[job.pk]), {"enabled": "1"}, follow=True)

    job.refresh_from_db()
    assert not job.enabled
    assert "The job “a” stays off." in page.content.decode()


@pytest.mark.parametrize(
    ("query", "names"),
    [("", ["fine", "parked", "problem"]), ("state=look", ["parked", "problem"]), ("state=RUNNING", ["fine"])],
)
def test_the_list_is_filtered_by_state(superuser: Client, node: Node, query: str, names: list[str]) -> None:
    for name, state in (("fine", "RUNNING"), ("parked", "PARKED"), ("problem", "STOPPED")):
        job = Job.objects.create(name=name, target="x.y", problem="bad" if name == "problem" else "")
        add_slot(job, node, state=state)

    found = superuser.get(f"{reverse(LIST)}?{query}").context["cl"].result_list

    assert [job.name for job in found] == names


def test_an_empty_list_leads_to_the_first_job(superuser: Client) -> None:
    page = superuser.get(reverse(LIST)).content.decode()

    assert "There are no jobs yet." in page
    assert reverse("admin:workerd_job_add") in page


@pytest.mark.parametrize(
    ("seconds", "words"), [(-5, "0 s"), (0.4, "0 s"), (59.9, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_an_age_is_spelt_by_its_largest_unit(seconds: float, words: str) -> None:
    assert spell(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (0.1234, "0.123 s"), (75, "1 min 15 s"), (3600, "1 h"), (90_061, "1 d 1 h")]
)
def test_a_span_is_spelt_by_two(seconds: float, words: str) -> None:
    assert spell_span(seconds) == words


INLINE = re.compile(r"<script(?![^>]*(src=|type=.application/json))|<style|\sstyle=|\son[a-z]+=|javascript:")


def test_no_page_needs_inline_scripts_or_styles(superuser: Client, job: Job, node: Node) -> None:
    run = Run.objects.create(job=job, job_name=job.name, slot=job.name, born=timezone.now(), outcome="error")
    add_slot(job, node, run=run.pk, memory=12)
    urls = [reverse(LIST), reverse("admin:workerd_job_add"), reverse("admin:workerd_run_change", args=[run.pk])]
    urls += [reverse(f"admin:workerd_job_{name}", args=[job.pk]) for name in ("page", "change")]

    for url in urls:
        assert INLINE.search(superuser.get(url).content.decode()) is None, url
