"""A reload that is halted in the admin: who reads what of it, and the two orders by which it is decided."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from workerd.models import Job, Node, Operation

from .admin_roles import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]

HALT = "the move to generation 3 is halted: feed failed: ValueError: <b>secret</b>. 1 of 4 slots runs generation 3"
OWN = "the move to generation 3 is halted: feed failed: ValueError. 1 of 4 slots runs generation 3"
WAYS = ("reload_go_on", "reload_back")


@pytest.fixture
def halted() -> Node:
    fields = {"halt": HALT, "public_halt": OWN}
    return Node.objects.create(name="shop", host="web1", generation=3, pulse=timezone.now(), **fields)


@pytest.fixture
def job() -> Job:
    return Job.objects.create(name="feed", target="shop.jobs.price_feed")


def addresses(job: Job) -> list[str]:
    """Return the pages that show a halt, and the answers to their scripts."""
    names = ("workerd_job_changelist", "workerd_job_live")
    of_job = ("workerd_job_page", "workerd_job_page_live")
    return [
        *(reverse(f"admin:{name}") for name in names),
        *(reverse(f"admin:{name}", args=[job.pk]) for name in of_job),
    ]


def text_of(client: Client, address: str) -> str:
    content = client.get(address).content.decode()
    return str(json.loads(content)["pieces"]["halts"]) if address.endswith("live/") else content


def buttons(text: str, node: Node) -> list[str]:
    return [way for way in WAYS if f'name="order" value="{way} {node.pk}"' in text]


@pytest.mark.parametrize(
    ("role", "words", "shown"),
    [("superuser", HALT, list(WAYS)), ("operator", OWN, list(WAYS)), ("reader", HALT, []), ("viewer", OWN, [])],
)
def test_every_live_page_says_why_and_offers_both_ways_to_who_may_operate(
    halted: Node, job: Job, role: str, words: str, shown: list[str]
) -> None:
    client = client_of(role)
    for address in addresses(job):
        text = text_of(client, address)
        assert f"<b>shop@web1</b>: {escape(words)}. " in text
        assert buttons(text, halted) == shown
        assert ("secret" in text) == (words == HALT)


@pytest.mark.parametrize(("role", "words"), [("superuser", HALT), ("operator", OWN), ("reader", HALT), ("viewer", OWN)])
def test_the_nodes_own_page_says_why_its_reload_is_halted(halted: Node, role: str, words: str) -> None:
    page = client_of(role).get(reverse("admin:workerd_node_change", args=[halted.pk])).content.decode()

    assert escape(words) in page
    assert ("secret" in page) == (words == HALT)


def test_a_node_that_is_silent_or_goes_on_has_no_line(halted: Node, job: Job) -> None:
    client = client_of("superuser")
    Node.objects.create(name="other", host="web1", pulse=timezone.now())
    Node.objects.filter(pk=halted.pk).update(pulse=timezone.now() - timedelta(minutes=1))

    assert [text_of(client, address).count("is halted") for address in addresses(job)] == [0] * 4


@pytest.mark.parametrize("way", WAYS)
def test_each_way_is_an_order_for_the_node_and_its_result_is_shown(halted: Node, job: Job, way: str) -> None:
    client = client_of("operator")
    list_page = reverse("admin:workerd_job_changelist")
    response = client.post(reverse("admin:workerd_job_reload"), {"order": f"{way} {halted.pk}"})

    assert (response.status_code, response["Location"]) == (302, list_page)
    order = Operation.objects.get()
    assert (order.verb, order.node, order.job, order.job_name, order.slot) == (way, halted, None, "", "")
    assert (order.requested_by, order.expires - order.requested) == ("operator", timedelta(minutes=1))
    asked = client.get(list_page).content.decode()
    assert "was asked for: shop@web1." in asked
    pieces = json.loads(client.get(reverse("admin:workerd_job_live")).content)
    assert order.get_verb_display() in pieces["pieces"]["orders"]
    assert pieces["next_ms"] == 250
    Operation.objects.update(result="done", public_result="done", taken=timezone.now())
    assert ": done" in client.get(list_page).content.decode()


@pytest.mark.parametrize("order", ["", "reload_back", "reload_back x", "reload_back 0", "reload {pk}", "stop {pk}"])
def test_what_is_no_way_or_no_node_is_refused(halted: Node, order: str) -> None:
    address = reverse("admin:workerd_job_reload")

    assert client_of("operator").post(address, {"order": order.format(pk=halted.pk)}).status_code == 400
    assert not Operation.objects.exists()


def test_the_order_is_only_posted_and_only_by_who_may_operate(halted: Node) -> None:
    address, posted = reverse("admin:workerd_job_reload"), {"order": f"reload_back {halted.pk}"}

    assert client_of("operator").get(address).status_code == 405
    for role in ("viewer", "reader", "editor"):
        assert client_of(role).post(address, posted).status_code == 403
    no_token: Any = Client(enforce_csrf_checks=True)
    no_token.cookies = client_of("superuser").cookies
    assert no_token.post(address, posted).status_code == 403
    assert not Operation.objects.exists()
