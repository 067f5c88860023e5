"""The board: what is wrong comes first and in words, what is well is folded, and each user reads what he may."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import include, path, reverse

from workerd.admin import JobAdmin
from workerd.admin.board.hours import forget
from workerd.admin.board.matrix import MOST_COLUMNS, MOST_WHOLE
from workerd.admin.board.troubles import OFTEN
from workerd.models import Job, Node, Run, Slot
from workerd.models.clock import read_now

from .admin_roles import EVERYBODY, client_of
from .fleet_rows import add_fleet_job, seat
from .fleet_rows import add_node as add_row
from .test_admin_live import INLINE

pytestmark = [pytest.mark.django_db, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]

BOARD, LIVE = "admin:workerd_job_board", "admin:workerd_job_board_live"
MOST_QUERIES = 12


@pytest.fixture(autouse=True)
def count_anew() -> Iterator[None]:
    """What was kept of another test's database is no one's."""
    forget()
    yield
    forget()


@pytest.fixture
def viewer() -> Client:
    return client_of("viewer")


def add_node(name: str, *, silent_s: float = -600, **values: Any) -> Node:
    """Make the row of a node; one that reports does so until the test has ended, however slow the machine is."""
    return add_row(name, silent_s=silent_s, **values)


def add_job(name: str = "feed", **values: Any) -> Job:
    return Job.objects.create(**{"name": name, "target": "shop.jobs.price_feed", **values})


def add_slot(job: Job, node: Node, index: int = 0, **values: Any) -> Slot:
    name = job.name if job.processes == 1 else f"{job.name}:{index}"
    given = {"state": "RUNNING", "since": read_now("default") - timedelta(minutes=5), **values}
    return Slot.objects.create(job=job, job_name=job.name, node=node, index=index, name=name, **given)


def since(number: int) -> datetime:
    return read_now("default") - timedelta(hours=1) + timedelta(minutes=number)


def add_end(job: Job, outcome: str, hours_ago: float = 0.0) -> Run:
    ended = read_now("default") - timedelta(hours=hours_ago, seconds=1)
    return Run.objects.create(
        job=job, job_name=job.name, slot=job.name, born=ended - timedelta(minutes=1), ended=ended, outcome=outcome
    )


def pieces(client: Client, url: str = "") -> dict[str, str]:
    response = client.get(url or reverse(LIVE))
    assert response.status_code == 200
    return dict(json.loads(response.content)["pieces"])


def words_in(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def rows_of(matrix: str) -> list[str]:
    """Return the names of the jobs that have a row."""
    return [words_in(row) for row in re.findall(r'<th scope="row">(.*?)</th>', matrix)]


# the headline


def test_where_nothing_is_wrong_it_says_so(viewer: Client) -> None:
    job, node = add_job(), add_node("a")
    add_slot(job, node)

    shown = pieces(viewer)

    assert "All is well" in shown["headline"]
    assert "workerd-good" in shown["headline"]
    assert "1 of 1 nodes report · 1 job · 1 process runs" in words_in(shown["figures"])
    assert words_in(shown["troubles"]) == "Nothing."


@pytest.mark.parametrize(
    ("silent_s", "words"), [(None, "No daemon has ever reported"), (60, "No daemon reports")], ids=["never", "silent"]
)
def test_without_a_daemon_nothing_is_well(viewer: Client, silent_s: float | None, words: str) -> None:
    job = add_job()
    if silent_s is not None:
        add_slot(job, add_node("a", silent_s=silent_s))

    shown = pieces(viewer)

    assert words in shown["headline"]
    assert "workerd-bad" in shown["headline"]


def test_the_worst_comes_first_and_each_says_where_since_when_and_why(viewer: Client) -> None:
    one, other, gone = add_node("a"), add_node("b"), add_node("c", silent_s=90)
    for name, state in (("late", "BACKOFF"), ("given-up", "PARKED"), ("held", "STOPPED"), ("fine", "RUNNING")):
        job = add_job(name, significant=name == "given-up")
        for node in (one, other, gone):
            add_slot(job, node, state=state, public_reason=f"why {name}", reason="not for you")

    shown = pieces(viewer)
    entries = [words_in(entry) for entry in re.findall(r"<li.*?</li>", shown["troubles"], re.DOTALL)]

    assert [entry.partition(" for ")[0] for entry in entries] == [
        "silent c@rack",
        "parked given-up on a@rack, b@rack",
        "backing off late on a@rack, b@rack",
        "stopped by an operator held on a@rack, b@rack",
    ]
    assert "4 slots are not known" in entries[0]
    assert "why given-up" in entries[1]
    assert shown["troubles"].count("<time ") == 4
    assert "In trouble: 1 node, 2 jobs" in shown["headline"]
    assert "1 job stopped by an operator" in words_in(shown["figures"])
    assert rows_of(shown["matrix"]) == ["given-up", "late", "held", "fine"]


def test_of_many_slots_in_one_state_there_is_one_entry(viewer: Client) -> None:
    job = add_job(processes=4)
    for number in range(8):
        node = add_node(f"n{number}")
        for index in range(4):
            add_slot(job, node, index, state="PARKED")

    shown = pieces(viewer)["troubles"]

    assert shown.count("<li") == 1
    assert "feed:0, feed:1, feed:2 and 1 more on n0@rack, n1@rack, n2@rack and 5 more" in words_in(shown)


# kinds of trouble


def test_a_halted_reload_is_trouble(viewer: Client) -> None:
    add_node("a", halt="KeyError: secret", public_halt="the new code failed")

    shown = pieces(viewer)

    assert "reload halted a@rack the new code failed" in words_in(shown["troubles"])
    assert "reload halted" in shown["nodes"]


def test_a_row_that_cannot_run_says_why_once(viewer: Client) -> None:
    job = add_job(problem="shop.gone: boom", public_problem="“shop.gone” does not import.")
    add_slot(job, add_node("a"), state="PARKED", reason="cannot run")

    shown = pieces(viewer)["troubles"]

    assert "cannot run feed on rack for" in words_in(shown)
    assert "“shop.gone” does not import." in shown
    assert shown.count("<li") == 1


@pytest.mark.parametrize("outcome", ["error", "missed"])
def test_the_last_time_of_a_schedule_counts_until_the_next_one_is_well(viewer: Client, outcome: str) -> None:
    job = add_job(schedule="@daily", restart="never")
    add_slot(job, add_node("a"), state="WAITING", reason="its time: 02:30", public_reason="its time: 02:30")
    add_end(job, "finished", 5)
    add_end(job, outcome, 3)

    assert "last time:" in pieces(viewer)["troubles"]

    add_end(job, "finished", 1)

    assert "All is well" in pieces(viewer)["headline"]


def test_a_job_that_runs_now_but_fails_again_and_again_is_trouble(viewer: Client) -> None:
    job = add_job()
    add_slot(job, add_node("a"))
    for number in range(OFTEN):
        assert "All is well" in pieces(viewer)["headline"], number
        add_end(job, "crashed")

    assert "fails again and again" in pieces(viewer)["troubles"]


def test_a_seat_that_no_node_may_take_is_trouble_and_one_that_is_just_free_waits(viewer: Client) -> None:
    node = add_node("a", labels={"zone": "a"})
    add_fleet_job("nobodys", where="zone=b")
    add_fleet_job("soon")
    seat(add_fleet_job("held"), 0, node)

    shown = pieces(viewer)

    assert "In trouble: 1 job" in shown["headline"]
    assert "no node has it nobodys no node may run it" in words_in(shown["troubles"])
    assert "no node has it soon a node that may run it takes it within seconds" in words_in(shown["troubles"])
    assert "held" not in words_in(shown["troubles"])


def test_a_seat_whose_node_is_silent_is_trouble(viewer: Client) -> None:
    add_node("a")
    seat(add_fleet_job(), 0, add_node("b", silent_s=60))

    assert "its node is silent feed" in words_in(pieces(viewer)["troubles"])


def test_a_job_for_which_no_node_has_the_labels_is_trouble(viewer: Client) -> None:
    add_node("a")
    add_job(where="zone=b")

    shown = pieces(viewer)["troubles"]

    assert "No node that reports has the labels “zone=b”." in shown
    assert "no node has it feed" in words_in(shown)


def test_what_is_so_on_purpose_is_no_trouble(viewer: Client) -> None:
    node = add_node("a", draining=True)
    add_slot(add_job("off", enabled=False), node, state="STOPPED")
    add_slot(add_job("done", restart="never"), node, state="DONE")
    add_slot(add_job("sleeps", schedule="@daily", restart="never"), node, state="WAITING")
    add_job("none", processes=0)
    ended = add_node("b", key=node.life, life=None)

    shown = pieces(viewer)

    assert "All is well" in shown["headline"]
    assert "1 job is off · 1 node drains" in words_in(shown["figures"])
    assert "draining" in shown["nodes"]
    assert str(ended) not in shown["nodes"] + shown["matrix"], "who has ended in order is not missed"


# the matrix


def test_every_cell_has_words_and_every_heading_its_scope(viewer: Client) -> None:
    job, node, other, gone = add_job(processes=3), add_node("a"), add_node("b"), add_node("c", silent_s=60)
    for index, state in enumerate(("RUNNING", "PARKED", "RUNNING")):
        add_slot(job, node, index, state=state)
        add_slot(job, gone, index)

    shown = pieces(viewer)["matrix"]
    cells = re.findall(r'<td class="workerd-cell.*?</td>', shown)

    assert [words_in(cell) for cell in cells] == ["1 parked, 2 running 1", "none", "not known"]
    assert f'title="{other}: none"' in cells[1]
    assert re.search(r"<th(?! scope=)[ >]", shown) is None
    assert "2 of 3 running" in shown


def test_of_many_jobs_those_without_trouble_are_folded(viewer: Client) -> None:
    node = add_node("a")
    for number in range(MOST_WHOLE + 10):
        add_slot(
            add_job(f"job-{number:02}"), node, state="PARKED" if number in (3, 30) else "RUNNING", since=since(number)
        )

    shown = pieces(viewer)["matrix"]

    assert rows_of(shown) == ["job-30", "job-03"], "the newest first"
    assert f"{MOST_WHOLE + 8} jobs without trouble" in shown
    assert shown.count('<span class="workerd-folded-words">1 of 1 running</span>') == MOST_WHOLE + 8


def test_of_many_nodes_those_with_trouble_have_a_column(viewer: Client) -> None:
    job = add_job()
    for number in range(MOST_COLUMNS + 5):
        state = "PARKED" if number in (0, MOST_COLUMNS + 4) else "RUNNING"
        add_slot(job, add_node(f"n{number:03}"), state=state)

    shown = pieces(viewer)

    assert shown["matrix"].count('<th scope="col" class="workerd-column">') == MOST_COLUMNS
    assert f"n{MOST_COLUMNS + 4:03}@rack" in shown["matrix"]
    assert "5 nodes have no column here." in shown["matrix"]
    assert shown["nodes"].count("<li") == MOST_COLUMNS + 5


def test_the_day_of_each_job_is_drawn_and_told(viewer: Client) -> None:
    job, node = add_job(), add_node("a")
    add_slot(job, node)
    for outcome, hours in (("recycled", 3), ("recycled", 3), ("error", 7), ("stopped", 1)):
        add_end(job, outcome, hours)

    shown = pieces(viewer)

    assert 'aria-label="3 restarts, 1 failure in the last 24 hours"' in shown["matrix"]
    assert "3 runs ended, 1 failed" in shown["day"]
    (ends,) = re.findall(r'workerd-hours-ends" d="([^"]*)"', shown["matrix"])
    (failures,) = re.findall(r'workerd-hours-failures" d="([^"]*)"', shown["matrix"])
    assert (ends.count("M"), failures.count("M")) == (2, 1)


def test_words_of_a_newer_daemon_are_shown_as_they_are(viewer: Client) -> None:
    add_slot(add_job(), add_node("a"), state="SEATED")

    assert "SEATED" in pieces(viewer)["matrix"]


# who reads what


def test_words_of_jobs_are_for_those_who_may_view_output() -> None:
    job, node = add_job("<b>", problem=""), add_node("a")
    add_slot(job, node, state="PARKED", reason="ValueError: <i>secret</i>", public_reason="5 failures")
    other = add_job("nightly", schedule="@daily", restart="never")
    reason = "its time: 02:30; the last run: "
    add_slot(other, node, state="WAITING", reason=f"{reason}no vat", public_reason=f"{reason}exit code 1")
    add_end(other, "error")

    for role in ("viewer", "operator"):
        shown = "".join(pieces(client_of(role)).values())
        assert "secret" not in shown
        assert "no vat" not in shown
        assert "5 failures" in shown
        assert "exit code 1" in shown
    shown = "".join(pieces(client_of("reader")).values())
    assert "ValueError: &lt;i&gt;secret&lt;/i&gt;" in shown
    assert "no vat" in shown


@pytest.mark.parametrize("url", [BOARD, LIVE])
def test_markup_in_names_and_reasons_is_text(url: str) -> None:
    """JSON has its own escapes, so the answers are compared as what a page would show."""
    node = add_node("<script>n</script>", host='"><img src=x>', halt="<script>h</script>")
    gone = add_node("<script>g</script>", silent_s=60)
    job = add_job('<script>j</script>"', problem="<script>p</script>", where="x=<script>w</script>")
    add_slot(job, node, state="PARKED", reason="<script>r</script>")
    add_slot(add_job("a'\"><script>x</script>"), gone)
    client = client_of("superuser")

    response = client.get(reverse(url)).content.decode()
    shown = "".join(pieces(client).values()) if url == LIVE else response

    assert "&lt;script&gt;j" in shown
    for letter in "nhgjpwrx":
        assert f"<script>{letter}" not in shown
    assert "<img" not in shown


def test_a_user_who_may_not_view_nodes_gets_no_link_to_them() -> None:
    add_slot(add_job(), add_node("a"))
    client = client_of("staff")
    User.objects.get(username="staff").user_permissions.set(Permission.objects.filter(codename="view_job"))

    shown = pieces(client)

    assert "/node/" not in "".join(shown.values())
    assert "rack" in shown["nodes"]
    assert f"/job/{Job.objects.get().pk}/page/" in shown["matrix"]


# the page


def test_nothing_new_is_304_and_anything_new_is_not(viewer: Client) -> None:
    slot = add_slot(add_job(), add_node("a"))
    etag = viewer.get(reverse(LIVE))["ETag"]

    assert viewer.get(reverse(LIVE), headers={"If-None-Match": etag}).status_code == 304

    Slot.objects.filter(pk=slot.pk).update(state="PARKED")
    assert viewer.get(reverse(LIVE), headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("query", ["", "?wall"])
def test_the_page_has_each_piece_of_its_refresh_and_needs_nothing_inline(viewer: Client, query: str) -> None:
    add_slot(add_job(), add_node("a"), state="PARKED")

    page = viewer.get(reverse(BOARD) + query).content.decode()

    assert set(re.findall(r'data-workerd-live="(\w+)"', page)) == set(pieces(viewer))
    assert INLINE.search(page) is None
    assert page.count("<h1") == 1
    assert ("site-name" in page) == (not query)


def test_it_takes_few_queries_whatever_the_size_of_the_fleet(viewer: Client) -> None:
    counts = []
    for number in range(3):
        nodes = [add_node(f"n{number}-{one}") for one in range(4)]
        for one in range(6):
            job = add_job(f"job-{number}-{one}", **({"schedule": "@daily", "restart": "never"} if one == 0 else {}))
            for node in nodes:
                add_slot(job, node, state="PARKED" if one == 1 else "RUNNING")
            add_end(job, "error", one)
        seat(add_fleet_job(f"fleet-{number}"), 0, nodes[0])
        forget()
        with CaptureQueriesContext(connection) as captured:
            assert viewer.get(reverse(LIVE)).status_code == 200
        counts.append(len(captured))
        assert counts[-1] <= MOST_QUERIES, [query["sql"] for query in captured.captured_queries]

    assert len(set(counts)) == 1


@pytest.mark.parametrize("name", ["job_changelist", "node_changelist"])
def test_pages_of_the_admin_lead_to_it(viewer: Client, name: str) -> None:
    assert f'href="{reverse(BOARD)}"' in viewer.get(reverse(f"admin:workerd_{name}")).content.decode()


def test_the_page_of_a_job_leads_to_it(viewer: Client) -> None:
    page = viewer.get(reverse("admin:workerd_job_page", args=[add_job().pk])).content.decode()

    assert f'href="{reverse(BOARD)}"' in page


# in a project's own URLconf

OWN = path("fleet/", include("workerd.urls"))


@pytest.fixture
def mounted(settings: Any) -> None:
    settings.ROOT_URLCONF = (path("admin/", admin.site.urls), OWN)


@pytest.mark.usefixtures("mounted")
@pytest.mark.parametrize("role", EVERYBODY)
@pytest.mark.parametrize("url", ["/fleet/", "/fleet/live/"])
def test_the_mounted_board_is_for_those_who_may_see_jobs_in_the_admin(role: str, url: str) -> None:
    add_slot(add_job(), add_node("a"))

    response = client_of(role).get(url)

    if role in ("anonymous", "customer"):
        assert response.status_code == 302
        assert response["Location"] == f"/admin/login/?next={url}"
    else:
        assert response.status_code == (403 if role == "staff" else 200)


@pytest.mark.usefixtures("mounted")
def test_the_mounted_board_stays_fresh_by_its_own_address_and_leads_to_the_admin(viewer: Client) -> None:
    job = add_job()
    add_slot(job, add_node("a"))

    page = viewer.get("/fleet/").content.decode()

    assert "/fleet/live/" in page
    assert f"/admin/workerd/job/{job.pk}/page/" in page
    assert "breadcrumbs" not in page
    assert pieces(viewer, "/fleet/live/") == pieces(viewer, reverse(LIVE))
    assert viewer.post("/fleet/").status_code in (403, 405)


def test_without_an_admin_it_is_for_staff_who_may_view_jobs(settings: Any) -> None:
    settings.ROOT_URLCONF, settings.LOGIN_URL = (OWN,), "/enter/"
    add_slot(add_job(), add_node("a"), state="PARKED")

    assert client_of("anonymous").get("/fleet/")["Location"] == "/enter/?next=/fleet/"
    assert client_of("customer").get("/fleet/")["Location"] == "/enter/?next=/fleet/"
    assert client_of("staff").get("/fleet/").status_code == 403
    page = client_of("viewer").get("/fleet/").content.decode()
    assert "parked" in page
    assert "/job/" not in page.replace("/fleet/live/", "")


class StrictSite(admin.AdminSite):
    """Lets in the one who is called so, as a site does that asks for a second factor."""

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and request.user.get_username() == "reader"


def test_the_rules_of_the_site_that_the_project_serves_are_the_boards(settings: Any) -> None:
    site = StrictSite(name="ops")
    site.register(Job, JobAdmin)
    settings.ROOT_URLCONF = (path("ops/", site.urls), OWN)
    add_slot(add_job(), add_node("a"))

    refused = client_of("viewer").get("/fleet/")
    shown = client_of("reader").get("/fleet/")
    own = client_of("superuser").get("/ops/workerd/job/board/")

    assert refused["Location"] == "/ops/login/?next=/fleet/"
    assert shown.status_code == 200
    assert "/ops/workerd/job/" in shown.content.decode()
    assert "/node/" not in shown.content.decode(), "that site has none"
    assert own.status_code == 302
