"""The settings: defaults, every problem at once, each with its remedy."""

import os
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from django.test import override_settings

from workerd.conf import Problem, Settings, SettingsError, find_problems, get_settings
from workerd.setting_keys import KEYS


def find(values: Any, *, for_run: bool = False) -> list[Problem]:
    with override_settings(WORKERD=values):
        return find_problems(for_run=for_run)


def test_a_project_that_sets_nothing_has_the_defaults() -> None:
    with override_settings():
        from django.conf import settings

        del settings.WORKERD
        found = get_settings()

    assert found == Settings(
        name="workerd",
        state_dir=None,
        database="default",
        poll_seconds=1.0,
        preload=(),
        targets=(),
        commands=(),
        before_fork=(),
        strict_fork=False,
        conn_max_age=300.0,
        log_format="auto",
        http_bind=None,
        run_retention_s=30 * 86400.0,
        spool_max_bytes=64 * 2**20,
        max_unavailable=None,
        secret_kwargs=found.secret_kwargs,
        exit_when_parked=False,
        log_level=None,
        env=(),
        max_processes=1000,
        definitions=(),
        labels={},
        engines=(),
        alerts=(),
        alert_quiet_s=900.0,
        alerts_per_hour=60,
        alert_down_s=300.0,
        alert_out_s=60.0,
        alert_circle=(10, 600.0),
    )
    assert {"*password*", "*secret*", "*token*", "*key*"} <= set(found.secret_kwargs)


def test_the_defaults_have_no_problem() -> None:
    assert find({}) == []


def test_each_key_has_its_attribute() -> None:
    assert [key.attribute for key in KEYS.values()] == [field.name for field in fields(Settings)]


