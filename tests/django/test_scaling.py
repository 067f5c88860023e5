"""A scaler on real rows: what it changes, what it leaves alone, and what the audit trail says of it."""

from typing import Any

import pytest
from django.urls import reverse

from workerd.contrib import depths, scaling
from workerd.contrib.depths import counter_of, probe
from workerd.contrib.scaling_rule import Depth, next_step
from workerd.definitions.definition import Definition
from workerd.models import Job, Operation
from workerd.sync.choices import Choices
from workerd.sync.writing import Request, preview
from workerd.testing import run_job
from workerd.testing.result import Result

from .admin_roles import client_of

pytestmark = pytest.mark.django_db
WHO = "scale (workerd.contrib.scaling)"


class Queue:
    """A queue whose counts are given, the last one for ever; an exception is raised."""

    def __init__(self) -> None:
        self.counts: list[Any] = []
        self.asked: list[str] = []

    def count(self, depot: str) -> Depth | int:
        self.asked.append(depot)
        found = self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Queue:
    settings.WORKERD = {**settings.WORKERD, "ENGINES": ["scaling"]}
    queue = Queue()
    monkeypatch.setitem(depths._probes, "parcels", queue.count)
    return queue


@pytest.fixture
def mail() -> Job:
    Job.objects.create(name="other", target="shop.jobs.price_feed", processes=3)
    return Job.objects.create(name="mail", target="shop.jobs.price_feed", processes=2)


def scale(queue: Queue, *counts: Any, turns: int = 0, **kwargs: Any) -> Result:
    queue.counts = list(counts)
    row = {"job": "mail", "depth": "parcels:north", "most": 4, "per_process": 5, "calm": 10, **kwargs}
    return run_job(scaling.scale, turns=turns or len(counts), arguments=row)


def processes(name: str = "mail") -> int:
    return Job.objects.get(name=name).processes


def lines() -> list[str]:
    return list(Operation.objects.order_by("requested", "pk").values_list("result", flat=True))


def test_the_named_row_goes_up_at_once_and_down_one_at_a_time(queue: Queue, mail: Job) -> None:
    result = scale(queue, 17, Depth(0, 1), turns=6, every=5)

    assert processes() == 2
    assert processes("other") == 3
    assert lines() == [
        "processes 2 → 4: 17 tasks wait",
        "processes 4 → 3: 0 tasks wait, 1 in hand",
        "processes 3 → 2: 0 tasks wait, 1 in hand",
    ]
    assert set(queue.asked) == {"north"}
    assert result.notes[0] == "mail: 17 tasks wait, processes 4"
    changes = [(event["before"], event["processes"]) for event in result.logs if event["event"] == "scaling.changed"]
    assert changes == [(2, 4), (4, 3), (3, 2)]


def test_the_audit_trail_says_who_and_why_and_no_daemon_takes_it(queue: Queue, mail: Job) -> None:
    scale(queue, 17)

    line = Operation.objects.get()
    assert (line.verb, line.job_id, line.job_name, line.requested_by, line.ok) == ("scale", mail.pk, "mail", WHO, True)
    assert line.taken is not None
    client = client_of("superuser")
    trail = client.get(reverse("admin:workerd_operation_changelist")).content.decode()
    assert "set the processes" in trail
    assert "processes 2 → 4: 17 tasks wait" in trail
    page = client.get(reverse("admin:workerd_job_page", args=[mail.pk])).content.decode()
    assert "processes 2 → 4: 17 tasks wait" in page


def test_the_audit_trail_keeps_the_last_lines_of_the_row(
    queue: Queue, mail: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "KEPT", 2)
    order = Operation.objects.create(verb="restart", job=mail, job_name="mail")

    scale(queue, 17, 0, calm=0, turns=4)

    assert Operation.objects.filter(pk=order.pk).exists()
    assert Operation.objects.filter(verb="scale").count() == 2
    assert processes() == 1


