"""``manage.py workerd sync``: what it writes, what it keeps, what it says, and its exit codes."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models.signals import post_delete, post_save
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from workerd.models import Job, Node, Slot
from workerd.sync.plan import GIVEN_KEY

pytestmark = pytest.mark.django_db

IN_STEP, TO_DECIDE, INVALID = 0, 1, 2
MAIL = '[jobs.mail]\ntarget = "shop.jobs.ship_orders"\nprocesses = {processes}\n'
CLEAN = '[jobs.clean]\ncommand = "expire_carts --every {every}"\n'

Define = Callable[[str], None]


@pytest.fixture
def define(settings: Any, tmp_path: Path) -> Define:
    """Have the code say what a text of TOML says."""
    path = tmp_path / "jobs.toml"
    settings.WORKERD = {**settings.WORKERD, "DEFINITIONS": [path], "NAME": "shop"}
    return lambda text: void(path.write_text(text))


def void(_result: object) -> None:
    """Return nothing."""


def sync(*words: str, verb: str = "sync") -> tuple[int, str]:
    """Return the exit code, and both outputs."""
    output = io.StringIO()
    try:
        call_command("workerd", verb, *words, stdout=output, stderr=output)
    except SystemExit as end:
        return int(str(end.code)), output.getvalue()
    return 0, output.getvalue()


def edit(name: str, **fields: Any) -> None:
    """Change a row as the admin does."""
    job = Job.objects.get(name=name)
    for field, value in fields.items():
        setattr(job, field, value)
    job.full_clean()
    job.save()


def run_processes(job: Job, count: int, state: str = "RUNNING") -> None:
    node, _ = Node.objects.get_or_create(name="shop", host="here", defaults={"pulse": timezone.now()})
    for index in range(count):
        Slot.objects.create(node=node, job=job, job_name=job.name, index=index, name=f"{job}:{index}", state=state)


# what is written


def test_new_jobs_become_rows_that_know_what_was_written(define: Define) -> None:
    define(MAIL.format(processes=2) + CLEAN.format(every=5))

    code, output = sync()

    assert code == IN_STEP
    mail = Job.objects.get(name="mail")
    assert (mail.target, mail.processes, mail.enabled, mail.source) == ("shop.jobs.ship_orders", 2, True, "shop")
    assert mail.synced == {"target": "shop.jobs.ship_orders", "command": "", "processes": 2}
    assert "clean: new" in output
    assert sync() == (IN_STEP, "Jobs: 2 in step.\n")


def test_new_jobs_may_be_made_switched_off_and_are_in_step_then(define: Define) -> None:
    define(MAIL.format(processes=2) + "enabled = true\n" + CLEAN.format(every=5))

    code, output = sync("--create-disabled")

    assert code == IN_STEP
    assert "mail: new, and off" in output
    assert not Job.objects.filter(enabled=True).exists()
    assert sync()[0] == IN_STEP
    edit("mail", enabled=True)
    edit("clean", enabled=True)
    assert sync()[0] == IN_STEP
    assert sync() == (IN_STEP, "Jobs: 2 in step.\n")


def test_the_code_may_switch_on_what_sync_has_made_switched_off(define: Define) -> None:
    """Nobody has edited the row: it is off by the option alone, and stays so until the code says something of it."""
    define(CLEAN.format(every=5))
    sync("--create-disabled")
    assert sync() == (IN_STEP, "Jobs: 1 in step.\n")
    assert not Job.objects.get().enabled

    define(CLEAN.format(every=5) + "enabled = true\n")
    code, output = sync()

    assert (code, Job.objects.get().enabled) == (IN_STEP, True)
    assert "enabled: false → true" in output
    assert sync() == (IN_STEP, "Jobs: 1 in step.\n")


def test_what_the_admin_has_switched_off_again_is_the_admins(define: Define) -> None:
    define(CLEAN.format(every=5))
    sync("--create-disabled")
    edit("clean", enabled=True)
    sync()
    edit("clean", enabled=False)
    define(CLEAN.format(every=5) + "enabled = true\n")
    code, output = sync()

    assert (code, Job.objects.get().enabled) == (TO_DECIDE, False)
    assert "clean: conflict" in output


def test_what_the_code_changes_is_written_and_what_the_admin_changed_is_kept(define: Define) -> None:
    define(MAIL.format(processes=2) + CLEAN.format(every=5))
    sync()
    edit("mail", processes=5, nice=3)

    define(MAIL.format(processes=2) + 'stop_timeout = "90s"\n' + CLEAN.format(every=6))
    code, output = sync()

    mail = Job.objects.get(name="mail")
    assert (mail.processes, mail.nice, mail.stop_timeout) == (5, 3, 90.0)
    assert Job.objects.get(name="clean").command == "expire_carts --every 6"
    assert code == TO_DECIDE
    assert "mail: changed, drift" in output
    assert "processes: the row has 5, the code says 2; “--take mail.processes” writes that" in output
    assert "stop_timeout: 10 s → 1 min 30 s" in output
    assert "nice" not in output  # the code does not say it, so it is the admin's


def test_both_changed_is_a_conflict_until_somebody_chooses(define: Define) -> None:
    define(MAIL.format(processes=2))
    sync()
    edit("mail", processes=5)
    define(MAIL.format(processes=3))

    code, output = sync()
    assert (code, Job.objects.get().processes) == (TO_DECIDE, 5)
    assert "mail: conflict" in output
    assert "both have changed: the row has 5, the code says 3" in output

    assert sync("--take", "mail.processes")[0] == IN_STEP
    assert Job.objects.get().processes == 3


def test_an_accepted_value_is_in_step_until_the_code_says_another(define: Define) -> None:
    define(MAIL.format(processes=2))
    sync()
    edit("mail", processes=5)

    assert sync("--give", "mail")[0] == IN_STEP
    assert sync() == (IN_STEP, "Jobs: 1 in step.\n")
    assert Job.objects.get().synced[GIVEN_KEY] == {"processes": 5}

    define(MAIL.format(processes=4))
    assert sync()[0] == TO_DECIDE
    assert Job.objects.get().processes == 5


def test_an_accepted_field_that_leaves_the_code_is_the_admins(define: Define) -> None:
    define(MAIL.format(processes=2))
    sync()
    edit("mail", processes=5)
    sync("--give", "mail.processes")

    define(MAIL.format(processes=2).replace("processes = 2", ""))

    assert sync()[0] == IN_STEP
    assert Job.objects.get().processes == 5
    edit("mail", processes=6)
    assert sync() == (IN_STEP, "Jobs: 1 in step.\n")


def test_a_field_that_leaves_the_code_goes_back_to_its_default(define: Define) -> None:
    define(MAIL.format(processes=2) + "nice = 5\n")
    sync()
    edit("mail", nice=7)

    define(MAIL.format(processes=2).replace("processes = 2", ""))
    code, output = sync()

    assert (Job.objects.get().processes, Job.objects.get().nice) == (1, 7)
    assert "processes: 2 → 1, the default, as the code no longer says it" in output
    assert "nice: the row has 7, the code no longer says it, and the default is 0" in output
    assert code == TO_DECIDE
    assert sync("--give", "mail.nice")[0] == IN_STEP
    assert sync() == (IN_STEP, "Jobs: 1 in step.\n")


def test_a_job_that_runs_something_else_runs_nothing_more(define: Define) -> None:
    define('[jobs.clean]\ntarget = "shop.jobs.audit_books"\n')
    sync()
    define(CLEAN.format(every=5))

    assert sync()[0] == IN_STEP

    job = Job.objects.get()
    assert (job.target, job.command) == ("", "expire_carts --every 5")


def test_a_schedule_that_comes_and_goes_takes_restart_along(define: Define) -> None:
    define('[jobs.audit]\ntarget = "shop.jobs.audit_books"\nschedule = "30 2 * * *"\ntime_zone = "Europe/Berlin"\n')
    _, output = sync()
    assert Job.objects.get().restart == "on_failure"
    assert "02:30 Europe/Berlin" in output

    define('[jobs.audit]\ntarget = "shop.jobs.audit_books"\n')
    code, output = sync()

    assert (code, Job.objects.get().restart, Job.objects.get().schedule) == (IN_STEP, "always", "")
    assert "audit: changed; runs always from now on" in output


def test_what_the_admins_form_does_to_a_text_is_no_change(define: Define) -> None:
    """It strips texts, and ends lines as browsers do."""
    define(CLEAN.format(every=5) + 'notes = """\none\ntwo\n"""\n')
    sync()

    edit("clean", notes="one\r\ntwo")

    assert sync() == (IN_STEP, "Jobs: 1 in step.\n")


# rows that are gone, the admin's, and another service's


def test_a_row_whose_definition_is_gone_is_switched_off_and_comes_back(define: Define) -> None:
    define(MAIL.format(processes=2) + CLEAN.format(every=5))
    sync()
    define(CLEAN.format(every=5))

    code, output = sync()
    assert (code, Job.objects.get(name="mail").enabled) == (IN_STEP, False)
    assert "mail: gone from the code; switched off, “--prune” deletes it" in output
    assert sync()[0] == IN_STEP

    define(MAIL.format(processes=2) + CLEAN.format(every=5))
    assert sync()[0] == IN_STEP
    assert Job.objects.get(name="mail").enabled
    assert sync() == (IN_STEP, "Jobs: 2 in step.\n")


def test_a_job_that_the_admin_had_switched_off_stays_off_when_it_comes_back(define: Define) -> None:
    define(MAIL.format(processes=2) + CLEAN.format(every=5))
    sync()
    edit("mail", enabled=False)
    define(CLEAN.format(every=5))
    assert "mail: gone from the code; it is off already" in sync()[1]
    assert "Jobs: 2 in step." in sync("--dry-run")[1]

    define(MAIL.format(processes=2) + CLEAN.format(every=5))
    sync()

    assert not Job.objects.get(name="mail").enabled
    assert sync() == (IN_STEP, "Jobs: 2 in step.\n")


def test_a_gone_row_that_was_off_and_is_switched_on_later_is_drift(define: Define) -> None:
    define(MAIL.format(processes=2) + CLEAN.format(every=5))
    sync()
    edit("mail", enabled=False)
    define(CLEAN.format(every=5))
    sync()

    edit("mail", enabled=True)

    assert sync()[0] == TO_DECIDE
    assert Job.objects.get(name="mail").enabled


def test_a_gone_row_that_is_switched_on_again_is_drift_until_somebody_chooses(define: Define) -> None:
    define(MAIL.format(processes=2) + CLEAN.format(every=5))
    sync()
    define(CLEAN.format(every=5))
    sync()
    edit("mail", enabled=True)

    code, output = sync("--prune")
    assert (code, Job.objects.get(name="mail").enabled) == (TO_DECIDE, True)
    assert "“--take mail” switches it off, “--give mail” leaves it to the admin" in output

    assert sync("--give", "mail")[0] == IN_STEP
    mail = Job.objects.get(name="mail")
    assert (mail.enabled, mail.source, mail.synced) == (True, "", None)
    assert sync() == (IN_STEP, "Jobs: 1 in step.\n")


def test_prune_deletes_what_is_gone_from_the_code(define: Define) -> None:
    define(MAIL.format(processes=2) + CLEAN.format(every=5))
    sync()
    define(CLEAN.format(every=5))

    code, output = sync("--prune")

    assert code == IN_STEP
    assert "mail: gone from the code; deleted" in output
    assert list(Job.objects.values_list("name", flat=True)) == ["clean"]


def test_a_row_of_the_admin_is_taken_over_only_by_adopt(define: Define) -> None:
    Job.objects.create(name="mail", target="shop.jobs.ship_orders", processes=5, stop_timeout=20)
    define(MAIL.format(processes=2) + "nice = 3\n")

    code, output = sync()
    assert code == TO_DECIDE
    assert "mail: conflict: the admin has a row of this name; “--adopt mail”" in output
    assert Job.objects.get().source == ""

    code, output = sync("--adopt", "mail")
    mail = Job.objects.get()
    assert (mail.source, mail.nice, mail.processes, mail.stop_timeout) == ("shop", 3, 5, 20)
    assert code == TO_DECIDE
    assert "mail: taken over by the code, changed, conflict" in output

    assert sync("--adopt", "mail", "--take", "mail")[0] == IN_STEP
    assert Job.objects.get().processes == 2


def test_two_services_on_one_database_leave_each_others_rows_alone(define: Define, settings: Any) -> None:
    define(MAIL.format(processes=2) + CLEAN.format(every=5))
    sync()
    before = list(Job.objects.values().order_by("name"))
    settings.WORKERD = {**settings.WORKERD, "NAME": "depot"}
    define(MAIL.format(processes=7) + '[jobs.feed]\ntarget = "shop.jobs.price_feed"\n')

    code, output = sync("--prune", "--take", "mail")

    assert code == TO_DECIDE
    assert "mail: conflict: the row comes from the definitions of “shop”; rename one of the two jobs" in output
    assert list(Job.objects.exclude(name="feed").values().order_by("name")) == before
    assert Job.objects.get(name="feed").source == "depot"


def test_a_service_under_another_name_takes_its_rows_along_by_adopt(define: Define, settings: Any) -> None:
    define(MAIL.format(processes=2))
    sync()
    edit("mail", processes=5)
    settings.WORKERD = {**settings.WORKERD, "NAME": "depot"}

    code, _ = sync("--adopt", "mail")

    mail = Job.objects.get()
    assert (code, mail.source, mail.processes) == (TO_DECIDE, "depot", 5)
    assert mail.synced["processes"] == 2


def test_a_row_of_an_earlier_release_is_the_admins(define: Define) -> None:
    """Its columns are null."""
    Job.objects.create(name="mail", target="shop.jobs.ship_orders")
    Job.objects.update(source=None, synced=None, schedule=None, overlap=None, start_within=None, starts_after=None)
    define('[jobs.mail]\ntarget = "shop.jobs.ship_orders"\nstart_within = 600\noverlap = "skip"\n')

    assert sync()[0] == TO_DECIDE
    assert sync("--adopt", "mail")[0] == IN_STEP
    assert sync() == (IN_STEP, "Jobs: 1 in step.\n")


# a release that is rolled back


def test_a_release_that_is_rolled_back_undoes_neither_rows_nor_edits(define: Define) -> None:
    """Its sync sets what its code says, as whoever rolls back wants; what the newer one made is off, and kept."""
    old, new = MAIL.format(processes=2), MAIL.format(processes=4) + CLEAN.format(every=5)
    define(old)
    sync()
    define(new)
    sync()
    edit("clean", nice=7)
    edit("mail", stop_timeout=55)

    define(old)
    assert sync()[0] == IN_STEP
    mail, clean = Job.objects.get(name="mail"), Job.objects.get(name="clean")
    assert (mail.processes, mail.stop_timeout) == (2, 55)
    assert (clean.enabled, clean.nice) == (False, 7)

    define(new)
    assert sync()[0] == IN_STEP
    mail, again = Job.objects.get(name="mail"), Job.objects.get(name="clean")
    assert (mail.processes, mail.stop_timeout) == (4, 55)
    assert (again.pk, again.enabled, again.nice) == (clean.pk, True, 7)


def test_an_edit_since_the_newer_release_survives_the_older_one(define: Define) -> None:
    define(MAIL.format(processes=2))
    sync()
    define(MAIL.format(processes=4))
    sync()
    edit("mail", processes=6)
    define(MAIL.format(processes=2))

    assert sync()[0] == TO_DECIDE
    assert Job.objects.get().processes == 6


# what is refused


def test_invalid_definitions_are_all_named_and_nothing_is_written(define: Define) -> None:
    define('[jobs.good]\ntarget = "shop.jobs.audit_books"\n[jobs.bad]\ntarget = "os.system"\n[jobs.worse]\nnice = 99\n')

    code, output = sync()

    assert code == INVALID
    assert "jobs.toml, line 4" in output
    assert "jobs.toml, line 6" in output
    assert output.endswith("Nothing was written.\n")
    assert not Job.objects.exists()


def test_a_row_that_would_be_wrong_stops_the_whole_sync(define: Define) -> None:
    """The definition alone is right; with what the admin has set it is not."""
    define('[jobs.mail]\ntarget = "shop.jobs.ship_orders"\n')
    sync()
    edit("mail", backoff_max=5)
    define('[jobs.mail]\ntarget = "shop.jobs.ship_orders"\nbackoff_initial = 20\n' + CLEAN.format(every=5))

    code, output = sync()

    assert code == INVALID
    assert "jobs.toml, line 1: the row “mail” would be wrong: backoff_max, the longest delay, is 5 s" in output
    assert not Job.objects.filter(name="clean").exists()
    assert Job.objects.get().backoff_initial == 0.5


@pytest.mark.parametrize(
    ("row", "code", "sentence"),
    [
        ({"starts_after": ["mail"]}, 'starts_after = ["feed"]', "makes a circle, mail → feed → mail"),
        ({"schedule": "@daily", "restart": "never"}, 'starts_after = ["feed"]', "“feed”, which has a schedule"),
        ({"starts_after": ["mail"]}, 'schedule = "@daily"', "“feed” would start after this job"),
    ],
)
def test_an_order_of_start_that_rows_of_the_admin_forbid_stops_the_whole_sync(
    define: Define, row: dict[str, Any], code: str, sentence: str
) -> None:
    Job.objects.create(name="feed", target="shop.jobs.ship_orders", **row)
    define(CLEAN.format(every=5) + f'[jobs.mail]\ntarget = "shop.jobs.ship_orders"\n{code}\n')

    exit_code, output = sync()

    assert exit_code == INVALID
    assert "jobs.toml, line 3: the job “mail”: " in output
    assert sentence in output
    assert not Job.objects.exclude(name="feed").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--take", "mial"), "--take mial: the code defines no job “mial”. Did you mean “mail”?"),
        (("--give", "mail.proceses"), "the code does not say “proceses” of “mail”. Did you mean “processes”?"),
        (("--take", "mail.nice"), "the code does not say “nice” of “mail”. There are command, processes, target."),
        (("--adopt", "mail.processes"), "a row is adopted as a whole. Write --adopt mail."),
        (("--adopt", "feed"), "--adopt feed: the code defines no job “feed”."),
        (("--take", "mail", "--give", "mail"), "“mail” is both taken and given: choose one."),
    ],
)
def test_a_choice_that_means_nothing_is_refused(define: Define, words: tuple[str, ...], sentence: str) -> None:
    define(MAIL.format(processes=2))
    sync()
    define(MAIL.format(processes=3))

    code, output = sync(*words)

    assert code == INVALID
    assert sentence in output
    assert Job.objects.get().processes == 2


def test_a_service_that_defines_nothing_switches_nothing_off(define: Define, settings: Any) -> None:
    define(MAIL.format(processes=2))
    sync()
    settings.WORKERD = {**settings.WORKERD, "DEFINITIONS": []}

    code, output = sync()

    assert code == INVALID
    assert 'WORKERD["DEFINITIONS"] names no file' in output
    assert Job.objects.get().enabled


def test_an_empty_file_switches_off(define: Define) -> None:
    define(MAIL.format(processes=2))
    sync()
    define("")

    assert sync()[0] == IN_STEP
    assert not Job.objects.get().enabled


# what it costs, and what it tells


def test_rows_in_step_are_read_once_and_not_written(define: Define) -> None:
    define(MAIL.format(processes=2) + CLEAN.format(every=5))
    sync()

    with CaptureQueriesContext(connection) as queries:
        assert sync()[0] == IN_STEP

    assert len(queries) == 1, [query["sql"] for query in queries]


def test_a_dry_run_says_the_same_and_writes_nothing(define: Define) -> None:
    define(MAIL.format(processes=2))
    sync()
    define(MAIL.format(processes=3) + CLEAN.format(every=5))
    before = list(Job.objects.values())

    code, tried = sync("--dry-run")

    assert (code, list(Job.objects.values())) == (TO_DECIDE, before)
    assert tried.endswith("Nothing was written (--dry-run).\n")
    _, done = sync()
    assert [line.partition(";")[0] for line in done.splitlines() if line.startswith((" ", "mail", "clean"))] == [
        line.partition(";")[0] for line in tried.splitlines() if line.startswith((" ", "mail", "clean"))
    ]
    assert sync("--dry-run") == (IN_STEP, "Jobs: 2 in step.\n")


def test_each_row_that_changes_is_saved_so_that_its_signals_are_sent(define: Define) -> None:
    sent: list[tuple[str, str]] = []

    def saved(instance: Job, **_: Any) -> None:
        sent.append(("saved", instance.name))

    def deleted(instance: Job, **_: Any) -> None:
        sent.append(("deleted", instance.name))

    define(MAIL.format(processes=2) + CLEAN.format(every=5))
    sync()
    post_save.connect(saved, sender=Job)
    post_delete.connect(deleted, sender=Job)
    try:
        define(MAIL.format(processes=3) + '[jobs.feed]\ntarget = "shop.jobs.price_feed"\n')
        sync("--prune")
    finally:
        post_save.disconnect(saved, sender=Job)
        post_delete.disconnect(deleted, sender=Job)

    assert sent == [("deleted", "clean"), ("saved", "feed"), ("saved", "mail")]


def test_a_change_leaves_what_others_write_to_the_row(define: Define) -> None:
    """The ledger writes ``problem`` at any moment."""
    define(MAIL.format(processes=2))
    sync()
    Job.objects.update(problem="It has one.")
    define(MAIL.format(processes=3))

    with CaptureQueriesContext(connection) as queries:
        sync()

    [update] = [query["sql"] for query in queries if query["sql"].startswith("UPDATE") and "processes" in query["sql"]]
    assert "problem" not in update
    assert "stop_timeout" not in update


@pytest.mark.parametrize(
    ("change", "effect"),
    [
        ("processes = 4", "mail: changed; starts 2 processes"),
        ("processes = 1", "mail: changed; stops 1 process"),
        ("processes = 2\nnice = 5", "mail: changed; restarts 2 processes"),
        ("processes = 3\nnice = 5", "mail: changed; restarts 2 processes; starts 1 process"),
        ("processes = 1\nnice = 5", "mail: changed; restarts 1 process; stops 1 process"),
        ("processes = 2\nstop_timeout = 5", "mail: changed; restarts nothing"),
        ("processes = 2\nenabled = false", "mail: changed; stops 2 processes"),
        ('processes = 2\nschedule = "@daily"', "mail: changed; stops 2 processes; next: "),
    ],
)
def test_it_says_what_becomes_of_running_processes(define: Define, change: str, effect: str) -> None:
    define(MAIL.format(processes=2))
    sync()
    run_processes(Job.objects.get(), 2)
    define(MAIL.format(processes=2).replace("processes = 2", change))

    _, tried = sync("--dry-run")
    _, done = sync()

    assert effect in tried
    assert effect in done


def test_where_no_daemon_reports_it_says_that_and_a_dry_run_supposes_one(define: Define) -> None:
    define(MAIL.format(processes=2))
    sync()
    define(MAIL.format(processes=2) + "nice = 5\n")

    assert "mail: changed; restarts 2 processes" in sync("--dry-run")[1]
    done = sync()[1]
    assert "restarts" not in done
    assert "No daemon reports now." in done


def test_secrets_are_masked_and_a_change_of_one_is_said(define: Define, settings: Any) -> None:
    feed = '[jobs.feed]\ntarget = "tests.process.bad_jobs.jobs.say"\nkwargs = {{ text = "{text}" }}\n'
    settings.WORKERD = {**settings.WORKERD, "SECRET_KWARGS": ["text", "every"]}
    outputs = []
    for number in (1, 2):
        define(CLEAN.format(every=f"98765.4{number}") + feed.format(text=f"hidden-{number}"))
        outputs.append(sync()[1])
    edit("feed", kwargs={"text": "hidden-3"})
    outputs.append(sync()[1])

    assert outputs[1].count("(changed in what is not shown)") == 2
    assert 'kwargs: the row has {"text": "********"}' in outputs[2]
    for secret in ("hidden", "98765"):
        assert secret not in "".join(outputs)


# rows that are not there yet


def test_once_says_of_a_job_that_only_the_code_has_how_it_gets_a_row(define: Define) -> None:
    define(CLEAN.format(every=5))

    code, output = sync("clean", verb="once")
    unknown, names = sync("clear", verb="once")

    assert (code, unknown) == (1, 1)
    assert "The code defines the job “clean”, but it has no row yet: “manage.py workerd sync” makes one" in output
    assert "There is no job “clear”." in names
