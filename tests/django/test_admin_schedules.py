"""Schedules in the admin: the form says what a text means, the pages what rests, what is due, and what was missed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from workerd.admin.jobs.schedule_words import put_into_words
from workerd.models import Job, Node, Operation, Run, Slot
from workerd.wire.words import LAST_RUN

from .admin_form import JOB_FORM
from .admin_roles import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.backends("sqlite", "postgres-psycopg2", "mysql-pymysql")]
FORM_ALONE = pytest.mark.backends("any")

LIST, LIVE = "admin:workerd_job_changelist", "admin:workerd_job_live"
SCHEDULED: dict[str, Any] = {
    **JOB_FORM,
    "schedule": "30 2 * * *",
    "time_zone": "Europe/Berlin",
    "restart": "on_failure",
}
MARCH = datetime(2026, 3, 27, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def superuser() -> Client:
    return client_of("superuser")


@pytest.fixture
def job() -> Job:
    return Job.objects.create(
        name="nightly",
        target="shop.jobs.price_feed",
        schedule="30 2 * * *",
        time_zone="Europe/Berlin",
        restart="on_failure",
    )


@pytest.fixture
def node() -> Node:
    return Node.objects.create(name="shop", host="web1", generation=3, pulse=timezone.now())


def add_slot(job: Job, node: Node, index: int = 0, **fields: Any) -> Slot:
    now = timezone.now()
    values = {"state": "WAITING", "since": now, "next_start": now + timedelta(hours=3, minutes=5), **fields}
    return Slot.objects.create(job=job, job_name=job.name, node=node, index=index, name=job.name, **values)


def add_run(job: Job, node: Node, days_ago: float, outcome: str = "finished", **fields: Any) -> Run:
    due = timezone.now() - timedelta(days=days_ago)
    born = due if outcome == "missed" else due + timedelta(seconds=0.25)
    times: dict[str, Any] = {"due": due, "born": born, "trigger": "schedule", "pid": 4711}
    if outcome:
        times["ended"] = born if outcome == "missed" else born + timedelta(minutes=1)
    if outcome == "missed":
        times |= {"pid": None, "missed": 1}
    place: dict[str, Any] = {"job": job, "job_name": job.name, "slot": job.name, "node": node, "node_name": "shop@web1"}
    return Run.objects.create(**place, **{**times, "outcome": outcome, **fields})


def errors_of(client: Client, **fields: Any) -> dict[str, list[str]]:
    """Return what the form for a new job complains of; {} where it is saved."""
    response = client.post(reverse("admin:workerd_job_add"), {**SCHEDULED, **fields})
    return {} if response.status_code == 302 else dict(response.context["adminform"].form.errors)


def pieces(client: Client, url: str = "") -> Any:
    response = client.get(url or reverse(LIVE))
    assert response.status_code == 200
    return json.loads(response.content)


def page_of(client: Client, job: Job, name: str = "page") -> str:
    return client.get(reverse(f"admin:workerd_job_{name}", args=[job.pk])).content.decode()


def words_of(client: Client, schedule: str, time_zone: str = "") -> str:
    response = client.get(reverse("admin:workerd_job_schedule"), {"schedule": schedule, "time_zone": time_zone})
    assert response.status_code == 200
    return response.content.decode()


# the form


@FORM_ALONE
def test_a_schedule_is_saved_with_its_durations_and_leads_to_its_page(superuser: Client) -> None:
    fields = {"start_within": "5 min", "spread": "90s", "overlap": "queue", "max_age": "1 h"}
    response = superuser.post(reverse("admin:workerd_job_add"), {**SCHEDULED, **fields}, follow=True)

    job = Job.objects.get()
    assert (job.schedule, job.time_zone, job.overlap) == ("30 2 * * *", "Europe/Berlin", "queue")
    assert (job.start_within, job.spread, job.max_age) == (300.0, 90.0, 3600.0)
    assert response.redirect_chain[-1][0] == reverse("admin:workerd_job_page", args=[job.pk])


@FORM_ALONE
def test_an_emptied_field_of_a_schedule_is_its_default(superuser: Client) -> None:
    empty = dict.fromkeys(("schedule", "time_zone", "start_within", "overlap", "spread"), "")

    assert errors_of(superuser, **empty, restart="always") == {}

    job = Job.objects.get()
    assert (job.schedule, job.time_zone, job.start_within, job.overlap, job.spread) == ("", "", 600.0, "skip", 0.0)


@FORM_ALONE
@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("schedule", "0 30 2 * * *", "five"),
        ("schedule", "6-6/1 * * * *", "6-59/1"),
        ("schedule", "@reboot", "@reboot"),
        ("schedule", "0 0 31 2 *", "is never due"),
        ("schedule", "every 0 s", "too often"),
        ("schedule", "at 2020-12-24 18:00", "is past: write a moment to come"),
        ("time_zone", "Europe/Atlantis", "is no time zone of this machine"),
        ("restart", "always", "choose “on_failure”"),
        ("start_within", "soon", "is not a duration"),
        ("spread", "-1 s", "is not a duration"),
        ("overlap", "allow", "choose one of skip, queue, replace"),
    ],
)
def test_a_fault_stands_beside_its_field_with_what_to_write(
    superuser: Client, field: str, value: str, words: str
) -> None:
    """Of bad input none is saved."""
    errors = errors_of(superuser, **{field: value})

    assert list(errors) == [field]
    assert len(errors[field]) == 1
    assert words in errors[field][0]
    assert not Job.objects.exists()


@FORM_ALONE
def test_a_moment_that_has_passed_is_refused_only_where_the_schedule_was_edited(superuser: Client) -> None:
    """Case 53, and 54: what ran once stays, and its notes may be edited."""
    job = Job.objects.create(
        name="once", target="shop.jobs.price_feed", schedule="at 2020-12-24 18:00", time_zone="UTC", restart="never"
    )
    form = {**SCHEDULED, "name": "once", "target": job.target, "schedule": job.schedule, "time_zone": "UTC"}
    form |= {"restart": "never", "notes": "it has run"}
    url = reverse("admin:workerd_job_change", args=[job.pk])

    assert superuser.post(url, form).status_code == 302
    assert Job.objects.get().notes == "it has run"
    for edit in ({"schedule": "at 2021-12-24 18:00"}, {"time_zone": "Europe/Berlin"}, {"_saveasnew": "1", "name": "b"}):
        response = superuser.post(url, {**form, **edit})
        assert "is past" in str(response.context["adminform"].form.errors["schedule"]), edit
    assert superuser.post(url, {**form, "schedule": "at 2199-12-24 18:00"}).status_code == 302


@FORM_ALONE
def test_a_row_of_an_earlier_release_shows_the_defaults_and_stays_as_it_was(superuser: Client) -> None:
    nothing: dict[str, Any] = dict.fromkeys(("schedule", "time_zone", "start_within", "overlap", "spread"))
    job = Job.objects.create(name="old", target="shop.jobs.ship_orders", **nothing)
    url = reverse("admin:workerd_job_change", args=[job.pk])

    page = superuser.get(url).content.decode()
    assert 'value="10 min"' in page
    assert page_of(superuser, job)
    assert superuser.post(url, {**JOB_FORM, "name": "old"}).status_code == 302

    assert Job.objects.get().to_spec() == job.to_spec()


@FORM_ALONE
def test_the_longest_life_of_a_scheduled_row_is_its_longest_run(superuser: Client, job: Job) -> None:
    always = Job.objects.create(name="always", target="shop.jobs.price_feed")

    assert "give or take a tenth" in page_of(superuser, always, "change")
    page = page_of(superuser, job, "change")
    assert "give or take a tenth" not in page
    assert "Longest run:" in page
    assert "exact to the second" in page


@FORM_ALONE
def test_the_form_says_what_the_stored_schedule_means_also_without_scripts(superuser: Client, job: Job) -> None:
    page = page_of(superuser, job, "change")

    assert "At 02:30 every day" in page
    assert page.split('class="workerd-times"')[1].split("</ol>")[0].count("<li>") == 5
    assert '<option value="Europe/Berlin"></option>' in page


@FORM_ALONE
def test_one_who_may_only_look_sees_the_durations_of_a_schedule_as_people_write_them(job: Job) -> None:
    Job.objects.update(start_within=5400.0)

    page = page_of(client_of("viewer"), job, "change")

    assert "1 h 30 min" in page
    assert "5400" not in page


# what a text means, as one types


@FORM_ALONE
@pytest.mark.parametrize(
    ("spread", "words"),
    [("10 min", "later by a fixed part of 10 min"), ("600", "10 min"), ("0", ""), ("", ""), ("soon", "")],
)
def test_the_times_say_that_a_spread_makes_each_start_later(superuser: Client, spread: str, words: str) -> None:
    """Case 73: what is shown is what runs."""
    query = {"schedule": "30 2 * * *", "time_zone": "UTC", "spread": spread}
    shown = superuser.get(reverse("admin:workerd_job_schedule"), query).content.decode()

    assert words in shown
    assert ("spread" in shown) == bool(words)


@FORM_ALONE
def test_the_form_says_what_the_rows_spread_does(superuser: Client) -> None:
    job = Job.objects.create(
        name="mail", target="shop.jobs.ship_orders", schedule="@daily", restart="never", spread=600.0
    )

    page = superuser.get(reverse("admin:workerd_job_change", args=[job.pk])).content.decode()

    assert "Each start is later by a fixed part of 10 min" in page


@FORM_ALONE
def test_the_next_times_mark_a_change_of_the_clocks() -> None:
    """Case 1; what is shown is what runs (case 73), as the daemon asks the same functions."""
    about = put_into_words("30 2 * * *", "Europe/Berlin", MARCH)

    assert about.words == "At 02:30 every day"
    assert [due.local for due in about.times[:3]] == ["Sat 28 Mar 02:30", "Sun 29 Mar 03:00", "Mon 30 Mar 02:30"]
    assert about.times[1].remark == "02:30 does not exist on 29 March: the clocks go forward"
    assert about.change is None

    later = put_into_words("30 2 * * *", "Europe/Berlin", MARCH + 5 * 86_400)
    assert later.change is not None
    assert later.change.local == "Sun 25 Oct 02:30"
    assert "the first of two 02:30" in later.change.remark


@FORM_ALONE
@pytest.mark.parametrize(
    ("schedule", "time_zone", "words"),
    [
        ("30 2 * * *", "Europe/Berlin", "At 02:30 every day"),
        ("  @daily ", "", "(UTC)"),
        ("every 15 min", "", "Every 15 minutes"),
        ("0 30 2 * * *", "", "five"),
        ("30 2 * * *", "Europe/Atlantis", "is no time zone of this machine"),
        ("at 2020-01-01 00:00", "", "is past"),
        ("x" * 5000, "", "more than 200"),
        ("nul\0", "", "null character"),
        ("<b>", "", "&lt;b&gt;"),
    ],
)
def test_a_text_is_put_into_words_as_one_types(superuser: Client, schedule: str, time_zone: str, words: str) -> None:
    assert words in words_of(superuser, schedule, time_zone)


@FORM_ALONE
def test_an_empty_text_means_nothing(superuser: Client) -> None:
    assert words_of(superuser, " ").strip() == ""


@FORM_ALONE
def test_the_zone_that_is_meant_is_the_projects(superuser: Client, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"

    assert "(Asia/Kolkata)" in words_of(superuser, "@daily")


@FORM_ALONE
@pytest.mark.parametrize(("role", "status"), [("viewer", 200), ("editor", 200), ("staff", 403), ("customer", 302)])
def test_only_who_may_see_jobs_is_told_what_a_text_means(role: str, status: int) -> None:
    assert client_of(role).get(reverse("admin:workerd_job_schedule"), {"schedule": "@daily"}).status_code == status


# saving


@FORM_ALONE
@pytest.mark.parametrize(
    ("before", "state", "edit", "words"),
    [
        ("", "RUNNING", {}, "1 process will be stopped gracefully. It runs next at its time: "),
        ("@daily", "WAITING", {}, "It runs next at its time: "),
        ("@daily", "RUNNING", {}, "The run that goes on is not ended. It runs next at its time: "),
        ("@daily", "RUNNING", {"schedule": "", "restart": "always"}, "From now on it runs always."),
        ("30 2 * * *", "RUNNING", {"notes": "other"}, "Nothing changes for running processes."),
    ],
)
def test_saving_says_what_follows(  # noqa: PLR0917 - what a case consists of
    superuser: Client, node: Node, before: str, state: str, edit: dict[str, str], words: str
) -> None:
    """Cases 44 to 47: an edit starts no run and ends none."""
    restart = "on_failure" if before else "always"
    job = Job.objects.create(
        name="mail-outbox", target="shop.jobs.ship_orders", schedule=before, restart=restart, time_zone="Europe/Berlin"
    )
    add_slot(job, node, state=state)

    response = superuser.post(reverse("admin:workerd_job_change", args=[job.pk]), {**SCHEDULED, **edit}, follow=True)

    assert words in " ".join(map(str, response.context["messages"]))


@FORM_ALONE
def test_a_row_that_is_turned_on_in_the_list_runs_at_its_next_time(superuser: Client, job: Job) -> None:
    """Case 42: nothing runs now."""
    Job.objects.update(enabled=False)

    response = superuser.post(reverse("admin:workerd_job_switch", args=[job.pk]), {"enabled": "1"}, follow=True)

    assert "it runs at the next time of its schedule" in " ".join(map(str, response.context["messages"]))


# the list


def test_a_resting_job_is_neither_trouble_nor_moving(superuser: Client, job: Job, node: Node) -> None:
    add_slot(job, node, reason="its time: Mon 30 Nov 2026 02:30 Europe/Berlin")
    add_run(job, node, 1)

    answer = pieces(superuser)
    state = answer["pieces"][f"{job.pk}:state"]

    assert answer["next_ms"] == 2000
    assert "workerd-due" in state
    assert "waits · due in <time" in state
    assert ">finished</span>" in state
    activity = answer["pieces"][f"{job.pk}:activity"]
    assert "its time: Mon 30 Nov" in activity
    assert "workerd-trouble" not in activity
    assert "due in" in superuser.get(reverse(LIST)).content.decode()


@pytest.mark.parametrize(
    ("outcome", "word"),
    [("missed", "missed"), ("error", "error"), ("overtime", "ran for too long"), ("lost", "lost")],
)
def test_a_last_time_that_failed_or_was_missed_is_seen(
    superuser: Client, job: Job, node: Node, outcome: str, word: str
) -> None:
    """Cases 62 and 72."""
    add_slot(job, node, reason="its time")
    add_run(job, node, 2)
    add_run(job, node, 1, outcome)

    assert f">{word}</span>" in pieces(superuser)["pieces"][f"{job.pk}:state"]
    assert listed(superuser, "look") == {"nightly"}


def test_why_the_last_time_failed_stands_before_the_next_time(job: Job, node: Node) -> None:
    public = f"its time: Mon 30 Nov 2026 02:30 Europe/Berlin{LAST_RUN}ValueError"
    add_slot(job, node, reason=f"{public}: sk-live", public_reason=public)

    seen = pieces(client_of("superuser"))["pieces"][f"{job.pk}:activity"]
    blind = pieces(client_of("viewer"))["pieces"][f"{job.pk}:activity"]

    assert seen.index("ValueError: sk-live") < seen.index("its time: Mon 30 Nov")
    assert "ValueError" in blind
    assert "sk-live" not in blind


def test_the_list_of_slots_tells_who_rests(superuser: Client, job: Job, node: Node) -> None:
    add_slot(job, node)
    gone = Slot.objects.create(node=node, job=None, job_name="gone", name="gone", state="WAITING")

    page = superuser.get(reverse("admin:workerd_slot_changelist")).content.decode()

    assert page.count(">waits</span>") == 1
    assert page.count(">waiting</span>") == 1
    assert superuser.get(reverse("admin:workerd_slot_change", args=[gone.pk])).status_code == 200


def test_of_several_slots_the_bad_end_is_seen_and_the_next_time_is_the_first(
    superuser: Client, job: Job, node: Node
) -> None:
    Job.objects.update(processes=3)
    for index, outcome in enumerate(("finished", "error", "finished")):
        add_slot(job, node, index)
        add_run(job, node, 1, outcome, index=index)

    state = pieces(superuser)["pieces"][f"{job.pk}:state"]
    assert "waits · due in" in state
    assert ">error</span>" in state

    Slot.objects.filter(index=0).update(state="RUNNING", due=timezone.now().timestamp())
    state = pieces(superuser)["pieces"][f"{job.pk}:state"]
    assert "1 of 3 running" in state
    assert "2 waiting for its time" in state


@pytest.mark.parametrize(
    "fields", [{"due": 1_795_965_480.0}, {"state": "BACKOFF"}, {"state": "PARKED"}, {"state": "STARTING"}]
)
def test_a_slot_that_has_taken_its_time_does_not_rest(
    superuser: Client, job: Job, node: Node, fields: dict[str, Any]
) -> None:
    add_slot(job, node, **fields)

    assert "workerd-due" not in pieces(superuser)["pieces"][f"{job.pk}:state"]
    assert listed(superuser, "rest") == set()


def test_a_waiting_slot_of_a_job_without_a_schedule_is_moving_as_ever(superuser: Client, node: Node) -> None:
    always = Job.objects.create(name="always", target="shop.jobs.price_feed")
    add_slot(always, node)

    answer = pieces(superuser)

    assert answer["next_ms"] == 250
    assert ">waiting</span>" in answer["pieces"][f"{always.pk}:state"]
    assert listed(superuser, "look") == {"always"}


def test_the_filter_tells_waiting_for_a_time_from_waiting(superuser: Client, job: Job, node: Node) -> None:
    always = Job.objects.create(name="always", target="shop.jobs.price_feed")
    add_slot(always, node)
    add_slot(job, node)

    assert listed(superuser, "rest") == {"nightly"}
    assert listed(superuser, "WAITING") == {"always"}
    assert listed(superuser, "look") == {"always"}


def test_the_list_counts_the_runs_of_a_scheduled_job_and_no_missed_times(
    superuser: Client, job: Job, node: Node
) -> None:
    add_slot(job, node)
    for minutes, outcome in ((10, "finished"), (20, "error"), (30, "missed")):
        add_run(job, node, minutes / 1440, outcome)

    restarts = pieces(superuser)["pieces"][f"{job.pk}:restarts"]

    assert ">2 runs<" in restarts
    assert ">1 failure<" in restarts


def listed(client: Client, state: str) -> set[str]:
    response = client.get(reverse(LIST), {"state": state})
    return {job.name for job in response.context["cl"].result_list}


# the job's page


def test_the_page_shows_the_next_times_the_last_outcomes_and_how_late(superuser: Client, job: Job, node: Node) -> None:
    """Case 75: what was made up for, tried again or asked for is told apart."""
    add_slot(job, node, reason="its time")
    missed = add_run(job, node, 0.9, "missed", missed=12, reason="12 times until 04:10: the daemon was not running")
    for hours, trigger in ((20, "schedule"), (18, "catch_up"), (16, "operator")):
        add_run(job, node, hours / 24, trigger=trigger)
    first = add_run(job, node, 14 / 24, "error")
    assert first.born is not None
    add_run(job, node, 14 / 24, trigger="retry", due=first.due, born=first.born + timedelta(seconds=30))

    page = page_of(superuser, job)

    section = page.split('data-workerd-live="schedule"')[1].split("</section>")[0]
    assert section.count("<li>") == 5
    assert "last 5: 4 finished, 1 missed" in section
    assert "waits · due in" in page
    for words in ("+0.25 s · on time", "+0.25 s · made up for", "+30 s · tried again", ">an operator<"):
        assert words in page, words
    assert "missed 12 times, the first due" in page
    assert reverse("admin:workerd_run_change", args=[missed.pk]) in page


def test_the_page_of_a_job_without_a_schedule_is_as_it_was(superuser: Client, node: Node) -> None:
    always = Job.objects.create(name="always", target="shop.jobs.price_feed")
    add_slot(always, node, state="RUNNING", next_start=None)

    page = page_of(superuser, always)

    assert 'data-workerd-live="schedule"' not in page
    assert "Run now" not in page


def test_without_the_right_to_view_runs_the_page_has_the_next_times_alone(job: Job, node: Node) -> None:
    from django.contrib.auth.models import Permission

    add_run(job, node, 1)
    client = client_of("viewer")
    Permission.objects.get(codename="view_run").user_set.clear()

    page = page_of(client, job)

    assert "At 02:30 every day" in page
    assert "last 1" not in page


def test_what_was_missed_is_drawn(superuser: Client, job: Job, node: Node) -> None:
    add_run(job, node, 0.5, "missed")

    chart = page_of(superuser, job).split("data-workerd-timeline")[1].split("</svg>")[0]

    assert 'width="0.300%"' in chart
    assert "workerd-run workerd-warn" in chart


# runs


def test_a_missed_time_has_a_reason_and_no_process(superuser: Client, job: Job, node: Node) -> None:
    reason = "12 times until 04:10: the daemon was not running"
    run = add_run(job, node, 1, "missed", missed=12, reason=reason)
    url = reverse("admin:workerd_run_change", args=[run.pk])

    page = superuser.get(url).content.decode()

    assert "Missed 12 times: nothing was started for" in page
    assert reason in page
    assert ">Times missed</dt><dd>12<" in page
    for absent in ("pid ", ">Exit", "Ran for", "Peak memory", "The run left no traceback"):
        assert absent not in page, absent
    blind = client_of("viewer").get(url).content.decode()
    assert "Missed 12 times" in blind
    assert "the daemon was not running" not in blind  # it may hold a job's words


def test_a_run_that_took_too_long_says_so(superuser: Client, job: Job, node: Node) -> None:
    run = add_run(job, node, 1, "overtime", reason="it ran for longer than 1 min, its longest run")

    page = client_of("viewer").get(reverse("admin:workerd_run_change", args=[run.pk])).content.decode()

    assert "Ended after 1 min: it ran for longer than 1 min, its longest run." in page
    assert ">Started late by</dt><dd>0.25 s<" in page
    assert ">Started by</dt><dd>on time<" in page


def test_runs_are_found_by_what_started_them(superuser: Client, job: Job, node: Node) -> None:
    for trigger in ("schedule", "operator"):
        add_run(job, node, 1, trigger=trigger)
    add_run(job, node, 2, "missed", missed=3)
    url = reverse("admin:workerd_run_changelist")

    response = superuser.get(url, {"trigger__exact": "operator"})

    assert [run.trigger for run in response.context["cl"].result_list] == ["operator"]
    page = superuser.get(url).content.decode()
    assert "+0.25 s · on time" in page
    assert "3 times" in page


# run now


def test_run_now_writes_an_order_and_its_answer_is_shown(job: Job, node: Node) -> None:
    add_slot(job, node)
    operator = client_of("operator")
    assert "Run now" in page_of(operator, job)

    response = operator.post(reverse("admin:workerd_job_orders", args=[job.pk]), {"order": "trigger"}, follow=True)

    order = Operation.objects.get()
    assert (order.verb, order.job_name, order.slot, order.requested_by) == ("trigger", "nightly", "", "operator")
    assert "Run now was asked for: nightly." in " ".join(map(str, response.context["messages"]))
    Operation.objects.update(taken=timezone.now(), result="nightly: RUNNING, pid 7", public_result="nightly: RUNNING")
    assert (
        "nightly: RUNNING"
        in pieces(operator, reverse("admin:workerd_job_page_live", args=[job.pk]))["pieces"]["orders"]
    )


@FORM_ALONE
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"enabled": False}, "it is off: turn it on first"),
        ({"schedule": "", "restart": "always"}, "it has no schedule, so that it runs always"),
    ],
)
def test_run_now_is_refused_with_the_reason(superuser: Client, job: Job, fields: dict[str, Any], words: str) -> None:
    """Case 66."""
    Job.objects.update(**fields)
    url = reverse("admin:workerd_job_orders", args=[job.pk])

    response = superuser.post(url, {"order": "trigger"}, follow=True)

    assert words in " ".join(map(str, response.context["messages"]))
    assert not Operation.objects.exists()


@FORM_ALONE
def test_of_selected_jobs_those_that_can_are_run_now(superuser: Client, job: Job) -> None:
    Job.objects.create(name="always", target="shop.jobs.price_feed")
    form = {"action": "trigger", "_selected_action": list(Job.objects.values_list("pk", flat=True))}

    response = superuser.post(reverse(LIST), form, follow=True)

    assert [order.job_name for order in Operation.objects.all()] == ["nightly"]
    said = " ".join(map(str, response.context["messages"]))
    assert "always: it has no schedule" in said


@FORM_ALONE
@pytest.mark.parametrize("role", ["viewer", "reader", "editor", "staff"])
def test_only_operators_run_now(role: str, job: Job) -> None:
    client = client_of(role)

    assert client.post(reverse("admin:workerd_job_orders", args=[job.pk]), {"order": "trigger"}).status_code == 403
    assert "Run now" not in page_of(client, job)
    assert not Operation.objects.exists()


@FORM_ALONE
def test_run_now_is_asked_for_by_post_alone(superuser: Client, job: Job) -> None:
    url = reverse("admin:workerd_job_orders", args=[job.pk])

    assert superuser.get(url, {"order": "trigger"}).status_code == 405


# other settings


def everything(client: Client, job: Job, run: Run) -> str:
    """Return what every page that knows of schedules shows."""
    urls = [reverse(f"admin:workerd_job_{name}", args=[job.pk]) for name in ("page", "page_live", "change")]
    urls += [reverse(LIST), reverse(LIVE), reverse("admin:workerd_job_add"), reverse("admin:workerd_run_changelist")]
    urls += [reverse("admin:workerd_run_change", args=[run.pk]), reverse("admin:workerd_slot_changelist")]
    shown = []
    for url in urls:
        response = client.get(url)
        assert response.status_code == 200, url
        shown.append(response.content.decode())
    return "\n".join(shown)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_without_use_tz_times_are_the_same(superuser: Client, settings: Any, zone: str) -> None:
    settings.USE_TZ, settings.TIME_ZONE = False, zone
    now = timezone.now()
    job = Job.objects.create(name="nightly", target="shop.jobs.price_feed", schedule="@daily", restart="never")
    node = Node.objects.create(name="shop", host="web1", pulse=now)
    add_slot(job, node, next_start=now + timedelta(hours=3, minutes=5))
    run = add_run(job, node, 0.5)

    shown = everything(superuser, job, run)

    assert "due in" in shown
    assert ">3 h</time>" in shown
    assert "+0.25 s · on time" in shown
    assert f"({zone})" in shown


def test_in_another_language_numbers_and_addresses_stay_right(
    superuser: Client, job: Job, node: Node, settings: Any
) -> None:
    settings.LANGUAGE_CODE = "de"
    settings.USE_THOUSAND_SEPARATOR = True
    Job.objects.update(start_within=5400.0, spread=1500.0)
    add_slot(job, node)
    run = add_run(job, node, 0.5, "missed", missed=12_345)

    with translation.override("de"):
        shown = everything(superuser, job, run)

    assert 'value="1 h 30 min"' in shown
    assert 'value="25 min"' in shown
    assert "12345" in shown
    assert "At 02:30 every day" in shown
