"""What is wrong with definitions is told all at once: each fault with its place and its remedy, and nothing raises."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workerd import registry
from workerd.definitions import declared
from workerd.definitions.declared import Declared, read_declared, read_file
from workerd.definitions.lines import find_lines
from workerd.definitions.toml_file import MAX_BYTES
from workerd.definitions.toml_text import _key, _value
from workerd.job_rules.written import DEFAULTS
from workerd.registry import job
from workerd.wire.visible import visible


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    """A project that allows what these definitions name, and whose working directory has the files."""
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(declared, "autodiscover", lambda: None)
    monkeypatch.chdir(tmp_path)
    settings.WORKERD = {"COMMANDS": ["check", "migrate"], "TARGETS": ["os.path.*"], "ENV": ["CLEAN_TOKEN"]}


@pytest.fixture
def declare(settings: Any, tmp_path: Path) -> Callable[..., Declared]:
    """Write the texts into files of these names, and read the declared set."""

    def write(**texts: str | bytes) -> Declared:
        paths = []
        for name, text in texts.items():
            paths.append(tmp_path / f"{name}.toml")
            paths[-1].write_bytes(text.encode() if isinstance(text, str) else text)
        settings.WORKERD = {**settings.WORKERD, "DEFINITIONS": paths}
        return read_declared()

    return write


def faults(found: Declared) -> list[str]:
    return [str(fault) for fault in found.faults]


def clean(_context: Any, days: int = 1) -> None: ...


def counted(_context: Any, count: int) -> None: ...


CLEAN = f"{__name__}.clean"

MANY_FAULTS = """
[jobs.mail]
command = "check"
procesess = 2
max_age = "5 minuets"

[jobs."two words"]
command = "check"
processes = "many"

[job.feed]
command = "check"

[jobs]
loose = 3

[jobs.feed]
target = "os.system"
schedule = "30 2 * *"