def test_a_change_of_the_settings_is_seen_at_once() -> None:
    with override_settings(WORKERD={"NAME": "one"}):
        assert get_settings().name == "one"
        with override_settings(WORKERD={"NAME": "two"}):
            assert get_settings().name == "two"


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("NAME", "shop-2_b", "shop-2_b"),
        ("STATE_DIR", "/var/lib/shop", Path("/var/lib/shop")),
        ("STATE_DIR", Path("/var/lib/shop"), Path("/var/lib/shop")),
        ("POLL_SECONDS", 2, 2.0),
        ("PRELOAD", ["shop.pricing"], ("shop.pricing",)),
        ("TARGETS", ("shop.tasks.*",), ("shop.tasks.*",)),
        ("COMMANDS", ["db_worker"], ("db_worker",)),
        ("DEFINITIONS", ["/srv/jobs.toml", Path("/srv/b.toml")], (Path("/srv/jobs.toml"), Path("/srv/b.toml"))),
        ("BEFORE_FORK", [os.getpid], (os.getpid,)),
        ("BEFORE_FORK", ["os.getpid"], ("os.getpid",)),
        ("CONN_MAX_AGE", None, None),
        ("CONN_MAX_AGE", 0, 0.0),
        ("LOG_FORMAT", "json", "json"),
        ("HTTP_BIND", "127.0.0.1:9187", "127.0.0.1:9187"),
        ("HTTP_BIND", "[::1]:9187", "[::1]:9187"),
        ("RUN_RETENTION", timedelta(days=2), 172800.0),
        ("RUN_RETENTION", "2 d", 172800.0),
        ("RUN_RETENTION", 60, 60.0),
        ("MAX_UNAVAILABLE", 3, 3),
        ("SECRET_KWARGS", [], ()),
        ("LOG_LEVEL", "INFO", 20),
        ("LOG_LEVEL", None, None),
        ("ENV", ["SHOP_*", "MAIL_PASSWORD"], ("SHOP_*", "MAIL_PASSWORD")),
        ("LABELS", {"zone": "a", "k8s.io/disk": ""}, {"zone": "a", "k8s.io/disk": ""}),
        ("LABELS", MappingProxyType({"zone": "a"}), {"zone": "a"}),
        ("ENGINES", [], ()),
    ],
)
def test_a_good_value_is_read(key: str, value: object, read: object) -> None:
    assert find({key: value}) == []
    with override_settings(WORKERD={key: value}):
        assert getattr(get_settings(), KEYS[key].attribute) == read


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("NAME", ""),
        ("NAME", "two words"),
        ("NAME", "-x"),
        ("NAME", "../x"),
        ("NAME", "x\n"),
        ("NAME", "x" * 61),
        ("NAME", 7),
        ("STATE_DIR", "state"),
        ("STATE_DIR", b"/var/lib/shop"),
        ("STATE_DIR", "/var\0lib"),
        ("DATABASE", "nowhere"),
        ("DATABASE", ["default"]),
        ("POLL_SECONDS", 0),
        ("POLL_SECONDS", -1),
        ("POLL_SECONDS", "1"),
        ("POLL_SECONDS", True),
        ("POLL_SECONDS", float("nan")),
        ("POLL_SECONDS", float("inf")),
        ("PRELOAD", "shop.pricing"),
        ("PRELOAD", ["shop pricing"]),
        ("TARGETS", "shop.*"),
        ("TARGETS", [""]),
        ("TARGETS", [None]),
        ("COMMANDS", "db_worker"),
        ("COMMANDS", ["db_worker --queue mail"]),
        ("BEFORE_FORK", "shop.search.close"),
        ("BEFORE_FORK", [7]),
        ("BEFORE_FORK", ["shop.search.close()"]),
        ("DEFINITIONS", "/srv/jobs.toml"),
        ("DEFINITIONS", Path("/srv/jobs.toml")),
        ("DEFINITIONS", ["jobs.toml"]),
        ("DEFINITIONS", ["/srv/jobs\0.toml"]),
        ("DEFINITIONS", [None]),
        ("STRICT_FORK", "no"),
        ("STRICT_FORK", 1),
        ("CONN_MAX_AGE", -1),
        ("LOG_FORMAT", "xml"),
        ("LOG_FORMAT", ["json"]),
        ("HTTP_BIND", 9187),
        ("HTTP_BIND", "9187"),
        ("HTTP_BIND", "localhost"),
        ("HTTP_BIND", "localhost:0"),
        ("HTTP_BIND", "localhost:99999"),
        ("HTTP_BIND", "::1:9187"),
        ("RUN_RETENTION", "soon"),
        ("RUN_RETENTION", timedelta(days=-1)),
        ("RUN_RETENTION", None),
        ("SPOOL_MAX", 1024),
        ("SPOOL_MAX", "64 MiB"),
        ("MAX_UNAVAILABLE", 0),
        ("MAX_UNAVAILABLE", 0.1),
        ("SECRET_KWARGS", "*key*"),
        ("EXIT_WHEN_PARKED", None),
        ("LOG_LEVEL", "info"),
        ("LOG_LEVEL", 20),
        ("LOG_LEVEL", []),
        ("LABELS", "zone=a"),
        ("ENGINES", "rq"),
        ("ENGINES", ["resque"]),
        ("ENGINES", ["rq", None]),
        ("LABELS", None),
        ("LABELS", ["zone"]),
        ("LABELS", {"zone": None}),
        ("LABELS", {"zone": 1}),
        ("LABELS", {1: "a"}),
        ("LABELS", {"": "a"}),
        ("LABELS", {"two words": "a"}),
        ("LABELS", {"zone": "a b"}),
        ("LABELS", {"zone": "a,disk=hdd"}),
        ("LABELS", {"zone\n": "a"}),
        ("LABELS", {"z" * 101: "a"}),
        ("LABELS", {"zone": "a" * 64}),
        ("LABELS", {f"label-{number}": "" for number in range(101)}),
    ],
)
def test_a_bad_value_is_one_problem_that_names_key_value_and_remedy(key: str, value: object) -> None:
    problems = find({key: value})

    assert [(problem.key, problem.level) for problem in problems] == [(key, "error")]
    assert str(problems[0]).startswith(f'WORKERD["{key}"] is {value!r}, not {KEYS[key].expected}. ')
    assert str(problems[0]).endswith(KEYS[key].remedy)


def test_every_problem_is_told_at_once() -> None:
    values = {"NAME": "", "POLL_SECONDS": 0, "TARGETS": "shop.*", "POLL_SECOND": 3}

    with override_settings(WORKERD=values), pytest.raises(SettingsError) as caught:
        get_settings()

    assert [problem.key for problem in caught.value.problems] == ["WORKERD", "NAME", "POLL_SECONDS", "TARGETS"]
    assert str(caught.value).splitlines() == [
        "WORKERD has no key 'POLL_SECOND'. Did you mean \"POLL_SECONDS\"?",
        (
            "WORKERD[\"NAME\"] is '', not a slug of at most 60 characters. "
            'Use letters, digits, - and _, such as "shop-workerd".'
        ),
        (
            'WORKERD["POLL_SECONDS"] is 0, not a number of seconds from 0.01 to 3600. '
            "1.0 is right unless edits may take longer to act."
        ),
        'WORKERD["TARGETS"] is \'shop.*\', not a list of dotted patterns. Write a list, such as ["shop.tasks.*"].',
    ]


@pytest.mark.parametrize("key", ["poll_seconds", "POLLSECONDS", "POLL-SECONDS"])
def test_a_misspelt_key_is_asked_back(key: str) -> None:
    assert find({key: 1.0}) == [Problem("WORKERD", f"WORKERD has no key {key!r}.", 'Did you mean "POLL_SECONDS"?')]


