"""Schedules of django-crontab, Celery's beat and django-q2, as plain values: each becomes a job, or is refused."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from inspect import Signature, signature
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workerd.adopt.adopted import Adopted, Refused
from workerd.adopt.celery_beat import BeatEntry, adopt_entry
from workerd.adopt.context import Context
from workerd.adopt.django_crontab import adopt_cronjob
from workerd.adopt.django_q import QSchedule, adopt_schedule
from workerd.adopt.times import TimesError, every
from workerd.job_rules.written import filled, find_written_faults

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
LATER = datetime(2026, 8, 11, 3, 20, tzinfo=BERLIN)
"""A Tuesday."""


def clean(days: int = 30, *, dry: bool = False) -> None: ...


def listed(first: int, /, *others: int) -> None: ...


def free(**words: Any) -> None: ...


TARGETS: Mapping[str, Signature] = {
    "shop.jobs.clean": signature(clean),
    "shop.tasks.report.run": signature(clean),
    "shop.cron.listed": signature(listed),
    "shop.cron.free": signature(free),
}


def context(zone: str = "Europe/Berlin") -> Context:
    return Context(commands=["cleanup"], allowed_commands=["cleanup"], signature=TARGETS.get, time_zone=zone)


def values(program: Adopted | Refused) -> dict[str, Any]:
    assert isinstance(program, Adopted), program
    assert not find_written_faults(program.name, filled(program.values))
    return program.values


def reason(program: Adopted | Refused) -> str:
    assert isinstance(program, Refused), program
    return program.reason


# django-crontab


def cronjob(*entry: Any, is_locked: bool = False, zone: str = "Europe/Berlin") -> Adopted | Refused:
    return adopt_cronjob(entry, "CRONJOBS, entry 1", context(zone), is_locked=is_locked)


CALL = "django.core.management.call_command"
COMMAND = {"restart": "never", "schedule": "0 4 * * *", "time_zone": "Europe/Berlin", "command": "cleanup"}
TARGET = {"restart": "never", "schedule": "0 4 * * *", "time_zone": "Europe/Berlin", "target": "shop.jobs.clean"}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (("0 4 * * *", "shop.jobs.clean"), TARGET),
        (["0 4 * * *", "shop.jobs.clean", ">> /tmp/log 2>&1"], TARGET),
        (("0 4 * * *", "shop.jobs.clean", [7]), TARGET | {"kwargs": {"days": 7}}),
        (("0 4 * * *", "shop.jobs.clean", [7], {"dry": True}), TARGET | {"kwargs": {"days": 7, "dry": True}}),
        (("0 4 * * *", "shop.jobs.clean", [], {}, "> /dev/null"), TARGET),
        (("0 4 * * *", "shop.tasks.clean"), TARGET),  # the job that its refusal has told to write
        (("0 4 * * *", CALL, ["cleanup"]), COMMAND),
        (("0 4 * * *", CALL, ["cleanup", "--days", 30], {"verbosity": 0}), COMMAND | {"command": "cleanup --days 30"}),
        (("@reboot", CALL, ["cleanup"]), {"restart": "never", "command": "cleanup"}),
    ],
)
def test_an_entry_of_cronjobs_becomes_a_job(entry: Any, expected: dict[str, Any]) -> None:
    assert values(cronjob(*entry)) == expected


def test_what_an_entry_of_cronjobs_loses_is_said() -> None:
    locked = cronjob("0 4 * * *", "shop.jobs.clean", ">> /tmp/log", is_locked=True)
    assert values(locked)["overlap"] == "skip"
    assert isinstance(locked, Adopted)
    assert locked.comments == ["Not carried over: the suffix “>> /tmp/log”. The service's log has what a job prints."]
    [said] = getattr(cronjob("0 4 * * *", "shop.jobs.clean", zone=""), "comments", [])
    assert said.startswith("The host's time zone is not known here")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ((), "It is no entry of CRONJOBS"),
        (("0 4 * * *",), "It is no entry of CRONJOBS"),
        (("0 4 * * *", 5), "It is no entry of CRONJOBS"),
        (("0 4 * * *", "shop.jobs.clean", {}, []), "It is no entry of CRONJOBS"),
        (("0 4 * * *", "shop.jobs.clean", [], {}, 3), "It is no entry of CRONJOBS"),
        (("0 0 4 * * *", "shop.jobs.clean"), "seconds and years are not known"),
        (("0 4 * * *", "shop.jobs.clean", [1, 2, 3]), "“shop.jobs.clean” does not take its arguments"),
        (("0 4 * * *", "shop.jobs.clean", [], {"nights": 1}), "unexpected keyword argument 'nights'"),
        (("0 4 * * *", "shop.cron.listed", [1]), "takes “first” by position only"),
        (("0 4 * * *", "shop.cron.other"), "in shop/jobs.py, write a function other(context, …) marked @job"),
        (("0 4 * * *", "other"), "“other” is no dotted path of a function"),
        (("0 4 * * *", CALL, ["cleanpu"]), "There is no management command “cleanpu” in this project."),
        (
            ("0 4 * * *", CALL, ["cleanup"], {"days": 30}),
            "call_command is given days: write the command's options as words",
        ),
        (("0 4 * * *", CALL), "call_command is given no command"),
    ],
)
def test_a_spoilt_entry_of_cronjobs_is_refused_with_the_reason(entry: Any, said: str) -> None:
    assert said in reason(cronjob(*entry))


# Celery's beat


def crontab(minute: Any = range(60), hour: Any = range(24), weekday: Any = range(7), day: Any = range(1, 32)) -> Any:
    """Return what Celery makes of five fields: sets."""
    sets = dict(
        zip(("minute", "hour", "day_of_week", "day_of_month"), map(set, (minute, hour, weekday, day)), strict=True)
    )
    return SimpleNamespace(**sets, month_of_year=set(range(1, 13)))


def beat(schedule: Any, task: str = "shop.jobs.clean", **fields: Any) -> Adopted | Refused:
    return adopt_entry(BeatEntry("nightly clean", task, schedule, "Europe/Berlin", **fields), "beat", context(), NOW)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (crontab([0], [4]), ("0 4 * * *", "Europe/Berlin")),
        (crontab([0], [4], [0]), ("0 4 * * SUN", "Europe/Berlin")),
        (crontab(range(0, 60, 15), range(7, 20), range(1, 6)), ("*/15 7-19 * * MON-FRI", "Europe/Berlin")),
        (crontab([30], [0, 1, 2, 22, 23]), ("30 0-2,22,23 * * *", "Europe/Berlin")),
        (crontab([0], [4], [1], range(1, 8)), ("0 4 * * MON#1", "Europe/Berlin")),
        (3600 * 6, ("every 6 h", None)),
        (90.0, ("every 90 s", None)),
        (timedelta(days=2), ("every 2 d", None)),
        (SimpleNamespace(run_every=timedelta(minutes=5)), ("every 5 min", None)),
        (SimpleNamespace(clocked_time=LATER), ("at 2026-08-11 03:20:00+02:00", None)),
        (LATER, ("at 2026-08-11 03:20:00+02:00", None)),
    ],
)
def test_a_schedule_of_celery_becomes_one_of_a_row(schedule: Any, expected: tuple[str, str | None]) -> None:
    found = values(beat(schedule))
    assert (found["schedule"], found.get("time_zone")) == expected


def test_an_entry_of_beat_becomes_a_job_with_what_it_loses() -> None:
    entry = beat(
        crontab([0], [4]),
        "shop.tasks.report",
        args=[7],
        kwargs={"dry": True},
        options={"queue": "slow", "priority": 3, "exchange": None, "expires": 60},
        enabled=False,
        start_time=LATER,
        description="Cleans up",
    )
    assert values(entry) == {
        "restart": "never",
        "schedule": "0 4 * * *",
        "time_zone": "Europe/Berlin",
        "enabled": False,
        "notes": "Cleans up",
        "target": "shop.tasks.report.run",
        "kwargs": {"days": 7, "dry": True},
    }
    assert isinstance(entry, Adopted)
    assert entry.name == "nightly-clean"
    assert entry.comments == [
        "It was to start at 2026-08-11 03:20: enable the job then.",
        "expires ended it, or dropped a late task: max_age ends a run, start_within drops a late one.",
        "Its program is called nightly clean.",
        "Not carried over: queue, priority. A job has no queue: its processes run it.",
    ]


@pytest.mark.parametrize(
    ("schedule", "first"),
    [(crontab([0], [4]), "at 2026-06-02 04:00:00+02:00"), (3600, "at 2026-06-01 13:00:00+00:00")],
)
def test_a_one_off_has_the_first_of_its_times(schedule: Any, first: str) -> None:
    found = values(beat(schedule, one_off=True))
    assert (found["schedule"], found.get("time_zone")) == (first, None)
    assert values(beat(LATER, one_off=True))["schedule"] == "at 2026-08-11 03:20:00+02:00"


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (SimpleNamespace(event="sunset", lat=52.5, lon=13.4), "Its times follow the sun (sunset)"),
        (crontab([0], [4], [1], [13]), "it wants a day of the month and a weekday at once"),
        (0.5, "An interval of 0.5 s is no whole number of seconds."),
        (0, "An interval of 0 s"),
        (5, "“every 5 s” is too often"),
        (timedelta(days=400), "“every 400 d” is too seldom"),
        (True, "A schedule of type bool"),
        (None, "A schedule of type NoneType"),
        (datetime(2026, 5, 1, tzinfo=UTC), "Its one time, 2026-05-01 00:00, has passed."),
        (ValueError("bad minute"), "Celery does not read its schedule (bad minute)"),
    ],
)
def test_a_schedule_that_no_row_has_is_refused_with_the_reason(schedule: Any, said: str) -> None:
    assert said in reason(beat(schedule))


def test_celerys_own_task_is_left_to_it() -> None:
    assert "is Celery's own" in reason(beat(60, "celery.backend_cleanup"))


# django-q2


def q(schedule_type: str, **fields: Any) -> Adopted | Refused:
    defaults: dict[str, Any] = {"next_run": LATER, "func": "shop.jobs.clean", "name": "", "zone": "Europe/Berlin"}
    return adopt_schedule(QSchedule(schedule_type=schedule_type, **defaults | fields), "q", context(), NOW)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"schedule_type": "O"}, "at 2026-08-11 03:20:00+02:00"),
        ({"schedule_type": "I", "minutes": 90}, "every 90 min"),
        ({"schedule_type": "I", "minutes": None}, "every 1 min"),
        ({"schedule_type": "H"}, "20 * * * *"),
        ({"schedule_type": "D"}, "20 3 * * *"),
        ({"schedule_type": "W"}, "20 3 * * 2"),
        ({"schedule_type": "M"}, "20 3 11 * *"),
        ({"schedule_type": "BM"}, "20 3 11 2,4,6,8,10,12 *"),
        ({"schedule_type": "Q"}, "20 3 11 2,5,8,11 *"),
        ({"schedule_type": "Y"}, "20 3 11 8 *"),
        ({"schedule_type": "Y", "next_run": LATER.replace(day=31)}, "20 3 31 8 *"),
        ({"schedule_type": "C", "cron": "*/5 8-18 * * 1-5"}, "*/5 8-18 * * 1-5"),
    ],
)
def test_each_type_of_django_q_becomes_a_schedule(row: dict[str, Any], expected: str) -> None:
    found = values(q(**row))
    assert found["schedule"] == expected
    assert found.get("time_zone") == (None if expected.startswith(("at", "every")) else "Europe/Berlin")
    assert found["restart"] == "never"


def test_a_row_of_django_q_becomes_a_job_with_what_it_loses() -> None:
    row = q(
        "D",
        name="clean up",
        args="7",
        kwargs="dry=True, q_options={'timeout': 5}",
        repeats=3,
        next_run=LATER.replace(second=41),
        dropped={"hook": "shop.hooks.done", "cluster": None},
        intended_date_kwarg="day",
    )
    assert values(row) == {
        "restart": "never",
        "schedule": "20 3 * * *",
        "time_zone": "Europe/Berlin",
        "target": "shop.jobs.clean",
        "kwargs": {"days": 7, "dry": True},
    }
    assert isinstance(row, Adopted)
    assert row.name == "clean-up"
    assert row.comments == [
        "It ran at second 41; a schedule is due at whole minutes.",
        "It was to run 3 more times; here it goes on until it is disabled.",
        "Its program is called clean up.",
        "Not carried over: hook, q_options. A job is called, and that is all: no hook, no cluster, no group.",
        "Not carried over: intended_date_kwarg day. In a job, context.due is the time that it is for.",
    ]


def test_a_row_of_django_q_that_is_used_up_is_disabled() -> None:
    assert values(q("D", repeats=0))["enabled"] is False
    assert values(q("D", name=""))["target"] == "shop.jobs.clean"


@pytest.mark.parametrize(("text", "days"), [("7", 7), ("(7,)", 7), ("7,", 7), ("", None), (" 7 ", 7)])
def test_arguments_are_read_as_django_q_reads_them(text: str, days: int | None) -> None:
    assert values(q("D", args=text)).get("kwargs", {}).get("days") == days
    assert values(q("D", kwargs="{'days': 7}"))["kwargs"] == {"days": 7}
    assert values(q("D", kwargs="days=7"))["kwargs"] == {"days": 7}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"schedule_type": "BW"},
            "write “20 3 * * 2” and have the job pass over every other week, or write “every 14 d”",
        ),
        ({"schedule_type": "M", "next_run": LATER.replace(day=31)}, "Not each of its months has a day 31"),
        (
            {"schedule_type": "O", "next_run": datetime(2026, 5, 1, tzinfo=UTC)},
            "Its one time, 2026-05-01 00:00, has passed.",
        ),
        ({"schedule_type": "D", "next_run": None}, "It has no next run"),
        ({"schedule_type": "C", "cron": ""}, "Its times are no schedule"),
        ({"schedule_type": "C", "cron": "0 0 4 * * *"}, "seconds and years are not known"),
        ({"schedule_type": "X"}, "“X” is no type of schedule"),
        ({"schedule_type": "D", "args": "open('x')"}, "Its args are no Python values"),
        ({"schedule_type": "D", "kwargs": "days=f(1)"}, "Its kwargs are neither a dict nor NAME=value"),
        ({"schedule_type": "D", "kwargs": "1, 2"}, "Its kwargs are neither a dict nor NAME=value"),
        ({"schedule_type": "D", "kwargs": "**{}"}, "Its kwargs are neither a dict nor NAME=value"),
        ({"schedule_type": "D", "kwargs": "{1}"}, "Its kwargs are neither a dict nor NAME=value"),
        ({"schedule_type": "D", "kwargs": "days=1); f("}, "Its kwargs are neither a dict nor NAME=value"),
        ({"schedule_type": "D", "func": "shop.jobs.clean", "args": "1, 2, 3"}, "does not take its arguments"),
        ({"schedule_type": "D", "func": "shop.cron.free", "kwargs": "when={1, 2}"}, "kwargs"),
    ],
)
def test_a_spoilt_row_of_django_q_is_refused_with_the_reason(row: dict[str, Any], said: str) -> None:
    assert said in reason(q(**row))


# anything


def test_an_interval_is_written_in_its_largest_unit() -> None:
    assert [every(seconds).schedule for seconds in (86_400, 7200, 5400, 61)] == [
        "every 1 d", "every 2 h", "every 90 min", "every 61 s",
    ]  # fmt: skip
    for seconds in (0, -60, float("inf"), float("nan"), 1e300, 0.1):
        with pytest.raises(TimesError):
            every(seconds)


text = st.text(max_size=12)
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), text, st.binary(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3), st.tuples(inner, inner)
    ),
    max_leaves=5,
)
dotted = st.one_of(text, st.sampled_from([*TARGETS, CALL]))


def judge(program: Adopted | Refused) -> None:
    if isinstance(program, Adopted):
        assert not find_written_faults(program.name, filled(program.values))
    else:
        assert program.reason


@given(st.one_of(plain, st.tuples(text, dotted, plain), st.tuples(st.just("0 4 * * *"), dotted, plain, plain)))
def test_any_entry_of_cronjobs_is_adopted_or_refused(entry: Any) -> None:
    judge(adopt_cronjob(entry, "x", context(), is_locked=False))


@given(
    plain | st.timedeltas(),
    dotted,
    st.lists(plain, max_size=2),
    st.dictionaries(text, plain, max_size=2),
    st.booleans(),
)
def test_any_entry_of_beat_is_adopted_or_refused(
    schedule: Any, task: str, args: list[Any], kwargs: dict[str, Any], one_off: bool
) -> None:
    judge(adopt_entry(BeatEntry("x", task, schedule, "UTC", args, kwargs, one_off=one_off), "x", context(), NOW))


@given(
    st.fixed_dictionaries(
        {
            "schedule_type": st.sampled_from(["O", "I", "H", "D", "W", "BW", "M", "BM", "Q", "Y", "C", "", "Z"]),
            "func": dotted,
            "args": st.one_of(text, plain.map(repr)),
            "kwargs": st.one_of(text, st.dictionaries(text, plain, max_size=2).map(repr)),
            "next_run": st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.just(BERLIN)),  # noqa: DTZ001 - added
            "cron": text,
        }
    )
)
def test_any_row_of_django_q_is_adopted_or_refused(row: dict[str, Any]) -> None:
    judge(q(**row))