def test_a_count_that_fails_holds_the_row_and_is_said_once(queue: Queue, mail: Job) -> None:
    broken = ConnectionError("Redis is away")
    result = scale(queue, 17, broken, broken, broken, 0, calm=0)

    said = [(event["event"], event.get("reason", "")) for event in result.logs]
    assert said == [
        ("scaling.changed", ""),
        ("scaling.held", "ConnectionError: Redis is away"),
        ("scaling.resumed", ""),
        ("scaling.changed", ""),
    ]
    assert processes() == 3, "down by one, once it was counted again"
    assert result.notes[1] == "mail: held, ConnectionError", "whoever may see jobs reads it"


@pytest.mark.parametrize(("turns", "wanted"), [(5, 2), (6, 1)])
def test_a_calm_begins_anew_after_a_count_that_failed(queue: Queue, mail: Job, turns: int, wanted: int) -> None:
    scale(queue, 0, 0, ConnectionError(), 0, turns=turns, calm=10, every=5)

    assert processes() == wanted


@pytest.mark.parametrize("fields", [{"enabled": False}, {"name": "mails"}])
def test_a_row_that_is_off_or_gone_is_left_alone(queue: Queue, mail: Job, fields: dict[str, Any]) -> None:
    Job.objects.filter(pk=mail.pk).update(**fields)

    result = scale(queue, 17, turns=3)

    assert Job.objects.get(pk=mail.pk).processes == 2
    assert [event["event"] for event in result.logs] == ["scaling.held"]
    assert lines() == []


def test_an_edit_between_the_count_and_the_change_is_not_overwritten(
    queue: Queue, mail: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit(*args: Any) -> Any:
        Job.objects.filter(pk=mail.pk).update(processes=3)
        return next_step(*args)

    monkeypatch.setattr(scaling, "next_step", edit)
    scale(queue, 17)

    assert (processes(), lines()) == (3, [])


def test_what_an_operator_has_typed_is_followed_from_there(queue: Queue, mail: Job) -> None:
    Job.objects.filter(pk=mail.pk).update(processes=9)

    scale(queue, 17, turns=6, every=5)

    assert lines() == ["processes 9 → 8: 17 tasks wait", "processes 8 → 7: 17 tasks wait"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"depth": "os.getpid"}, "nothing counts “os.getpid”: there are celery, dramatiq, huey, "),
        ({"depth": ""}, "nothing counts “”"),
        ({"least": 5}, "least is 5 and most is 4"),
        ({"every": 0}, "every is 0"),
        ({"job": "scale"}, "a scaler cannot scale itself"),
    ],
)
def test_what_a_row_may_not_ask_for_is_refused(queue: Queue, mail: Job, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        scale(queue, 17, **wrong)

    assert processes() == 2


def test_two_functions_of_a_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def rq(queue: str) -> int:
        return len(queue)

    with pytest.raises(ValueError, match="“rq” counts something already"):
        probe(rq)

    monkeypatch.setattr(rq, "__name__", "letters")
    monkeypatch.setattr(depths, "_probes", {**depths._probes})
    assert probe(rq) is rq
    assert counter_of("letters:abc")() == Depth(3)


def test_sync_finds_no_drift_where_the_code_leaves_the_number_out(queue: Queue, mail: Job) -> None:
    request = _declared(processes=None)
    Job.objects.filter(pk=mail.pk).update(source="tests", synced={"target": "shop.jobs.price_feed", "command": ""})
    result = scale(queue, 17)

    (plan,) = preview(request, "default")
    assert (processes(), plan.is_open, plan.is_written) == (4, False, False)
    assert [event["event"] for event in result.logs] == ["scaling.changed"]


def test_where_the_code_says_the_number_the_scaler_says_that_sync_finds_a_drift(queue: Queue, mail: Job) -> None:
    synced = {"target": "shop.jobs.price_feed", "command": "", "processes": 2}
    Job.objects.filter(pk=mail.pk).update(source="tests", synced=synced)
    result = scale(queue, 17, 17)

    (plan,) = preview(_declared(processes=2), "default")
    assert plan.is_open
    assert [event["event"] for event in result.logs] == ["scaling.disputed", "scaling.changed"]


def _declared(processes: int | None) -> Request:
    values = {"target": "shop.jobs.price_feed"} | ({} if processes is None else {"processes": processes})
    return Request({"mail": Definition("mail", values, "jobs.toml, line 1")}, "tests", Choices())
