"""``adopt --from PACKAGE`` with the published packages, installed or skipped; the session “packages” has them all."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness.published import without

ROOT = Path(__file__).resolve().parents[2]

SITE = """
import sys
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import django
from django.conf import settings
from django.core.management import call_command

def site(*apps, **more):
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.sessions", "workerd", "adopted_app", *apps],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path("db.sqlite3").resolve()}},
        SETTINGS_MODULE="settings", DEFAULT_AUTO_FIELD="django.db.models.AutoField", SECRET_KEY="x",
        TIME_ZONE="Europe/Berlin", USE_TZ=True,
        WORKERD={
            "COMMANDS": ["clearsessions"], "TARGETS": ["adopted_app.tasks.report", "adopted_app.tasks.report.run"],
            "STATE_DIR": str(Path("state").resolve()),
        },
        **more,
    )
    django.setup()
    for app in {"django_celery_beat", "django_q"}.intersection(apps):
        call_command("migrate", app, verbosity=0)

def adopt(package):
    try:
        call_command("workerd", "adopt", "--from", package)
    except SystemExit as end:
        sys.exit(end.code)
"""
JOBS = """
from workerd import job

@job
def clean(context, days=30):
    pass
"""


TASKS = """
from celery import shared_task

@shared_task
def report(days):
    pass
"""


@pytest.fixture
def run_site(tmp_path: Path) -> Any:
    (tmp_path / "adopted_app").mkdir()
    (tmp_path / "adopted_app" / "__init__.py").touch()
    (tmp_path / "adopted_app" / "jobs.py").write_text(JOBS)
    (tmp_path / "adopted_app" / "tasks.py").write_text(TASKS)

    def run(script: str) -> "subprocess.CompletedProcess[str]":
        words = [sys.executable, "-W", "ignore", "-c", SITE + script]
        env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{tmp_path}:{ROOT}", "TZ": "Europe/Berlin"}
        return subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    return run


def compare(done: "subprocess.CompletedProcess[str]", toml: str, *refused: str, code: int) -> None:
    assert done.stdout == toml.lstrip("\n"), done.stderr
    heading, *lines, counts = done.stderr.splitlines()
    assert "NOT ADOPTED" in heading
    for words in refused:
        assert any(all(word in line for word in words.split(" … ")) for line in lines), (words, done.stderr)
    assert len(lines) == len(refused), done.stderr
    assert re.fullmatch(rf"{toml.count('[jobs.')} programs adopted, {len(refused)} not\.", counts), done.stderr
    assert done.returncode == code


@pytest.mark.slow
@without("django_crontab")
def test_django_crontab(run_site: Any) -> None:
    jobs: list[object] = [
        ("0 4 * * *", "django.core.management.call_command", ["clearsessions"]),
        ("*/5 * * * *", "adopted_app.jobs.clean", [7], {}, ">> /tmp/log"),
        ("0 4 * * *", "adopted_app.cron.other"),
    ]
    done = run_site(f"site('django_crontab', CRONJOBS={jobs!r})\nadopt('django-crontab')")
    toml = """
# From CRONJOBS, entry 1.
[jobs.clearsessions]
command = "clearsessions"
restart = "never"
schedule = "0 4 * * *"
time_zone = "Europe/Berlin"

# From CRONJOBS, entry 2.
# Not carried over: the suffix “>> /tmp/log”. The service's log has what a job prints.
[jobs.clean]
target = "adopted_app.jobs.clean"
kwargs = { days = 7 }
restart = "never"
schedule = "*/5 * * * *"
time_zone = "Europe/Berlin"
"""
    compare(done, toml, "other … CRONJOBS, entry 3 … “adopted_app.cron.other” is no job", code=1)


@pytest.mark.slow
@without("django_celery_beat")
def test_django_celery_beat(run_site: Any) -> None:
    script = """
site("django_celery_beat")
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
five = CrontabSchedule.objects.create(minute="*/15", hour="22-2", day_of_week="mon-fri", timezone="America/New_York")
hours = IntervalSchedule.objects.create(every=6, period="hours")
once = ClockedSchedule.objects.create(clocked_time=datetime(2190, 8, 11, 3, 20, tzinfo=ZoneInfo("UTC")))
sun = SolarSchedule.objects.create(event="sunset", latitude=52.5, longitude=13.4)
bad = CrontabSchedule.objects.create(minute="99")
common = {"task": "adopted_app.tasks.clean"}
PeriodicTask.objects.create(name="Nightly: clean", crontab=five, args="[7]", queue="slow", **common)
PeriodicTask.objects.create(name="six hours", interval=hours, enabled=False, description="Cleans", **common)
PeriodicTask.objects.create(name="once", clocked=once, one_off=True, **common)
PeriodicTask.objects.create(name="sunset", solar=sun, **common)
PeriodicTask.objects.create(name="bad", crontab=bad, **common)
PeriodicTask.objects.create(name="json", interval=hours, args="[", **common)
PeriodicTask.objects.create(name="object", interval=hours, kwargs="[]", **common)
PeriodicTask.objects.create(name="other", interval=hours, task="adopted_app.tasks.other")
adopt("celery-beat")
"""
    toml = """
# From django-celery-beat, row 1.
# Its program is called Nightly: clean.
# Not carried over: queue. A job has no queue: its processes run it.
[jobs.Nightly-clean]
target = "adopted_app.jobs.clean"
kwargs = { days = 7 }
restart = "never"
schedule = "*/15 0-2,22,23 * * MON-FRI"
time_zone = "America/New_York"

