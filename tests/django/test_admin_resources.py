"""Resources on the admin's pages: curves, tables and words, and never a number for what was not measured."""

import re
import time
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from workerd.admin.resources.forecast import seconds_to_limit, since_last_fall
from workerd.admin.resources.plot import plot
from workerd.admin.resources.windows import Window
from workerd.models import Job, Node, Run, Slot
from workerd.wire.curves import run_text, slot_text
from workerd.wire.recent_memory import summarize
from workerd.wire.samples import Sample, pack_all

from .admin_roles import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]
MIB = 1024


@pytest.fixture
def superuser() -> Client:
    return client_of("superuser")


@pytest.fixture
def job() -> Job:
    return Job.objects.create(name="feed", target="shop.jobs.price_feed", max_memory=64.0, heartbeat_timeout=30.0)


@pytest.fixture
def node() -> Node:
    return Node.objects.create(name="shop", host="web1", generation=3, pulse=timezone.now())


def add_slot(job: Job, node: Node, past: list[Sample], index: int = 0, **fields: Any) -> Slot:
    packed = pack_all(past)
    values = {
        "name": f"{job.name}:{index}" if index else job.name,
        "samples": slot_text(packed),
        "recent_memory": summarize(packed),
        "state": "RUNNING",
        "since": timezone.now(),
        "memory": 44.0,
        **fields,
    }
    return Slot.objects.create(job=job, job_name=job.name, node=node, index=index, **values)


def growing(count: int = 60, step: int = 10, begin: float = 10.0, by: float = 0.1) -> list[Sample]:
    """Return samples up to now, whose memory grows."""
    now = int(time.time())
    return [
        Sample(now - step * (count - place), round((begin + by * place) * MIB), 5.0, 2.0, 12, 3, place == 0)
        for place in range(count)
    ]


def job_page(client: Client, job: Job) -> str:
    page = client.get(reverse("admin:workerd_job_page", args=[job.pk])).content.decode()
    return re.sub(r"\s+", " ", page)


def resources(page: str) -> str:
    return page.partition('data-workerd-live="resources">')[2].partition("</section>")[0]


def test_a_slots_figures_are_drawn_with_their_limits(superuser: Client, job: Job, node: Node) -> None:
    add_slot(job, node, growing(begin=30.0))
    text = resources(job_page(superuser, job))

    assert text.count('<svg class="workerd-plot') == 3
    for words in ("limit 64 MiB", "Memory of feed, the last 15 minutes: from 30 MiB to 36 MiB", "its limit is 30 s"):
        assert words in text
    assert text.count('class="workerd-limit"') == 1, "thirty seconds are too far above two to be drawn"


def test_the_figures_are_a_table_too(superuser: Client, job: Job, node: Node) -> None:
    add_slot(job, node, growing(4, begin=30.0))
    rows = re.findall(r'<tr><th scope="row">[\d:]+</th>(.*?)</tr>', resources(job_page(superuser, job)))

    assert len(rows) == 4
    assert re.findall(r"<td>(.*?)</td>", rows[-1]) == ["30 MiB", "5.0 %", "2 s", "12", "3"]


def test_what_was_not_measured_is_never_0_mib(superuser: Client, job: Job, node: Node) -> None:
    now = int(time.time())
    add_slot(job, node, [Sample(now - 20), Sample(now - 10)], memory=None)
    ended = {"born": timezone.now(), "ended": timezone.now(), "outcome": "over_memory"}
    Run.objects.create(job=job, job_name="feed", slot="feed", **ended)
    pages = [reverse("admin:workerd_job_changelist"), reverse("admin:workerd_job_page", args=[job.pk])]
    pages += [reverse("admin:workerd_run_change", args=[run.pk]) for run in Run.objects.all()]
    texts = [superuser.get(page).content.decode() for page in pages]

    assert not [text for text in texts if re.search(r"\b0(\.0)? (of \d+ )?MiB|\b0(\.0)? %<", text)]
    assert "not measured" in texts[1]


def test_next_to_nothing_is_not_0_mib_either(superuser: Client, job: Job, node: Node) -> None:
    now = int(time.time())
    add_slot(job, node, [Sample(now - 20, 40, 0.0), Sample(now - 10, 90, 0.0)], memory=0.1)

    text = job_page(superuser, job)
    assert "&lt; 1 of 64 MiB" in text
    assert "&lt; 1 MiB" in resources(text)


def test_growth_that_will_meet_the_limit_is_said(superuser: Client, job: Job, node: Node) -> None:
    add_slot(job, node, growing(360, by=0.02, begin=30.0))

    page = job_page(superuser, job)
    assert "Its memory grows: 37 MiB now, and at this rate it meets its limit in 3 h." in page
    listed = superuser.get(reverse("admin:workerd_job_changelist")).content.decode()
    assert "at this rate it meets its limit in 3 h" in listed


@pytest.mark.parametrize("fields", [{"state": "STOPPED"}, {"samples": None, "recent_memory": None}])
def test_what_does_not_run_does_not_grow(superuser: Client, job: Job, node: Node, fields: dict[str, Any]) -> None:
    add_slot(job, node, growing(360, by=0.02, begin=30.0), **fields)

    assert "at this rate" not in job_page(superuser, job)
    assert "at this rate" not in superuser.get(reverse("admin:workerd_job_changelist")).content.decode()


def test_a_job_without_a_limit_meets_none(superuser: Client, job: Job, node: Node) -> None:
    Job.objects.update(max_memory=None)
    add_slot(job, node, growing(360, by=0.02))

    assert "at this rate" not in job_page(superuser, job)


