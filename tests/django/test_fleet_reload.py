"""``reload --fleet``: which nodes are asked, and what is told of one that does not answer."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command

from workerd.management import fleet_reload
from workerd.management.node_orders import give_all
from workerd.models import Node, Operation
from workerd.models.clock import DatabaseNow
from workerd.wire import exit_codes

from .fleet_rows import add_node

pytestmark = [pytest.mark.django_db, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]

LATER = timedelta(minutes=2)


def reload_fleet(*options: str) -> tuple[int, str]:
    printed, code = StringIO(), exit_codes.DONE
    try:
        call_command("workerd", "reload", "--fleet", *options, stdout=printed, stderr=printed)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, printed.getvalue()


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Node], None]], None]:
    """Return a function that has something become of each node and its order as soon as that is given."""

    def become(change: Callable[[Node], None]) -> None:
        def give(alias: str, verb: str, nodes: list[Node]) -> list[Operation]:
            orders = give_all(alias, verb, nodes)
            for node in nodes:
                change(node)
            return orders

        monkeypatch.setattr(fleet_reload, "give_all", give)

    return become


def answer(node: Node, result: str, *, ok: bool | None) -> None:
    Operation.objects.filter(node=node).update(taken=DatabaseNow(), result=result, ok=ok)


def pass_time() -> None:
    """Let the orders be as old as if their time had passed."""
    for order in Operation.objects.all():
        Operation.objects.filter(pk=order.pk).update(expires=order.expires - LATER)


def test_each_node_that_reports_is_asked_by_one_order() -> None:
    for name in ("a", "b"):
        add_node(name)
    add_node("gone", silent_s=60)

    code, printed = reload_fleet("--no-wait")

    assert (code, printed.splitlines()) == (exit_codes.DONE, ["a@rack: asked", "b@rack: asked"])
    assert sorted(Operation.objects.values_list("verb", "node__name")) == [("reload_fleet", "a"), ("reload_fleet", "b")]
    assert Operation.objects.values("requested").distinct().count() == 1


def test_it_fails_unless_every_node_has_done_it(after: Callable[[Callable[[Node], None]], None]) -> None:
    for name in ("a", "b"):
        add_node(name)
    after(lambda node: answer(node, "done" if node.name == "a" else "it is halted", ok=node.name == "a"))

    code, printed = reload_fleet()
    told = json.loads(reload_fleet("--json")[1])

    assert (code, "a@rack: every running job has moved" in printed) == (exit_codes.FAILED, True)
    assert "b@rack: it is halted" in printed
    assert (told["ok"], {node["node"]: node["ok"] for node in told["nodes"]}) == (
        False,
        {"a@rack": True, "b@rack": False},
    )


def test_a_node_of_an_earlier_release_does_not_say_whether_it_has(
    after: Callable[[Callable[[Node], None]], None],
) -> None:
    add_node("old")
    after(lambda node: answer(node, "no row can ask a daemon for “reload_fleet”", ok=None))

    assert reload_fleet() == (exit_codes.FAILED, "old@rack: no row can ask a daemon for “reload_fleet”\n")


@pytest.mark.parametrize(
    ("taken", "change", "told"),
    [
        (False, {}, "has not taken the order within a minute"),
        (True, {"life": uuid4()}, "has been started anew"),
        (True, {"pulse": DatabaseNow() - timedelta(seconds=50)}, "does not report any more"),
    ],
)
def test_a_node_from_which_no_answer_is_to_come_is_not_waited_for(
    after: Callable[[Callable[[Node], None]], None], taken: bool, change: dict[str, object], told: str
) -> None:
    add_node("web")

    def become(node: Node) -> None:
        if taken:
            Operation.objects.update(taken=DatabaseNow())
        Node.objects.filter(pk=node.pk).update(**change) if change else None
        pass_time()

    after(become)
    code, printed = reload_fleet()

    assert (code, told in printed) == (exit_codes.FAILED, True), printed


def test_without_a_node_that_reports_nothing_is_asked_for() -> None:
    add_node("gone", silent_s=60)

    assert reload_fleet() == (exit_codes.FAILED, "No node reports, so that none can reload.\n")
    assert not Operation.objects.exists()
