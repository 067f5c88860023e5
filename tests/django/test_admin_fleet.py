"""The admin of a fleet: orders that reach every node, who has which seat, and the pages of nodes."""

import json
import re
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from workerd.models import Job, Node, Operation, Slot

from .admin_roles import client_of
from .fleet_rows import add_fleet_job, add_node, seat

pytestmark = [pytest.mark.django_db, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]


@pytest.fixture
def superuser() -> Client:
    return client_of("superuser")


def order(client: Client, job: Job, words: str) -> None:
    assert client.post(reverse("admin:workerd_job_orders", args=[job.pk]), {"order": words}).status_code == 302


def given() -> list[tuple[str, str, str]]:
    """Return verb, slot and node of every order."""
    rows = Operation.objects.select_related("node").order_by("node__name", "slot")
    return [(row.verb, row.slot, row.node.name if row.node else "") for row in rows]


def pieces(client: Client, job: Job) -> dict[str, str]:
    url = reverse("admin:workerd_job_page_live", args=[job.pk])
    return dict(json.loads(client.get(url).content)["pieces"])


def words_in(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


# orders


@pytest.mark.parametrize("scope", ["fleet", "each_node"])
def test_no_order_is_for_a_node_that_has_just_ended_in_order(superuser: Client, scope: str) -> None:
    """Its pulse is recent, and nobody would take the order there."""
    job = Job.objects.create(name="mail", target="shop.jobs.price_feed", scope=scope)
    ended, living = add_node("a"), add_node("b")
    Node.objects.filter(pk=ended.pk).update(key=uuid.uuid4(), life=None)
    Node.objects.filter(pk=living.pk).update(key=uuid.uuid4(), life=uuid.uuid4())

    order(superuser, job, "start")

    assert given() == [("start", "", "b")]


def test_an_order_for_a_job_reaches_every_living_node_that_may_have_it(superuser: Client) -> None:
    job = Job.objects.create(name="mail", target="shop.jobs.price_feed", where="zone=a")
    add_node("a", labels={"zone": "a"})
    add_node("b", labels={"zone": "a"})
    add_node("other", labels={"zone": "b"})
    add_node("gone", labels={"zone": "a"}, silent_s=60)

    order(superuser, job, "restart")

    assert given() == [("restart", "", "a"), ("restart", "", "b")]
    assert Operation.objects.values("requested", "expires").distinct().count() == 1, "it is one act"


def test_orders_for_many_jobs_and_nodes_take_few_statements(superuser: Client) -> None:
    for number in range(30):
        add_node(f"n{number}")
        Job.objects.create(name=f"job{number}", target="shop.jobs.price_feed")
    data = {"action": "restart", "_selected_action": list(Job.objects.values_list("pk", flat=True))}

    with CaptureQueriesContext(connection) as captured:
        superuser.post(reverse("admin:workerd_job_changelist"), data)

    assert Operation.objects.count() == 900
    assert sum("workerd_operation" in query["sql"] for query in captured.captured_queries) <= 35


def test_it_is_shown_as_one_order_with_a_result_for_each_node(superuser: Client) -> None:
    job = Job.objects.create(name="mail", target="shop.jobs.price_feed")
    nodes = [add_node("a"), add_node("b")]
    order(superuser, job, "restart")
    Operation.objects.filter(node=nodes[0]).update(taken=timezone.now(), result="mail: RUNNING, pid 7")

    shown = pieces(superuser, job)["orders"]

    assert shown.count("<b>restart</b>") == 1
    assert "1 of 2 nodes have answered" in shown
    assert "taken a@rack: mail: RUNNING, pid 7 waiting b@rack" in words_in(shown)


def test_acts_of_the_same_kind_stay_apart(superuser: Client) -> None:
    job = Job.objects.create(name="mail", target="shop.jobs.price_feed")
    add_node("a")
    order(superuser, job, "restart")
    order(superuser, job, "restart")

    assert pieces(superuser, job)["orders"].count("<b>restart</b>") == 2


def test_without_a_living_node_whoever_comes_takes_the_order(superuser: Client) -> None:
    add_node("gone", silent_s=60)

    order(superuser, Job.objects.create(name="mail", target="shop.jobs.price_feed"), "start")

    assert given() == [("start", "", "")]


def test_an_order_for_one_slot_goes_to_the_nodes_that_have_it(superuser: Client) -> None:
    job = Job.objects.create(name="mail", target="shop.jobs.price_feed", processes=2)
    nodes = [add_node("a"), add_node("b")]
    Slot.objects.create(job=job, job_name="mail", node=nodes[1], index=1, name="mail:1", state="RUNNING")

    order(superuser, job, "dump mail:1")

    assert given() == [("dump", "mail:1", "b")]


def test_an_order_for_a_fleet_job_goes_to_the_holders_of_its_seats(superuser: Client) -> None:
    a, b, _c = add_node("a"), add_node("b"), add_node("c")
    job = add_fleet_job(processes=2)
    seat(job, 0, a)
    seat(job, 1, b)

    order(superuser, job, "restart")
    order(superuser, job, "restart feed:1")

    assert given() == [("restart", "", "a"), ("restart", "", "b"), ("restart", "feed:1", "b")]


def test_a_start_of_what_is_stopped_in_the_fleet_is_for_one_node_that_knows_the_job(superuser: Client) -> None:
    for name, zone in (("a", "x"), ("b", "y"), ("c", "y")):
        add_node(name, labels={"zone": zone})
    job = add_fleet_job(where="zone=y")
    seat(job, 0, stopped_by="ann")

    order(superuser, job, "start")

    assert given() == [("start", "", "b")]


def test_a_resume_also_reaches_the_nodes_that_have_refused(superuser: Client) -> None:
    job = add_fleet_job()
    seat(job, 0, add_node("a"))
    add_node("b", cannot=json.dumps({str(job.pk): "no module"}))
    add_node("c")

    order(superuser, job, "resume")

    assert given() == [("resume", "", "a"), ("resume", "", "b")]


def test_operations_name_their_nodes(superuser: Client) -> None:
    Operation.objects.create(verb="stop", job_name="mail", node=add_node("a"))

    assert "a@rack" in superuser.get(reverse("admin:workerd_operation_changelist")).content.decode()


# seats


def test_the_page_of_a_fleet_job_shows_who_has_each_seat_and_why_one_is_free(superuser: Client) -> None:
    job = add_fleet_job(processes=3, where="zone=a")
    seat(job, 0, add_node("web", labels={"zone": "a"}), moves=4)
    seat(job, 1, add_node("db", labels={"zone": "a"}, silent_s=60))
    seat(job, 2, stopped_by="ann")

    shown = words_in(pieces(superuser, job)["seats"])

    assert "feed:0 held web@rack" in shown
    assert "4 7 -" in shown
    assert "feed:1 held, its node is silent db@rack" in shown
    assert "another one takes it over after 30 s" in shown
    assert "feed:2 stopped by an operator - - 0 - stopped by ann" in shown


def test_a_job_of_each_node_has_no_seats_to_show(superuser: Client) -> None:
    job = Job.objects.create(name="mail", target="shop.jobs.price_feed")
    add_node("a")

    assert "seats" not in pieces(superuser, job)


def test_the_list_counts_the_seats_that_are_held(superuser: Client) -> None:
    add_node("web")
    job, free = add_fleet_job(processes=2), add_fleet_job("free")
    seat(job, 0, Node.objects.get())
    seat(free, 0)

    found = json.loads(superuser.get(reverse("admin:workerd_job_live")).content)["pieces"]

    assert "1 of 2 seats held" in found[f"{job.pk}:state"]
    assert "no node has it" in found[f"{free.pk}:state"]
    assert "a node that may run it takes it within seconds" in found[f"{free.pk}:activity"]


def test_a_job_whose_seat_nobody_holds_needs_a_look(superuser: Client) -> None:
    web, gone = add_node("web"), add_node("gone", silent_s=60)
    states: dict[str, tuple[dict[str, Any], list[tuple[Node | None, dict[str, Any]]]]] = {
        "disabled": ({"enabled": False}, []),
        "free": ({}, [(web, {}), (None, {})]),
        "held": ({}, [(web, {}), (web, {})]),
        "local": ({"scope": "each_node"}, []),
        "new": ({}, []),
        "shrunk": ({"processes": 1}, [(web, {}), (None, {})]),
        "silent": ({}, [(web, {}), (gone, {})]),
        "stopped": ({}, [(web, {}), (None, {"stopped_by": "ann"})]),
    }
    for name, (fields, seats) in states.items():
        job = add_fleet_job(name, **{"processes": 2, **fields})
        for index, (holder, values) in enumerate(seats):
            seat(job, index, holder, **values)

    page = superuser.get(f"{reverse('admin:workerd_job_changelist')}?state=look")

    assert sorted(job.name for job in page.context["cl"].result_list) == ["free", "new", "silent"]


def test_the_pages_take_a_bounded_number_of_queries(superuser: Client) -> None:
    """With thirty nodes, ten jobs and three hundred seats as many as with one."""

    def queries(url: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert superuser.get(url).status_code == 200
        return len(captured)

    node, job = add_node("n"), add_fleet_job()
    seat(job, 0, node)
    urls = [
        reverse("admin:workerd_job_changelist"),
        reverse("admin:workerd_job_page", args=[job.pk]),
        reverse("admin:workerd_node_changelist"),
        reverse("admin:workerd_node_change", args=[node.pk]),
    ]
    for url in urls:
        queries(url)  # the first page of a process asks for more, which is remembered
    before = [queries(url) for url in urls]
    nodes = [add_node(f"n{number}") for number in range(30)]
    for number in range(10):
        crowd = add_fleet_job(f"crowd{number}", processes=30)
        for index in range(30):
            seat(crowd, index, node if number == 0 else nodes[index])

    assert [queries(url) for url in urls] == before


# nodes


def test_a_node_shows_its_labels_its_drain_and_its_seats(superuser: Client) -> None:
    node = add_node("web", labels={"zone": "a"}, draining=True)
    job = add_fleet_job(processes=2)
    seat(job, 0, node)
    seat(job, 1, node)

    listed = words_in(superuser.get(reverse("admin:workerd_node_changelist")).content.decode())
    page = words_in(superuser.get(reverse("admin:workerd_node_change", args=[node.pk])).content.decode())

    assert "zone=a 2" in listed
    assert "draining" in listed
    assert "feed:0, feed:1" in page
    assert "zone=a" in page


@pytest.mark.parametrize("verb", ["drain", "drain_now", "drain_force", "drain_undo"])
def test_an_operator_drains_a_node_by_an_order(verb: str) -> None:
    node, operator = add_node("web"), client_of("operator")

    operator.post(reverse("admin:workerd_node_orders", args=[node.pk]), {"order": verb})

    assert [(row.verb, row.node, row.requested_by) for row in Operation.objects.all()] == [(verb, node, "operator")]
    shown = json.loads(operator.get(reverse("admin:workerd_job_live")).content)["pieces"]["orders"]
    assert "web@rack" in words_in(shown)


def test_a_node_takes_no_other_order(superuser: Client) -> None:
    node = add_node("web")
    url = reverse("admin:workerd_node_orders", args=[node.pk])
    answers: list[Any] = [superuser.post(url, {"order": "shutdown"}), superuser.post(url)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert not Operation.objects.exists()


# the whole fleet


def fleet_order(client: Client, verb: str) -> Any:
    return client.post(reverse("admin:workerd_node_fleet"), {"order": verb}, follow=True)


def test_a_reload_of_every_node_is_one_order_with_a_row_for_each_that_reports() -> None:
    operator = client_of("operator")
    for name in ("a", "b"):
        add_node(name)
    add_node("gone", silent_s=60)

    told = words_in(fleet_order(operator, "reload_fleet").content.decode())

    assert given() == [("reload_fleet", "", "a"), ("reload_fleet", "", "b")]
    assert Operation.objects.values("requested", "requested_by").distinct().count() == 1, "it is one act"
    assert "reloads in its turn: a@rack, b@rack" in told
    shown = json.loads(operator.get(reverse("admin:workerd_job_live")).content)["pieces"]["orders"]
    assert "0 of 2 nodes have answered" in words_in(shown)


def test_a_rebalance_moves_one_process_of_each_movable_job(superuser: Client) -> None:
    full, empty = add_node("full"), add_node("empty")
    for name, movable in (("feed", True), ("mail", True), ("fixed", False)):
        job = add_fleet_job(name, processes=3, movable=movable)
        for index in range(3):
            seat(job, index, full)

    told = words_in(fleet_order(superuser, "rebalance").content.decode())

    assert given() == [("move", "feed:2", "full"), ("move", "mail:2", "full")]
    assert f"feed:2: {full} → {empty}, mail:2: {full} → {empty}" in told


def test_what_is_even_is_told_and_stays(superuser: Client) -> None:
    job = add_fleet_job(processes=2, movable=True)
    for index, name in enumerate(("a", "b")):
        seat(job, index, add_node(name))

    assert "Nothing moves" in words_in(fleet_order(superuser, "rebalance").content.decode())
    assert given() == []


def test_where_no_node_reports_nothing_is_asked_for(superuser: Client) -> None:
    add_node("gone", silent_s=60)

    assert "No node reports" in words_in(fleet_order(superuser, "reload_fleet").content.decode())
    assert given() == []


@pytest.mark.parametrize("verb", ["reload_fleet", "rebalance"])
def test_the_whole_fleet_takes_orders_of_those_alone_who_may_drain(verb: str) -> None:
    add_node("a")
    viewer, operator = client_of("viewer"), client_of("operator")
    page = reverse("admin:workerd_node_changelist")

    assert viewer.post(reverse("admin:workerd_node_fleet"), {"order": verb}).status_code == 403
    assert f'value="{verb}"' not in viewer.get(page).content.decode()
    assert f'value="{verb}"' in operator.get(page).content.decode()
    assert not Operation.objects.exists()


def test_the_whole_fleet_takes_no_other_order(superuser: Client) -> None:
    url = reverse("admin:workerd_node_fleet")

    assert [superuser.post(url, {"order": "shutdown"}).status_code, superuser.get(url).status_code] == [400, 405]
