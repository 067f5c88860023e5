"""``export`` prints rows that ``import`` makes again, whatever they hold, and no secret."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.harness.properties import examples
from workerd.command_secrets import is_secret
from workerd.job_rules import find_faults
from workerd.job_rules.ranges import DURATIONS
from workerd.job_rules.written import filled
from workerd.models import Job
from workerd.sync.rows import row_of

pytestmark = pytest.mark.django_db

TAKES_ANYTHING = "tests.django.child_jobs.finish"
SECRET = {"api_token": "s3cret", "depth": [{"password": "s3cret", "plain": 1}], "dsn": {"$env": "DSN"}, "key": None}


@pytest.fixture(autouse=True)
def allowed(settings: Any) -> None:
    settings.WORKERD = {**settings.WORKERD, "TARGETS": ["tests.django.child_jobs.*"], "ENV": ["DSN"], "NAME": "shop"}


def command(*words: str) -> tuple[int, str, str]:
    """Return the exit code, and both outputs."""
    output, errors = io.StringIO(), io.StringIO()
    try:
        call_command("workerd", *words, stdout=output, stderr=errors)
    except SystemExit as end:
        return int(str(end.code)), output.getvalue(), errors.getvalue()
    return 0, output.getvalue(), errors.getvalue()


def rows() -> dict[str, dict[str, Any]]:
    return {job.name: dict(row_of(job).values) for job in Job.objects.all()}


# whole rows

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | TEXTS
NAMES = TEXTS.map(lambda key: f"x{key}").filter(lambda key: not is_secret(key))
OBJECTS = st.dictionaries(NAMES, st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3), max_leaves=5))
SECONDS = st.floats(0.001, 1e6) | st.integers(1, 10**6).map(float)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "kwargs": OBJECTS,
    "enabled": st.booleans(),
    "processes": st.integers(0, 1000),
    "max_restarts": st.none() | st.integers(0, 10**6),
    "restart": st.sampled_from(["always", "on_failure", "never"]),
    "signals_ready": st.booleans(),
    "heartbeat": st.sampled_from(["any", "explicit", "group"]),
    "stop_signal": st.sampled_from(["TERM", "INT", "HUP"]),
    "max_memory": st.none() | st.floats(1, 2**24),
    "significant": st.booleans(),
    "nice": st.integers(-20, 19),
    "schedule": st.sampled_from(["", "30 2 * * *", "@daily", "every 15 min"]),
    "time_zone": st.sampled_from(["", "Europe/Berlin"]),
    "overlap": st.sampled_from(["skip", "queue", "replace"]),
    "notes": TEXTS,
    **dict.fromkeys(DURATIONS, SECONDS),
    "scope": st.sampled_from(["each_node", "fleet"]),
    "where": st.sampled_from(["", "zone=a, disk!=hdd", "!zone"]),
    "takeover_after": st.floats(10, 3600),
    "without_database": st.sampled_from(["stop", "go_on"]),
    "movable": st.booleans(),
    "labels": st.sampled_from(["", "team=billing, tier=1", "example.org/team="]),
}


@st.composite
def valid_rows(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what any row may hold: what breaks a rule between two fields is put right."""
    values = filled(draw(st.fixed_dictionaries({"target": st.just(TAKES_ANYTHING)}, optional=FIELDS)))
    values["backoff_max"] = max(values["backoff_initial"], values["backoff_max"])
    if values["start_timeout"] <= values["start_grace"]:
        values["start_grace"] = values["start_timeout"] / 2
    if values["schedule"] and values["restart"] == "always":
        values["restart"] = "never"
    assert find_faults({"name": "job", **values}) == []
    return {**values, "starts_after": list(values["starts_after"])}


@pytest.mark.slow
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60))
@given(values=valid_rows())
def test_import_makes_what_export_printed(values: dict[str, Any], tmp_path: Path) -> None:
    Job.objects.all().delete()
    Job.objects.create(name="job", **values)
    before = rows()
    file = tmp_path / "jobs.toml"
    file.write_text(command("export")[1])

    assert command("import", str(file))[0] == 0
    assert rows() == before

    Job.objects.all().delete()
    code, output, errors = command("import", str(file))
    assert (code, errors) == (0, ""), output
    assert rows() == before
    assert (Job.objects.get().source, Job.objects.get().synced) == ("", None)