@pytest.mark.parametrize("text", ["", "x", "é" * 100, "A" * 30_000, "\N{SNOWMAN}"], ids=range(5))
def test_what_somebody_wrote_into_the_column_breaks_no_page(superuser: Client, job: Job, node: Node, text: str) -> None:
    slot = add_slot(job, node, [], samples=text, recent_memory=text[:300])
    run = Run.objects.create(job=job, job_name="feed", slot="feed", born=timezone.now(), samples=text)
    pages = [reverse("admin:workerd_job_changelist"), reverse("admin:workerd_job_page", args=[job.pk])]
    pages += [reverse("admin:workerd_run_change", args=[run.pk]), reverse("admin:workerd_slot_change", args=[slot.pk])]

    assert {page: code for page in pages if (code := superuser.get(page).status_code) != 200} == {}
    assert "Nothing was measured in the last day." in job_page(superuser, job)


def test_a_name_of_html_is_text(superuser: Client, job: Job, node: Node) -> None:
    add_slot(job, node, growing(5), name="<script>alert(1)</script>")

    assert "<script>alert" not in job_page(superuser, job)


def test_a_run_shows_what_it_used_until_its_end(superuser: Client, job: Job) -> None:
    samples = growing(100, begin=20.0, by=0.45)
    ended = timezone.now()
    run = Run.objects.create(
        job=job, job_name="feed", slot="feed", born=ended, ended=ended, outcome="over_memory", samples=run_text(samples)
    )
    text = superuser.get(reverse("admin:workerd_run_change", args=[run.pk])).content.decode()

    assert "What it used until its end" in text
    assert "Memory of feed, the run: from 20 MiB to 65 MiB" in text
    assert 'class="workerd-limit"' in text


def test_a_run_without_samples_has_no_such_section(superuser: Client, job: Job) -> None:
    run = Run.objects.create(job=job, job_name="feed", slot="feed", born=timezone.now())

    assert "What it used" not in superuser.get(reverse("admin:workerd_run_change", args=[run.pk])).content.decode()


def test_of_many_slots_those_with_most_memory_are_drawn(superuser: Client, job: Job, node: Node) -> None:
    for index in range(9):
        add_slot(job, node, growing(5), index, name=f"feed:{index}", memory=float(index))
    text = resources(job_page(superuser, job))

    assert re.findall(r"<h3>(.*?)</h3>", text) == ["feed:5", "feed:6", "feed:7", "feed:8"]
    assert "Only the 4 slots with the most memory are drawn." in text


def test_the_list_has_a_small_curve(superuser: Client, job: Job, node: Node) -> None:
    add_slot(job, node, growing(360, by=0.0))
    text = superuser.get(reverse("admin:workerd_job_changelist")).content.decode()

    assert 'class="workerd-spark"' in text
    assert re.search(r"memory in the last (59 min|1 h): from 10 MiB to 10 MiB, at most 10 MiB", text)


def test_a_page_that_has_not_changed_is_not_sent_again(superuser: Client, job: Job, node: Node) -> None:
    add_slot(job, node, growing(100))
    url = reverse("admin:workerd_job_page_live", args=[job.pk])
    etags = {superuser.get(url).headers["ETag"] for _ in range(3)}

    assert len(etags) <= 2, "it changes with each half minute, and not with each look"


# the rules


def test_a_line_that_rises_meets_its_limit_when_it_gets_there() -> None:
    points = [(float(at), 10 + at * 0.01) for at in range(0, 3600, 10)]

    assert seconds_to_limit(points, 64) == pytest.approx((64 - points[-1][1]) / 0.01)


@pytest.mark.parametrize(
    "points",
    [
        [(float(at), 30.0) for at in range(0, 3600, 10)],
        [(float(at), 30.0 + (at % 70) / 10) for at in range(0, 3600, 10)],
        [(float(at), 60.0 - at * 0.001) for at in range(0, 3600, 10)],
        [(float(at), 10 + at * 0.01) for at in range(0, 50, 10)],
        [(float(at), 10 + at * 0.0001) for at in range(0, 3600, 10)],
        [],
    ],
    ids=["flat", "a saw", "falling", "too few", "slower than a day", "none"],
)
def test_what_does_not_grow_towards_it_meets_no_limit(points: list[tuple[float, float]]) -> None:
    assert seconds_to_limit(points, 64) is None


def test_a_trend_is_followed_twelve_times_as_far_as_it_was_seen() -> None:
    points = [(float(at), 10 + at * 0.001) for at in range(0, 600, 10)]

    assert seconds_to_limit(points, 10 + 0.590 + 7.0) == pytest.approx(7010, abs=20)
    assert seconds_to_limit(points, 10 + 0.590 + 7.3) is None


def test_the_process_before_says_nothing_of_this_one() -> None:
    assert since_last_fall([(0, 60), (1, 61), (2, 10), (3, 11), (4, 12)]) == [(2, 10), (3, 11), (4, 12)]
    assert since_last_fall([(0, 10), (1, 9)]) == [(0, 10), (1, 9)]


def test_a_curve_breaks_where_nothing_was_measured_and_at_another_process() -> None:
    samples = [Sample(at, 5) for at in (0, 10, 20)] + [
        Sample(30),
        Sample(40, 5),
        Sample(50, 5, is_first=True),
        Sample(200, 5),
    ]
    drawn = plot(samples, lambda one: one.memory, Window(0, 300, ""))

    assert drawn.path.count("M") == 4
    assert drawn.path.count("L") == 2


def test_a_limit_far_above_is_not_drawn_as_it_would_press_the_curve_flat() -> None:
    samples = [Sample(at, 5) for at in range(0, 300, 10)]

    assert plot(samples, lambda one: one.memory, Window(0, 300, ""), 1000.0).limit_y is None
    near = plot(samples, lambda one: one.memory, Window(0, 300, ""), 6.0)
    assert near.limit_y is not None
    assert 0 < near.limit_y < 50
