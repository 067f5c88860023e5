"""Moments are the same in every time zone of server, session and project; the database's is the clock that counts."""

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from workerd.admin.ages import as_utc
from workerd.admin.timeline import AXIS_HEIGHT, LANE_HEIGHT
from workerd.ledger.entry import Entry
from workerd.ledger.history import RunHistory
from workerd.ledger.node import NodeRow
from workerd.ledger.operations import OpenOrders
from workerd.ledger.records import RecordWriter
from workerd.ledger.registration import Claimant
from workerd.ledger.sanitize import clean_for
from workerd.models import Job, Node, Operation, Run, Slot
from workerd.models.clock import DatabaseNow, read_now

from .admin_roles import client_of

pytestmark = pytest.mark.django_db
ZONES = [
    {"USE_TZ": True, "TIME_ZONE": "UTC"},
    {"USE_TZ": True, "TIME_ZONE": "America/New_York"},
    {"USE_TZ": False, "TIME_ZONE": "Europe/Berlin"},
    {"USE_TZ": False, "TIME_ZONE": "America/New_York"},
]

LANES = 40
"""The slots of a job whose drawing is more than a thousand pixels high."""


@pytest.fixture(params=ZONES, ids=lambda zone: f"{zone['TIME_ZONE']}{'' if zone['USE_TZ'] else ', USE_TZ off'}")
def zone(request: pytest.FixtureRequest, settings: Any) -> dict[str, Any]:
    """The project's time zone."""
    for name, value in request.param.items():
        setattr(settings, name, value)
    return dict(request.param)


