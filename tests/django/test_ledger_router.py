"""The ledger and a router: it is never asked, so no replica's lag and no rule of the project's stands between."""

import uuid

import pytest
from django.test import override_settings
from django.utils import timezone

from workerd.ledger.entry import Entry
from workerd.ledger.history import RunHistory
from workerd.ledger.jobs import JobRows
from workerd.ledger.node import NodeRow
from workerd.ledger.operations import OpenOrders
from workerd.ledger.records import RecordWriter
from workerd.ledger.registration import Claimant
from workerd.models import Job, Node, Operation, Run, Slot
from workerd.targets import check_allowed
from workerd.wire.messages import JobsListed

pytestmark = pytest.mark.django_db


class Router:
    """Fails whoever asks it where workerd's own rows are."""

    def db_for_read(self, model: type, **_hints: object) -> None:
        return self._refuse(model)

    def db_for_write(self, model: type, **_hints: object) -> None:
        return self._refuse(model)

    def _refuse(self, model: type) -> None:
        assert model not in {Job, Node, Operation, Run, Slot}, f"the router is asked about {model.__name__}"


def test_the_ledger_asks_no_router() -> None:
    Job.objects.create(name="feed", target="shop.jobs.price_feed")
    Operation.objects.create(verb="restart", job_name="feed")
    with override_settings(DATABASE_ROUTERS=[f"{__name__}.Router"]):
        node = NodeRow("default", Claimant("shop", "host-1"))
        operations = OpenOrders("default", node)
        told = JobRows("default", check_allowed).poll()
        records = RecordWriter("default", node, lambda *_: None, lambda *_: None, operations)
        written = records.apply(
            [
                Entry(1, "node", "node", 1, {"daemon_pid": 1, "started": timezone.now().timestamp()}),
                Entry(2, "run", str(uuid.uuid4()), 2, {"job_name": "feed", "slot": "feed", "born": 1_760_000_000.0}),
                Entry(3, "slot", "feed\n0", 3, {"name": "feed", "state": "RUNNING"}),
                Entry(4, "problem", "feed", 4, {"problem": "none"}),
            ]
        )
        node.write_pulse()
        taken = operations.claim()
        RunHistory("default", node, 3600.0).tend(drained=True)

    assert told[-1] == JobsListed(1)
    assert (len(written), len(taken)) == (4, 1)