def test_a_key_like_no_other_is_answered_by_the_list() -> None:
    [problem] = find({7: 7})

    assert problem.message == "WORKERD has no key 7."
    assert all(key in problem.remedy for key in KEYS)


@pytest.mark.parametrize("values", [None, [], "workerd", 7])
def test_settings_that_are_no_dictionary_are_one_problem(values: object) -> None:
    [problem] = find(values)

    assert str(problem).startswith(f"WORKERD is {values!r}, not a dictionary. Write WORKERD = {{")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nowhere.at_all", "ModuleNotFoundError: No module named 'nowhere'"),
        ("os.no_such_name", 'ImportError: Module "os" does not define a "no_such_name" attribute/class'),
        ("os.sep", "TypeError: a str cannot be called"),
    ],
)
def test_a_before_fork_entry_that_does_not_load_is_a_problem(path: str, reason: str) -> None:
    [problem] = find({"BEFORE_FORK": ["os.getpid", path]})

    assert problem.key == "BEFORE_FORK"
    assert problem.message == f'WORKERD["BEFORE_FORK"] names {path!r}, which does not load: {reason}.'


def test_before_fork_is_loaded_from_paths_and_callables_alike() -> None:
    with override_settings(WORKERD={"BEFORE_FORK": ["os.getpid", os.getppid]}):
        assert get_settings().load_before_fork() == (os.getpid, os.getppid)


@pytest.mark.parametrize("pattern", ["*", "*.jobs.*", "?s.system", "[o]s.system", "os*"])
def test_a_target_pattern_without_a_package_is_warned_of(pattern: str) -> None:
    [problem] = find({"TARGETS": [pattern]})

    assert (problem.key, problem.level) == ("TARGETS", "warning")
    assert "os.system" in problem.message


@pytest.mark.parametrize("path", ["/tmp", "/tmp/workerd", "/var/tmp/x", "/dev/shm/x"])
def test_a_state_dir_where_cleaners_delete_is_warned_of(path: str) -> None:
    [problem] = find({"STATE_DIR": path})

    assert (problem.key, problem.level) == ("STATE_DIR", "warning")


def test_a_state_dir_is_asked_for_only_to_run() -> None:
    assert find({}) == []
    assert [str(problem) for problem in find({}, for_run=True)] == [
        'WORKERD["STATE_DIR"] is not set. Name a directory on a local disk, such as "/var/lib/shop/workerd".'
    ]


def test_a_state_dir_that_cannot_be_made_is_a_problem_to_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "state"

    messages = [problem.message for problem in find({"STATE_DIR": path}, for_run=True) if problem.level == "error"]

    assert messages == [f'WORKERD["STATE_DIR"] is “{path}”, but “{tmp_path / "file"}” is not a directory.']


@pytest.fixture
def nobody() -> Iterator[None]:
    """Be a user without rights for a while, where the tests run as root."""
    before = os.geteuid()
    if before == 0:
        find({})  # what Django imports at its first change of settings may stand where nobody but root looks
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.mark.usefixtures("nobody")
def test_a_place_that_is_not_writable_is_no_state_dir_to_run() -> None:
    messages = [problem.message for problem in find({"STATE_DIR": "/usr/lib/workerd"}, for_run=True)]

    assert messages == ['WORKERD["STATE_DIR"] is “/usr/lib/workerd”, but “/usr/lib” is not writable.']


def test_a_place_behind_a_closed_door_is_no_state_dir_to_run(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed").chmod(0)
    request.getfixturevalue("nobody")

    [message] = [
        problem.message
        for problem in find({"STATE_DIR": tmp_path / "closed" / "state"}, for_run=True)
        if problem.level == "error"
    ]

    assert message.endswith("but it cannot be looked at (Permission denied).")


def test_a_state_dir_that_is_not_there_yet_is_fine_where_it_can_be_made(tmp_path: Path) -> None:
    problems = find({"STATE_DIR": tmp_path / "not" / "yet"}, for_run=True)

    assert [problem for problem in problems if problem.level == "error"] == []


def test_an_engine_that_is_not_installed_is_named_with_what_pip_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workerd.engines.find_spec", lambda _module: None)

    (problem,) = find({"ENGINES": ["rq"]})

    assert problem.message == "WORKERD[\"ENGINES\"] names 'rq', but django-rq is not installed."
    assert problem.remedy == "Run: pip install django-rq"


def test_of_the_backends_of_djangos_tasks_one_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: set[str] = set()
    monkeypatch.setattr("workerd.engines.find_spec", lambda module: module if module in installed else None)

    (problem,) = find({"ENGINES": ["tasks"]})
    installed.add("django_ox")

    names = "django-tasks-db, django-tasks-rq, steady-queue, django-ox"
    assert problem.message == f"WORKERD[\"ENGINES\"] names 'tasks', but none of {names} is installed."
    assert find({"ENGINES": ["tasks"]}) == []