@pytest.fixture(params=["+00:00", "+02:00", "-05:00"])
def session_zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The time zone of the session, as that of a server is where Django sets none."""
    set_session_zone(request.param)
    yield request.param
    set_session_zone("+00:00")


def set_session_zone(offset: str) -> None:
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION time_zone = %s", [offset])


def moment(seconds_ago: float = 0.0) -> datetime:
    """A moment as the ledger writes those that the daemon tells."""
    at = datetime.now(UTC).timestamp() - seconds_ago
    return clean_for(Run._meta.get_field("born"), at)  # type: ignore[no-any-return]


def is_now(at: datetime | None) -> bool:
    return at is not None and abs(as_utc(at) - datetime.now(UTC)) < timedelta(seconds=30)


def orders() -> OpenOrders:
    return OpenOrders("default", NodeRow("default", Claimant("shop", "web1")))


def test_the_databases_time_is_now(zone: dict[str, Any], session_zone: str) -> None:
    node = Node.objects.create(name="shop", host="web1")
    Node.objects.update(pulse=DatabaseNow())
    node.refresh_from_db()

    assert is_now(node.pulse)
    assert is_now(Node.objects.annotate(at=DatabaseNow()).get().at)
    assert is_now(read_now("default"))


def test_an_order_is_taken_and_one_that_has_expired_is_not(zone: dict[str, Any], session_zone: str) -> None:
    Operation.objects.create(verb="restart", job_name="mail", requested_by="ann")
    late = Operation.objects.create(verb="restart", job_name="late", requested_by="ann")
    Operation.objects.filter(pk=late.pk).update(expires=moment(seconds_ago=1))

    assert [taken.name for taken in orders().claim()] == ["mail"]  # type: ignore[attr-defined]
    taken = Operation.objects.get(job_name="mail")
    assert is_now(taken.taken)
    assert as_utc(taken.expires) - datetime.now(UTC) < timedelta(seconds=61)


def test_an_order_is_taken_also_when_the_clocks_change_between(zone: dict[str, Any]) -> None:
    for before, after in (("+02:00", "+01:00"), ("+01:00", "+02:00")):
        set_session_zone(before)
        order = Operation.objects.create(verb="restart", job_name="mail", requested_by="ann")
        set_session_zone(after)

        assert len(orders().claim()) == 1
        order.delete()
    set_session_zone("+00:00")


@pytest.mark.parametrize("minutes", [-2, 2])
def test_a_web_server_whose_clock_is_off_gives_orders_that_are_taken(minutes: int) -> None:
    job = Job.objects.create(name="mail", target="shop.jobs.mail")
    client = client_of("superuser")
    with patch.object(timezone, "now", lambda: datetime.now(UTC) + timedelta(minutes=minutes)):
        client.post(reverse("admin:workerd_job_orders", args=[job.pk]), {"order": "restart"})
        Operation.objects.create(verb="stop", job_name="mail")
        page = client.get(reverse("admin:workerd_operation_changelist")).content.decode()

    assert "expired" not in page
    assert len(orders().claim()) == 2
    assert all(as_utc(order.expires) < datetime.now(UTC) + timedelta(seconds=61) for order in Operation.objects.all())
    assert all(is_now(order.requested) for order in Operation.objects.all()), "orders are taken in this order"


@pytest.mark.parametrize("minutes", [-2, 2])
def test_a_daemon_whose_clock_is_off_takes_the_orders_that_are_valid(minutes: int) -> None:
    Operation.objects.create(verb="restart", job_name="mail")
    late = Operation.objects.create(verb="restart", job_name="late")
    Operation.objects.filter(pk=late.pk).update(expires=moment(seconds_ago=1))
    row = NodeRow("default", Claimant("shop", "web1"))
    with patch.object(timezone, "now", lambda: datetime.now(UTC) + timedelta(minutes=minutes)):
        taken = orders().claim()
        row.write_pulse()

    assert [order.name for order in taken] == ["mail"]  # type: ignore[attr-defined]
    assert is_now(Operation.objects.get(job_name="mail").taken)
    assert is_now(Node.objects.get().pulse)


def test_lost_runs_end_and_old_ones_go_by_the_same_clock(zone: dict[str, Any], session_zone: str) -> None:
    row = NodeRow("default", Claimant("shop", "web1"))
    Node.objects.filter(pk=row.pk).update(record_version=2**40)
    kept = Run.objects.create(job_name="a", slot="a", node_id=row.pk, version=1, born=moment(60))
    old = Run.objects.create(job_name="b", slot="b", node_id=row.pk, version=1, born=moment(7200), ended=moment(3700))
    young = Run.objects.create(job_name="c", slot="c", node_id=row.pk, version=1, born=moment(7200), ended=moment(3500))
    RunHistory("default", row, retention_s=3600).tend(drained=True)

    kept.refresh_from_db()
    assert (kept.outcome, is_now(kept.ended)) == ("lost", True)
    assert not Run.objects.filter(pk=old.pk).exists()
    assert Run.objects.filter(pk=young.pk).exists()


@pytest.mark.parametrize("years", [-5, 5])
def test_a_run_stays_for_the_retention_however_wrong_the_clock_of_its_daemon_was(years: int) -> None:
    row = NodeRow("default", Claimant("shop", "web1"))
    wrong = datetime.now(UTC).timestamp() + years * 365 * 86400
    key = str(uuid.uuid4())
    record = {"job_name": "a", "slot": "a", "index": 0, "born": wrong - 60, "ended": wrong, "outcome": "finished"}
    writer = RecordWriter("default", row, lambda *_: None, lambda *_: None, OpenOrders("default", row))
    writer.apply([Entry(0, "run", key, 1, record)])
    RunHistory("default", row, retention_s=3600).tend(drained=True)

    assert is_now(Run.objects.get(pk=key).recorded)
    Run.objects.update(recorded=moment(3700))
    RunHistory("default", row, retention_s=3600).tend(drained=True)
    assert not Run.objects.filter(pk=key).exists()


@pytest.fixture
def rows() -> list[Any]:
    """A row of each model, with every moment."""
    job = Job.objects.create(pk=1234567, name="mail", target="shop.jobs.ship_orders", processes=1)
    node = Node.objects.create(pk=1234567, name="shop", host="web1", started=moment(9000), generation=1234)
    Node.objects.update(pulse=DatabaseNow())
    slot = Slot.objects.create(
        node=node, job=job, job_name="mail", name="mail", index=0, state="BACKOFF", pid=1234567, restarts=1234,
        reason="exit code 1", since=moment(300), next_start=moment(-30), last_beat=moment(100), memory=1234.5,
    )  # fmt: skip
    run = Run.objects.create(
        job=job, job_name="mail", slot="mail", node=node, node_name="shop@web1", pid=1234567, born=moment(600),
        ready=moment(590), ended=moment(300), outcome="error", exception="ValueError: no", peak_memory=1234.5,
    )  # fmt: skip
    more = [Run(job=job, slot=f"mail:{index}", index=index, born=moment(600)) for index in range(1, LANES)]
    Run.objects.bulk_create(more)
    order = Operation.objects.create(verb="restart", job=job, job_name="mail", requested_by="ada")
    return [job, node, slot, run, order]


@pytest.mark.parametrize(
    "language", [{"LANGUAGE_CODE": "en"}, {"LANGUAGE_CODE": "de", "USE_THOUSAND_SEPARATOR": True}], ids=["en", "de"]
)
def test_every_page_is_shown_and_tells_the_same_times(
    zone: dict[str, Any], language: dict[str, Any], settings: Any, rows: list[Any]
) -> None:
    for name, value in language.items():
        setattr(settings, name, value)
    client = client_of("superuser")
    for row in rows:
        model = row._meta.model_name
        text(client, reverse(f"admin:workerd_{model}_changelist"))
        text(client, reverse(f"admin:workerd_{model}_change", args=[row.pk]))
    Node.objects.update(pulse=DatabaseNow())  # the pages above may have taken long
    page = text(client, reverse("admin:workerd_job_page", args=[rows[0].pk]))
    Node.objects.update(pulse=DatabaseNow())
    nodes = text(client, reverse("admin:workerd_node_changelist"))
    listed = text(client, reverse("admin:workerd_job_changelist"))
    for live in (reverse("admin:workerd_job_live"), reverse("admin:workerd_job_page_live", args=[rows[0].pk])):
        text(client, live)

    assert "5 min" in page
    assert "5 min" in listed
    assert 'job__id__exact=1234567"' in page
    assert '<span class="workerd-pid">1234567</span>' in page
    assert f'height="{LANES * LANE_HEIGHT + AXIS_HEIGHT}"' in page
    assert "workerd-notice-fresh" in page
    assert "silent" not in nodes
    born = as_utc(Run.objects.get(pk=rows[3].pk).born).timestamp()  # type: ignore[arg-type]
    assert abs(born - (datetime.now(UTC).timestamp() - 600)) < 30


@pytest.mark.parametrize("hours", [-2, 2, 48])
def test_a_web_server_whose_clock_is_off_tells_the_same_ages(hours: int, rows: list[Any]) -> None:
    client = client_of("superuser")
    job, _, slot, failed, _ = rows
    running = Run.objects.get(index=1)
    Slot.objects.filter(pk=slot.pk).update(longest_silence=None)
    Run.objects.filter(pk=failed.pk).update(longest_silence=7.5)
    Node.objects.update(pulse=DatabaseNow())
    with patch.object(timezone, "now", lambda: datetime.now(UTC) + timedelta(hours=hours)):
        page = text(client, reverse("admin:workerd_job_page", args=[job.pk]))
        listed = text(client, reverse("admin:workerd_job_changelist"))
        nodes = text(client, reverse("admin:workerd_node_changelist"))
        runs = text(client, reverse("admin:workerd_run_changelist"))
        run = text(client, reverse("admin:workerd_run_change", args=[running.pk]))
        form = text(client, reverse("admin:workerd_job_change", args=[job.pk]))

    assert all("5 min" in text for text in (page, listed))
    assert "workerd-notice-fresh" in page
    assert "silent" not in nodes
    assert re.search(r"field-ran_for[^>]*>10 min", runs)
    assert re.search(r"Running for 10 min( \d+ s)?\.", run)
    assert re.search(r"data-workerd-since[^>]*>10 min<", run)
    assert "silence of its runs of the last day was 7.5 s" in form


def text(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.content.decode()