[jobs.both]
target = "os.path.exists"
command = "check"
name = "other"
"""


def test_all_that_is_wrong_is_told_at_once_each_with_its_line(declare: Callable[..., Declared]) -> None:
    later = '[jobs.mail]\ncommand = "migrate"\n[jobs.slow]\nnice = 40\n'

    found = declare(jobs=MANY_FAULTS, broken="[jobs.x\n", later=later)

    assert faults(found) == [
        "jobs.toml, line 11: 'job' is no table of definitions. Did you mean “jobs”?",
        "jobs.toml, line 4: the job “mail”: 'procesess' is no field of a job. Did you mean “processes”?",
        (
            "jobs.toml, line 5: the job “mail”: max_age cannot be read: “5 minuets” is not a duration: "
            "write it like 90s, 5 min, 1h 30m, 250ms or 1.5 d."
        ),
        "jobs.toml, line 15: the job “loose”: it is 3, not a table: write [jobs.loose], and its fields below that.",
        (
            "jobs.toml, line 24: the job “both”: “name” is no field that a definition holds: "
            "its table has the job's name, as in [jobs.mail]."
        ),
        (
            "broken.toml, line 1, column 8: this is not TOML: Expected ']' at the end of a table declaration. "
            "Correct it there."
        ),
        (
            "later.toml, line 2: the job “mail”: what it runs is said here and at jobs.toml, line 3. "
            "Leave command out here to change its other fields alone, or rename one of the two jobs."
        ),
        "jobs.toml, line 7: the job “two words”: name is 'two words': write letters, digits, - and _ only.",
        "jobs.toml, line 9: the job “two words”: processes is 'many': set it to a whole number from 0 to 1000.",
        (
            "jobs.toml, line 18: the job “feed”: “os.system” is not a job that the project allows. "
            'Mark it @job in an app\'s jobs module, or add it to WORKERD["TARGETS"].'
        ),
        "jobs.toml, line 22: the job “both”: Both target and command are set: clear one of them.",
        "later.toml, line 4: the job “slow”: nice is 40: set it to a whole number from -20 to 19.",
    ]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ('[jobs.mail]\ncommand = "flush"\n', "line 2", "“flush” is not a management command that the project allows"),
        ('[jobs.mail]\ncommand = "check --depoly"\n', "line 2", "“check” does not take “--depoly”"),
        ("[jobs.mail]\nprocesses = 2\n", "line 1", "Neither target nor command is set"),
        ('[jobs.clean]\ntarget = "CLEAN"\nkwargs = { weeks = 1 }\n', "line 3", "takes no argument “weeks”"),
        ('[jobs.clean]\ntarget = "CLEAN"\n[jobs.clean.kwargs]\nweeks = 1\n', "line 3", "takes no argument “weeks”"),
        ('[jobs.clean]\ntarget = "CLEAN"\nkwargs.weeks = 1\n', "line 3", "takes no argument “weeks”"),
        ('[jobs]\nclean.target = "CLEAN"\nclean.nice = 40\n', "line 3", "nice is 40"),
        ('[ jobs . "clean" ] # of the shop\ntarget="CLEAN"\nnice=40\n', "line 3", "nice is 40"),
        ('jobs = { clean = { target = "CLEAN", nice = 40 } }\n', "", "nice is 40"),
        ('[jobs.clean]\ntarget = "CLEAN"\nnotes = """\nnice = 1\n"""\nnice = 40\n', "line 6", "nice is 40"),
        ('[jobs.clean]\ntarget = "CLEAN"\nkwargs = 3\n', "line 3", "kwargs is a number: write an object"),
        ('[jobs.clean]\ntarget = "CLEAN"\nkwargs = "{"\n', "line 3", "kwargs is not JSON"),
        ('[jobs.clean]\ntarget = "CLEAN"\nkwargs = { days = 2026-12-24 }\n', "line 3", "kwargs is not JSON"),
        ('[jobs.clean]\ntarget = "CLEAN"\nkwargs = { days = { "$env" = "HOME" } }\n', "line 3", "“HOME”, which is not"),
        ('[jobs.clean]\ntarget = "CLEAN"\nschedule = "daily"\n', "line 3", "“daily” is no schedule: write"),
        ('[jobs.clean]\ntarget = "CLEAN"\nschedule = 1979-05-27\n', "line 3", "not a text"),
        ('[jobs.clean]\ntarget = "CLEAN"\ntime_zone = "Mars"\n', "line 3", "Mars"),
        ('[jobs.clean]\ntarget = "CLEAN"\nschedule = "@daily"\nrestart = "always"\n', "line 4", "restart is “always”"),
        ('[jobs.clean]\ntarget = "CLEAN"\nnotes = 3\n', "line 3", "notes is 3, not a text"),
        ('[jobs.clean]\ntarget = "CLEAN"\nnotes = "a\\u0000"\n', "line 3", "notes holds a null character"),
        ('[jobs.clean]\ntarget = "CLEAN"\nenabled = "yes"\n', "line 3", "enabled is 'yes': set it to true or false."),
        ('[jobs.clean]\ntarget = "CLEAN"\nmax_memory = inf\n', "line 3", "max_memory is inf"),
        ('[jobs.clean]\ntarget = "CLEAN"\nmax_memory = 1' + "0" * 400 + "\n", "line 3", "max_memory is 1000"),
        ('[jobs.clean]\ntarget = "CLEAN"\nmax_restarts = "some"\n', "line 3", "max_restarts is 'some'"),
        ('[jobs.clean]\ntarget = "CLEAN"\nprocesses.' + "a." * 200 + "a = 1\n", "line 3", "processes nests deeper"),
        ('[jobs.clean]\ntarget = "CLEAN"\nmax-memory = 1\n', "line 3", "Did you mean “max_memory”?"),
        ('[jobs.clean]\ntarget = "CLEAN"\nxyz = 1\n', "line 3", "The fields are target, command, kwargs"),
        ('[[jobs.clean]]\ntarget = "CLEAN"\n', "line 1", "it is a list, not a table"),
        ("jobs = 3\n", "line 1", "“jobs” is 3, not a table"),
        ("jobs = [" + "{ a = 1 }, " * 3 + "]\n", "line 1", "“jobs” is a list, not a table"),
        ('title = "jobs of the shop"\n', "line 1", "'title' is no table of definitions. Write a table for each job"),
        ('[jobs.""]\ncommand = "check"\n', "line 1", "name is empty"),
        (
            '[jobs.a]\ncommand = "check"\n[jobs.a]\nnice = 1\n',
            "line 3, column 8",
            "Join the two tables, or rename one.",
        ),
        ('[jobs.a]\ncommand = "check"\ncommand = "x"\n', "line 3, column 14", "for the second time: remove one."),
        ("[jobs.a]\nnice = \n", "line 2, column 8", "this is not TOML: Invalid value"),
        ("[jobs.a", "end of document", "this is not TOML"),
        ("nice = " + "1" * 5000 + "\n", "", "a value cannot be read"),
        ("x = " + "[" * 5000 + "]" * 5000 + "\n", "", "nests deeper than"),
    ],
)
def test_each_fault_stands_at_its_place_with_its_remedy(
    declare: Callable[..., Declared], text: str, place: str, words: str
) -> None:
    job(clean)

    found = declare(jobs=text.replace("CLEAN", CLEAN))

    assert len(found.faults) == 1, faults(found)
    assert found.faults[0].place == (f"jobs.toml, {place}" if place else "jobs.toml")
    assert words in found.faults[0].sentence


def make_a_loop(path: Path) -> None:
    path.symlink_to(path)


def write_bytes(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda _path: None, "jobs.toml: the file cannot be read (No such file or directory). Correct the path, "),
        (Path.mkdir, "jobs.toml: this is a directory. Name the TOML file in it."),
        (os.mkfifo, "jobs.toml: this is no plain file. Name a TOML file."),
        (make_a_loop, "jobs.toml: the file cannot be read (Too many levels of symbolic links). "),
        (write_bytes(b"#" * MAX_BYTES + b"\n"), "jobs.toml: the file has more than 1048576 bytes. "),
        (write_bytes(b"[jobs.a]\nnotes = '\xff'\n"), "jobs.toml, line 2: the text is not UTF-8. "),
    ],
    ids=["missing", "directory", "pipe", "loop", "huge", "not UTF-8"],
)
def test_a_file_that_cannot_be_read_is_a_fault(
    tmp_path: Path, settings: Any, make: Callable[[Path], object], sentence: str
) -> None:
    path = tmp_path / "jobs.toml"
    make(path)
    settings.WORKERD = {"DEFINITIONS": [path]}

    for found in (read_declared(), read_file(path)):
        assert [fault.startswith(sentence) for fault in faults(found)] == [True], faults(found)
        assert found.definitions == {}
        assert not found.is_whole


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_of_another_user_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "jobs.toml"
    path.touch(mode=0)

    assert "(Permission denied)" in faults(read_file(path))[0]


def test_a_path_below_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert faults(read_file(tmp_path / "file" / "jobs.toml"))[0].startswith("file/jobs.toml: the file cannot be read (")


def test_a_file_elsewhere_is_named_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")

    assert faults(read_file(tmp_path / "jobs.toml"))[0].startswith(f"{tmp_path}/jobs.toml: ")


def test_a_mark_that_an_editor_puts_before_the_text_is_no_fault(declare: Callable[..., Declared]) -> None:
    assert declare(jobs=b'\xef\xbb\xbf[jobs.a]\r\ncommand = "check"\r\n').faults == []


def test_what_a_missing_file_may_say_is_no_fault_of_the_others(declare: Callable[..., Declared], settings: Any) -> None:
    """The missing file may have the command of “a”, and the arguments of “c”."""
    job(counted)
    text = f'[jobs.a]\nprocesses = 2\n[jobs.b]\ncommand = "flush"\n[jobs.c]\ntarget = "{__name__}.counted"\n'
    declare(production=text)
    assert "needs the argument “count”" in faults(read_declared())[-1]
    settings.WORKERD = {**settings.WORKERD, "DEFINITIONS": ["/nowhere/jobs.toml", *settings.WORKERD["DEFINITIONS"]]}

    missing, not_allowed = faults(read_declared())

    assert missing.startswith("/nowhere/jobs.toml: the file cannot be read")
    assert not_allowed.startswith("production.toml, line 4: the job “b”: “flush” is not a management command")


def test_code_that_does_not_load_is_a_fault_and_the_files_are_judged_without_it(
    declare: Callable[..., Declared], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise SystemExit("gone")

    monkeypatch.setattr(declared, "autodiscover", fail)

    found = declare(jobs='[jobs.a]\ntarget = "shop.jobs.clean"\nnice = 40\n[jobs.b]\ncommand = "flush"\n')

    broken, nice, not_allowed = faults(found)
    assert not found.is_whole
    assert broken.startswith("the project: “The project's jobs” does not import: SystemExit: gone")
    assert nice.startswith("jobs.toml, line 3: the job “a”: nice is 40")
    assert not_allowed.startswith("jobs.toml, line 5: the job “b”: “flush” is not a management command")


def test_two_marks_of_one_name_are_a_fault_with_a_remedy() -> None:
    job(nice=1)(clean)

    def other(_context: Any) -> None: ...

    other.__qualname__ = "other"
    job(name="clean")(other)

    assert faults(read_declared()) == [
        (
            f"{__name__}.other: “{CLEAN}” defines the job “clean”, too. "
            'Give one of them another name, such as @job(name="nightly-clean").'
        )
    ]


@pytest.mark.parametrize(
    "text",
    ['[jobs.clean]\ntarget = "os.path.exists"\n', '[jobs.clean]\ncommand = "check"\n'],
    ids=["another target", "a command"],
)
def test_a_file_cannot_have_a_marked_job_run_something_else(declare: Callable[..., Declared], text: str) -> None:
    job(nice=1)(clean)

    found = declare(jobs=text)

    assert [fault.place for fault in found.faults] == ["jobs.toml, line 2"]
    assert f"what it runs is said here and at {CLEAN}." in found.faults[0].sentence


def test_a_file_may_repeat_the_function_of_a_mark(declare: Callable[..., Declared]) -> None:
    job(nice=1)(clean)

    found = declare(jobs=f'[jobs.clean]\ntarget = "{CLEAN}"\n', later="[jobs.clean]\nprocesses = 2\n")

    assert found.faults == []
    assert found.definitions["clean"].values == {"target": CLEAN, "processes": 2, "nice": 1}


@pytest.mark.parametrize("again", ["check", "check --deploy", "migrate"])
def test_two_files_that_both_define_a_job_are_a_fault(declare: Callable[..., Declared], again: str) -> None:
    found = declare(jobs='[jobs.a]\ncommand = "check"\n', other=f'[jobs.a]\nnice = 1\ncommand = "{again}"\n')

    assert faults(found) == [
        (
            "other.toml, line 3: the job “a”: what it runs is said here and at jobs.toml, line 2. "
            "Leave command out here to change its other fields alone, or rename one of the two jobs."
        )
    ]


def test_a_later_file_may_say_what_an_earlier_one_leaves_open(declare: Callable[..., Declared]) -> None:
    found = declare(jobs="[jobs.a]\nnice = 1\n", production='[jobs.a]\ncommand = "check --deploy"\n')

    assert found.faults == []
    assert found.definitions["a"].values == {"command": "check --deploy", "nice": 1}


def test_a_limit_is_taken_away_by_none(declare: Callable[..., Declared]) -> None:
    found = declare(jobs='[jobs.a]\ncommand = "check"\nmax_age = 60\n', production='[jobs.a]\nmax_age = "none"\n')

    assert found.faults == []
    assert found.definitions["a"].values == {"command": "check", "max_age": None}


def test_a_value_that_a_later_file_replaces_is_judged_no_more(declare: Callable[..., Declared]) -> None:
    found = declare(jobs='[jobs.a]\ncommand = "check"\nnice = 40\n', production="[jobs.a]\nnice = 4\n")

    assert found.faults == []


def test_a_value_that_cannot_be_read_is_one_fault_and_not_another_of_the_default(
    declare: Callable[..., Declared],
) -> None:
    text = '[jobs.a]\ncommand = "check"\nbackoff_initial = 300\nbackoff_max = "an hour"\n'

    found = declare(jobs=text, production="[jobs.a]\nnice = 1\n")

    assert [fault.place for fault in found.faults] == ["jobs.toml, line 4"]


def test_a_secret_in_a_definition_is_a_warning_that_does_not_show_it(declare: Callable[..., Declared]) -> None:
    job(clean)
    settings = (
        '{ days = 1, api_token = "hunter2", deep = [{ password = "hunter2" }], token = { "$env" = "CLEAN_TOKEN" }, '
        'brokers = ["amqp://shop:hunter2@mq", "amqp://mq"] }'
    )

    found = declare(
        jobs=f'[jobs.a]\ncommand = "check --token hunter2"\n[jobs.b]\ntarget = "{CLEAN}"\nkwargs = {settings}\n'
    )

    assert [str(warning) for warning in found.warnings] == [
        (
            "jobs.toml, line 2: the job “a”: command has what looks like a secret: "
            "have the command read it from the environment."
        ),
        (
            "jobs.toml, line 5: the job “b”: kwargs.api_token looks like a secret: "
            'take it from the environment, {"$env" = "NAME"}.'
        ),
        (
            "jobs.toml, line 5: the job “b”: kwargs.deep[0].password looks like a secret: "
            'take it from the environment, {"$env" = "NAME"}.'
        ),
        (
            "jobs.toml, line 5: the job “b”: kwargs.brokers[0] looks like a secret: "
            'take it from the environment, {"$env" = "NAME"}.'
        ),
    ]
    assert "hunter2" not in " ".join([*faults(found), *map(str, found.warnings)])


def test_a_variable_of_the_environment_is_no_secret_whatever_is_masked(
    declare: Callable[..., Declared], settings: Any
) -> None:
    job(clean)
    settings.WORKERD = {**settings.WORKERD, "SECRET_KWARGS": ["*"]}

    found = declare(jobs=f'[jobs.a]\ntarget = "{CLEAN}"\nkwargs = {{ days = {{ "$env" = "CLEAN_TOKEN" }} }}\n')

    assert (found.faults, found.warnings) == ([], [])


# whatever a file holds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("definitions")


def read(folder: Path, data: bytes) -> Declared:
    path = folder / "jobs.toml"
    path.write_bytes(data)
    return read_file(path)


leaves = (
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.sampled_from(["check", "os.path.exists", "@daily", "90s", "none", "{}", "[]", "UTC", "TERM"])
)
keys = st.sampled_from([*DEFAULTS, "name", "id", "$env", "", "a b"]) | st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))
documents = st.dictionaries(
    st.sampled_from(["jobs", "job", "Jobs"]),
    st.dictionaries(keys, st.dictionaries(keys, values, max_size=6) | values, max_size=3) | values,
    max_size=2,
)


@given(st.binary(max_size=300))
def test_whatever_bytes_a_file_holds_there_are_faults_or_definitions(folder: Path, data: bytes) -> None:
    assert isinstance(read(folder, data), Declared)


@given(documents)
def test_whatever_toml_a_file_holds_there_are_faults_or_definitions(folder: Path, document: dict[str, Any]) -> None:
    text = "".join(f"{_key(key)} = {_value(value)}\n" for key, value in document.items())

    found = read(folder, text.encode())

    assert [fault for fault in map(str, found.faults) if visible(fault) != fault] == []
    jobs = document.get("jobs", {})
    expected = {name for name, table in jobs.items() if isinstance(table, dict)} if isinstance(jobs, dict) else set()
    assert set(found.definitions) == expected


@given(st.lists(st.tuples(st.integers(0, len(MANY_FAULTS)), st.sampled_from(list("\"'[]{}=.,#\n\\ ax3\x00")))))
def test_whatever_slips_into_a_file_there_are_faults_or_definitions(folder: Path, slips: list[tuple[int, str]]) -> None:
    text = MANY_FAULTS
    for place, character in slips:
        text = text[:place] + character + text[place:]

    assert isinstance(read(folder, text.encode()), Declared)


@given(st.text(st.sampled_from("[]\"'= .#ab\n\\")))
def test_lines_are_found_in_any_text(text: str) -> None:
    assert all(1 <= line <= text.count("\n") + 1 for line in find_lines(text).values())