def test_rows_that_come_from_code_are_in_step_with_what_was_exported(settings: Any, tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    Job.objects.create(name="mail", target=TAKES_ANYTHING, kwargs={"a": [1, None]}, nice=3)
    file.write_text(command("export")[1])
    settings.WORKERD = {**settings.WORKERD, "DEFINITIONS": [file]}

    assert command("sync", "--adopt", "mail")[0] == 0
    assert command("sync") == (0, "Jobs: 1 in step.\n", "")
    assert command("import", str(file)) == (0, "Jobs: 1 in step.\n", "")


# labels


def test_labels_are_synced_and_exported_as_a_table_and_an_edit_is_drift(settings: Any, tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    settings.WORKERD = {**settings.WORKERD, "DEFINITIONS": [file]}
    head = f'[jobs.mail]\ntarget = "{TAKES_ANYTHING}"\n'
    file.write_text(f'{head}labels = {{ team = "billing" }}\n')
    assert command("sync")[0] == 0
    assert Job.objects.get().labels == "team=billing"

    file.write_text(f'{head}labels = {{ team = "billing", tier = "1" }}\n')
    _, output, errors = command("sync")
    assert "labels: team=billing → team=billing, tier=1" in output, errors
    assert "restarts" not in output
    assert command("export")[1] == file.read_text()
    assert command("sync")[1] == "Jobs: 1 in step.\n"

    Job.objects.update(labels="team=shop")
    code, output, errors = command("sync")
    assert code != 0
    assert "labels: " in f"{output}{errors}"
    assert Job.objects.get().labels == "team=shop"


# secrets


def test_export_leaves_plain_secrets_out_and_says_so(settings: Any) -> None:
    settings.WORKERD = {**settings.WORKERD, "SECRET_KWARGS": ["*token*", "*password*", "dsn", "key", "every"]}
    Job.objects.create(name="feed", target=TAKES_ANYTHING, kwargs=SECRET, environment={"API_TOKEN": "s3cret"})
    Job.objects.create(name="carts", command="expire_carts --every 4711")

    code, output, errors = command("export")

    assert code == 0
    assert "s3cret" not in output + errors
    assert "4711" not in output + errors
    assert '# kwargs.api_token is left out, as it looks like a secret: write { "$env" = "NAME" }.' in output
    assert "# kwargs.depth[0].password is left out" in output
    assert "# environment.API_TOKEN is left out" in output
    assert "# command is left out, as it looks like it holds a secret: expire_carts --every ********." in output
    assert '"dsn": {"$env": "DSN"}' in output
    assert '"plain": 1' in output
    assert "feed: kwargs.api_token is left out" in errors


def test_a_command_that_was_left_out_is_refused_and_not_run_without_it(settings: Any, tmp_path: Path) -> None:
    settings.WORKERD = {**settings.WORKERD, "SECRET_KWARGS": ["every"]}
    Job.objects.create(name="carts", command="expire_carts --every 4711", nice=3)
    file = tmp_path / "jobs.toml"
    file.write_text(command("export")[1])

    code, _, errors = command("import", str(file))

    assert code == 2
    assert "Neither target nor command is set" in errors


# which rows


def test_export_prints_the_rows_that_are_asked_for() -> None:
    for name, source in (("a", ""), ("b", "shop"), ("c", None)):
        Job.objects.create(name=name, target=TAKES_ANYTHING, source=source)

    assert [line for line in command("export")[1].splitlines() if "[" in line] == ["[jobs.a]", "[jobs.b]", "[jobs.c]"]
    assert command("export", "b")[1] == f'[jobs.b]\ntarget = "{TAKES_ANYTHING}"\n'
    assert "[jobs.b]" not in command("export", "--from-admin-only")[1]
    code, output, errors = command("export", "a", "bb")
    assert (code, output) == (1, "")
    assert "There is no job “bb”." in errors


# import


def test_import_keeps_a_row_that_differs_until_it_is_told_to_take_the_files(tmp_path: Path) -> None:
    Job.objects.create(name="mail", target=TAKES_ANYTHING, nice=3)
    file = tmp_path / "jobs.toml"
    file.write_text(f'[jobs.mail]\ntarget = "{TAKES_ANYTHING}"\nnice = 5\nprocesses = 2\n')

    code, output, _ = command("import", str(file), "--dry-run")
    assert (code, Job.objects.get().processes) == (1, 1)
    code, output, _ = command("import", str(file))

    assert code == 1
    assert "nice: the row has 3, the file says 5; “--take mail.nice” writes that\n" in output
    assert "--give" not in output
    assert (Job.objects.get().nice, Job.objects.get().processes) == (3, 2)
    assert command("import", str(file), "--take", "mail")[0] == 0
    assert (Job.objects.get().nice, Job.objects.get().source, Job.objects.get().synced) == (5, "", None)


def test_import_switches_nothing_off_and_leaves_rows_of_code_alone(tmp_path: Path) -> None:
    Job.objects.create(name="other", target=TAKES_ANYTHING)
    Job.objects.create(name="mail", target=TAKES_ANYTHING, source="depot", synced={"nice": 0})
    file = tmp_path / "jobs.toml"
    file.write_text(f'[jobs.mail]\ntarget = "{TAKES_ANYTHING}"\nnice = 5\n')

    code, output, _ = command("import", str(file), "--take", "mail")

    assert code == 1
    assert "mail: conflict: the row comes from the definitions of “depot”; edit it there" in output
    assert Job.objects.get(name="mail").nice == 0
    assert Job.objects.get(name="other").enabled


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, _, errors = command("import", str(tmp_path / "absent.toml"))

    assert code == 2
    assert "absent.toml" in errors