# From django-celery-beat, row 2.
# Beat counts an interval from the last run; “every 6 h” counts from midnight UTC, 1 January 1970.
# Its program is called six hours.
[jobs.six-hours]
target = "adopted_app.jobs.clean"
enabled = false
restart = "never"
schedule = "every 6 h"
notes = "Cleans"

# From django-celery-beat, row 3.
[jobs.once]
target = "adopted_app.jobs.clean"
restart = "never"
schedule = "at 2190-08-11 03:20:00+00:00"
"""
    refused = (
        "sunset … row 4 … Its times follow the sun (sunset)",
        "bad … row 5 … Celery does not read its schedule",
        "json … row 6 … Its arguments are no JSON",
        "object … row 7 … Its arguments are no JSON list and object",
        "other … row 8 … “adopted_app.tasks.other” is no job",
    )
    compare(run_site(script), toml, *refused, code=1)


@pytest.mark.slow
@without("celery")
def test_beat_schedule(run_site: Any) -> None:
    script = """
from celery import Celery
from celery.schedules import crontab, schedule
site(CELERY_TIMEZONE="Europe/Berlin", CELERY_BEAT_SCHEDULE={
    "sunday": {"task": "adopted_app.tasks.clean", "schedule": crontab(minute=30, hour=7, day_of_week="sunday")},
    "often": {"task": "adopted_app.tasks.clean", "schedule": 3600 * 6, "args": (7,), "options": {"queue": "slow"}},
    "delta": {"task": "adopted_app.tasks.clean", "schedule": timedelta(minutes=5)},
    "object": {"task": "adopted_app.tasks.clean", "schedule": schedule(run_every=90)},
    "report": {"task": "adopted_app.tasks.report", "schedule": 90, "args": (7,)},
    "nothing": {"schedule": 60},
})
Celery("shop").config_from_object("django.conf:settings", namespace="CELERY")
adopt("beat-schedule")
"""
    counts = "# Beat counts an interval from the last run; “{}” counts from midnight UTC, 1 January 1970."
    toml = f"""
# From beat_schedule, 'sunday'.
[jobs.sunday]
target = "adopted_app.jobs.clean"
restart = "never"
schedule = "30 7 * * SUN"
time_zone = "Europe/Berlin"

# From beat_schedule, 'often'.
{counts.format("every 6 h")}
# Not carried over: queue. A job has no queue: its processes run it.
[jobs.often]
target = "adopted_app.jobs.clean"
kwargs = {{ days = 7 }}
restart = "never"
schedule = "every 6 h"

# From beat_schedule, 'delta'.
{counts.format("every 5 min")}
[jobs.delta]
target = "adopted_app.jobs.clean"
restart = "never"
schedule = "every 5 min"

# From beat_schedule, 'object'.
{counts.format("every 90 s")}
[jobs.object]
target = "adopted_app.jobs.clean"
restart = "never"
schedule = "every 90 s"

# From beat_schedule, 'report'.
{counts.format("every 90 s")}
[jobs.report]
target = "adopted_app.tasks.report.run"
kwargs = {{ days = 7 }}
restart = "never"
schedule = "every 90 s"
"""
    compare(run_site(script), toml, "nothing … It names no task", code=1)


@pytest.mark.slow
@without("django_q")
def test_django_q2(run_site: Any) -> None:
    script = """
site("django_q", Q_CLUSTER={"orm": "default"})
from django_q.models import Schedule
first = datetime(2190, 8, 11, 3, 20, tzinfo=ZoneInfo("Europe/Berlin"))
common = {"func": "adopted_app.jobs.clean", "next_run": first}
Schedule.objects.create(name="daily clean", schedule_type="D", args="7", hook="adopted_app.hooks.done", **common)
call = {"func": "django.core.management.call_command", "args": "'clearsessions'"}
Schedule.objects.create(schedule_type="I", minutes=15, **call)
Schedule.objects.create(schedule_type="BW", **common)
adopt("django-q2")
"""
    toml = """
# From django-q2, row 1.
# Its program is called daily clean.
# Not carried over: hook. A job is called, and that is all: no hook, no cluster, no group.
[jobs.daily-clean]
target = "adopted_app.jobs.clean"
kwargs = { days = 7 }
restart = "never"
schedule = "20 3 * * *"
time_zone = "Europe/Berlin"

# From django-q2, row 2.
# django-q counts from the last run; “every 15 min” counts from midnight UTC.
[jobs.clearsessions]
command = "clearsessions"
restart = "never"
schedule = "every 15 min"
"""
    compare(run_site(script), toml, "clean … django-q2, row 3 … Every second week is no schedule", code=1)


@pytest.mark.parametrize(
    ("package", "said"),
    [
        (
            "django-q2",
            "“django_q” is not among INSTALLED_APPS here: adopt with the settings that its rows are used with.",
        ),
        ("celery-beat", "“django_celery_beat” is not among INSTALLED_APPS here"),
        ("django-crontab", "django-crontab has no schedule."),
    ],
)
def test_a_package_that_is_not_there_is_told(run_site: Any, package: str, said: str) -> None:
    done = run_site(f"site()\nadopt({package!r})")
    assert said in done.stderr
    assert done.stdout == ""
    assert done.returncode == (0 if "no schedule" in said else 2)
