"""The rules of a row: for each fault its one sentence."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workerd.durations import MAX_SECONDS
from workerd.job_rules import FIELDS, RULES, _rules_to_ask, find_faults, join_sentences, values_of
from workerd.job_rules.ranges import RANGES, WHOLE
from workerd.job_rules.rule import Rule
from workerd.job_rules.starts_after import MAX_NAMES
from workerd.job_rules.stored_json import JSON_COLUMNS, MAX_DEPTH, UnreadableJson, decode_json, depth_of
from workerd.wire.messages import JobChanged, License
from workerd.wire.packets import MAX_PACKET_BYTES, encode
from workerd.wire.spec import JobSpec

SOUND = values_of(JobSpec(name="mail", target="shop.jobs.mail"))


def nested(depth: int) -> dict[str, Any]:
    """Return arguments that are as deep."""
    return {"a": json.loads("[" * (depth - 1) + "]" * (depth - 1))}


def faults_of(**values: Any) -> list[tuple[str, str]]:
    return [(fault.field, fault.sentence) for fault in find_faults({**SOUND, **values})]


TOO_DEEP = "kwargs nests deeper than 30 lists and objects: make it flatter."
UNWRITABLE_TEXT = "kwargs holds a text with a null character or half a surrogate pair: remove it."
BAD_VARIABLE = "write letters, digits and _, with no digit first."
NO_JOB = 'which is no job\'s name: write names of jobs, such as ["redis-bridge"].'
FOREIGN = "may not be given “{}” in a row: it would print and end, or name another project. Remove that option."
TARGET_REMEDY = "write it like shop.jobs.ship_orders, or put a management command into the field command"
LETTERS = "letters, digits, - _ . and, in a name, /, with a letter or a digit at both ends"
LONG = "shop." + "x" * 600

ONE_FIELD: list[tuple[str, Any, str]] = [
    ("name", "", "name is empty: write letters, digits, - and _ only."),
    ("name", "two words", "name is 'two words': write letters, digits, - and _ only."),
    ("name", "line\n", "name is 'line\\n': write letters, digits, - and _ only."),
    ("name", "ä", "name is 'ä': write letters, digits, - and _ only."),
    ("name", "x" * 200, "name has 200 characters, more than 100: shorten it."),
    ("name", b"\xff", "name is b'\\xff', not a text: write it as a text."),
    ("name", None, "name is empty, not a text: write it as a text."),
    ("target", LONG, "target has 605 characters, more than 500: shorten it."),
    ("target", "shop.\0", "target holds a null character or half a surrogate pair: remove it."),
    ("target", "shop.\ud800", "target holds a null character or half a surrogate pair: remove it."),
    ("target", "shop", f"target is 'shop', not the dotted path of a function: {TARGET_REMEDY}."),
    ("enabled", 5, "enabled is 5: set it to true or false."),
    ("signals_ready", None, "signals_ready is empty: set it to true or false."),
    ("significant", "yes", "significant is 'yes': set it to true or false."),
    ("restart", "sometimes", "restart is 'sometimes': choose one of always, on_failure, never."),
    ("heartbeat", "", "heartbeat is empty: choose one of any, explicit, group."),
    ("heartbeat", ["any"], "heartbeat is ['any']: choose one of any, explicit, group."),
    ("stop_signal", "KILL", "stop_signal is 'KILL': choose one of TERM, INT, QUIT, HUP, USR1, USR2."),
    ("processes", -1, "processes is -1: set it to a whole number from 0 to 1000."),
    ("processes", 1001, "processes is 1001: set it to a whole number from 0 to 1000."),
    ("processes", "abc", "processes is 'abc': set it to a whole number from 0 to 1000."),
    ("processes", 1.5, "processes is 1.5: set it to a whole number from 0 to 1000."),
    ("processes", True, "processes is True: set it to a whole number from 0 to 1000."),
    ("processes", None, "processes is empty: set it to a whole number from 0 to 1000."),
    ("processes", 10**5000, "processes is a number of thousands of digits: set it to a whole number from 0 to 1000."),
    ("max_restarts", 2_000_000, "max_restarts is 2000000: set it to a whole number from 0 to 1000000."),
    ("nice", 20, "nice is 20: set it to a whole number from -20 to 19."),
    ("nice", -21, "nice is -21: set it to a whole number from -20 to 19."),
    ("max_memory", 0.5, "max_memory is 0.5: set it to a number from 1 to 16777216."),
    ("stop_timeout", 0, "stop_timeout is 0 s: set it to a duration from 1 ms to 3650 d."),
    ("stop_timeout", None, "stop_timeout is empty: set it to a duration from 1 ms to 3650 d."),
    ("stop_timeout", float("nan"), "stop_timeout is nan: set it to a duration from 1 ms to 3650 d."),
    ("max_age", float("inf"), "max_age is inf: set it to a duration from 1 ms to 3650 d."),
    ("max_age", 99999 * 86400.0, "max_age is 99999 d: set it to a duration from 1 ms to 3650 d."),
    ("max_age", 1e300, "max_age is 1e+300: set it to a duration from 1 ms to 3650 d."),
    ("backoff_initial", -0.1, "backoff_initial is -0.1: set it to a duration from 0 s to 3650 d."),
    ("start_grace", "soon", "start_grace is 'soon': set it to a duration from 0 s to 3650 d."),
    ("heartbeat_timeout", False, "heartbeat_timeout is False: set it to a duration from 1 ms to 3650 d."),
    ("kwargs", [1], 'kwargs is a list: write an object, such as {"warehouse": "main"}.'),
    ("kwargs", None, 'kwargs is null: write an object, such as {"warehouse": "main"}.'),
    ("kwargs", "main", 'kwargs is a text: write an object, such as {"warehouse": "main"}.'),
    ("kwargs", True, 'kwargs is true or false: write an object, such as {"warehouse": "main"}.'),
    ("kwargs", b"{}", 'kwargs is a bytes: write an object, such as {"warehouse": "main"}.'),
    ("kwargs", UnreadableJson("kwargs is at odds with us."), "kwargs is at odds with us."),
    ("kwargs", nested(MAX_DEPTH + 1), TOO_DEEP),
    ("kwargs", nested(600), TOO_DEEP),
    ("kwargs", {"a": float("nan")}, "kwargs holds nan, which is not JSON: leave it out, or use null."),
    ("kwargs", {"a": [float("-inf")]}, "kwargs holds -inf, which is not JSON: leave it out, or use null."),
    ("kwargs", {"a": {"b": "nul\0"}}, UNWRITABLE_TEXT),
    ("kwargs", {"nul\0": 1}, UNWRITABLE_TEXT),
    ("kwargs", {"a": ["\ud800"]}, UNWRITABLE_TEXT),
    (
        "kwargs",
        {"a": object()},
        (
            "kwargs is not JSON (Object of type object is not JSON serializable): "
            "use texts, numbers, true, false, null, lists and objects."
        ),
    ),
    (
        "kwargs",
        {"a": "x" * 70_000},
        "kwargs takes 70009 bytes, more than 65536: keep large values in a row or a file, and pass a reference.",
    ),
    ("kwargs", {"a": {"$env": 5}}, 'kwargs.a names no environment variable: write {"$env": "NAME"}.'),
    ("kwargs", {"a": [{"$env": "A=B"}]}, 'kwargs.a[0] names no environment variable: write {"$env": "NAME"}.'),
    ("kwargs", {"a": {"$env": "A", "b": 1}}, 'kwargs.a names no environment variable: write {"$env": "NAME"}.'),
    ("environment", [1], 'environment is a list: write an object, such as {"QUEUE": "mail"}.'),
    ("environment", UnreadableJson("environment is at odds with us."), "environment is at odds with us."),
    ("environment", {"two words": "x"}, f"environment has the name 'two words': {BAD_VARIABLE}"),
    ("environment", {"1ST": "x"}, f"environment has the name '1ST': {BAD_VARIABLE}"),
    ("environment", {"": "x"}, f"environment has the name '': {BAD_VARIABLE}"),
    ("environment", {"A\n": "x"}, f"environment has the name 'A\\n': {BAD_VARIABLE}"),
    ("environment", {"A": 5}, 'environment.A is a number: write a text, or {"$env": "NAME"}.'),
    ("environment", {"A": True}, 'environment.A is true or false: write a text, or {"$env": "NAME"}.'),
    ("environment", {"A": None}, 'environment.A is null: write a text, or {"$env": "NAME"}.'),
    ("environment", {"A": {"b": "c"}}, 'environment.A is an object: write a text, or {"$env": "NAME"}.'),
    ("environment", {"A": {"$env": "B=C"}}, 'environment.A names no environment variable: write {"$env": "NAME"}.'),
    (
        "environment",
        {"A": "nul\0"},
        "environment holds a text with a null character or half a surrogate pair: remove it.",
    ),
    (
        "environment",
        {"A": "x" * 40_000},
        "environment takes 40009 bytes, more than 32768: keep large values in a file, and set its path.",
    ),
    (
        "environment",
        {"LD_PRELOAD": "/tmp/x.so"},
        (
            "environment sets LD_PRELOAD, which has processes load code, or says where they find it: "
            "set it where the service is started."
        ),
    ),
    (
        "environment",
        {"WORKERD_JOB": "x"},
        "environment sets WORKERD_JOB, which workerd or the service manager sets itself: remove it.",
    ),
    (
        "working_directory",
        "srv/shop",
        "working_directory is 'srv/shop': write an absolute path, such as /srv/shop.",
    ),
    ("working_directory", "~", "working_directory is '~': write an absolute path, such as /srv/shop."),
    ("working_directory", 5, "working_directory is 5, not a text: write it as a text."),
    ("working_directory", "/a\0", "working_directory holds a null character or half a surrogate pair: remove it."),
    ("umask", "22", "umask is '22': write three octal digits, such as 027."),
    ("umask", "0o027", "umask is '0o027': write three octal digits, such as 027."),
    ("umask", "1777", "umask is '1777': write three octal digits, such as 027."),
    ("umask", "028", "umask is '028': write three octal digits, such as 027."),
    ("umask", "027\n", "umask is '027\\n': write three octal digits, such as 027."),
    ("umask", 18, "umask is 18, not a text: write it as a text."),
    ("scope", "region", "scope is 'region': choose one of each_node, fleet."),
    ("without_database", "wait", "without_database is 'wait': choose one of stop, go_on."),
    ("movable", "yes", "movable is 'yes': set it to true or false."),
    ("takeover_after", 9.9, "takeover_after is 9.9 s: set it to a duration from 10 s to 1 h."),
    ("takeover_after", 3601.0, "takeover_after is 1 h 1 s: set it to a duration from 10 s to 1 h."),
    ("takeover_after", 0, "takeover_after is 0 s: set it to a duration from 10 s to 1 h."),
    ("takeover_after", "soon", "takeover_after is 'soon': set it to a duration from 10 s to 1 h."),
    ("where", 5, "where is 5, not a text: write it as a text."),
    ("where", "a" * 401, "where has 401 characters, more than 400: shorten it."),
    ("where", "zone~a", f"where names the label 'zone~a': use {LETTERS}."),
    ("labels", 5, "labels is 5, not a text: write it as a text."),
    ("labels", {"team": "a"}, "labels is {'team': 'a'}, not a text: write it as a text."),
    ("labels", "team~a=b", f"labels has the name 'team~a': use {LETTERS}."),
    ("starts_after", {"a": 1}, 'starts_after is an object: write a list, such as ["redis-bridge"].'),
    ("starts_after", "feed", 'starts_after is a text: write a list, such as ["redis-bridge"].'),
    ("starts_after", [5], f"starts_after holds 5, {NO_JOB}"),
    ("starts_after", ["two words"], f"starts_after holds 'two words', {NO_JOB}"),
    ("starts_after", [["feed"]], f"starts_after holds ['feed'], {NO_JOB}"),
    ("starts_after", ["feed", "bridge", "feed"], "starts_after names “feed” more than once: remove the others."),
    (
        "starts_after",
        [f"job-{number}" for number in range(MAX_NAMES + 1)],
        "starts_after names 51 jobs, more than 50: name those alone that this job needs.",
    ),
]


def name_of(case: Any) -> str:
    return case[:60] if isinstance(case, str) else ""


@pytest.mark.parametrize(("field", "value", "sentence"), ONE_FIELD, ids=name_of)
def test_each_fault_of_one_field_has_its_sentence(field: str, value: Any, sentence: str) -> None:
    assert faults_of(**{field: value}) == [(field, sentence)]


COMMANDS: list[tuple[str, str]] = [
    (
        "mail 'unclosed",
        (
            'command is "mail \'unclosed", which is no command line (no closing quotation): '
            "close the quotation, or escape it."
        ),
    ),
    ("   ", "command holds no word: write it like db_worker --queue-name mail."),
    ("mail --settings=other", "“mail” " + FOREIGN.format("--settings=other")),
    ("mail --settings other", "“mail” " + FOREIGN.format("--settings")),
    ("mail '--pythonpath' /tmp", "“mail” " + FOREIGN.format("--pythonpath")),
    ("mail --help", "“mail” " + FOREIGN.format("--help")),
    ("mail send -h", "“mail” " + FOREIGN.format("-h")),
    ("mail --version", "“mail” " + FOREIGN.format("--version")),
    ("mail " + "x" * 1000, "command has 1005 characters, more than 1000: shorten it."),
]


PROGRAM = "which starts a program: write a management command of the project, like db_worker --queue-name mail, or "
PASTED: dict[str, str] = {
    "python manage.py mail --to 'a b'": "as in a shell: write only “mail --to 'a b'”.",
    "./manage.py mail": "as in a shell: write only “mail”.",
    "manage.py mail": "as in a shell: write only “mail”.",
    "django-admin mail -v 2": "as in a shell: write only “mail -v 2”.",
    "python -m django mail": "as in a shell: write only “mail”.",
    "/srv/venv/bin/python3.12 -u /srv/shop/manage.py mail": "as in a shell: write only “mail”.",
    "/usr/bin/env python3 manage.py mail": "as in a shell: write only “mail”.",
    "TZ=UTC python manage.py mail": "as in a shell: write only “mail”.",
    "uv run manage.py mail": "as in a shell: write only “mail”.",
    "cd /srv/shop && exec python manage.py mail": "as in a shell: write only “mail”.",
    "django-admin mail --settings shop.settings --pythonpath=/srv": "as in a shell: write only “mail”.",
    "python manage.py": "and names no management command: write it like db_worker.",
    "python loop.py": PROGRAM + "clear it and set a target.",
    "pypy3 -m shop.loop": PROGRAM + "clear it and set a target.",
    "/usr/bin/rsync -a": PROGRAM + "clear it and set a target.",
}


@pytest.mark.parametrize(("line", "end"), PASTED.items(), ids=PASTED.keys())
def test_a_line_for_a_shell_is_told_by_what_belongs_in_the_row(line: str, end: str) -> None:
    [(field, sentence)] = faults_of(target="", command=line)

    assert (field, sentence.endswith(end)) == ("command", True), sentence
    assert sentence.startswith(f"command begins with “{line.split(maxsplit=1)[0]}”")


@pytest.mark.parametrize("line", ["env", "nice --by 3", "watch manage.py", "mail ./out.txt", "run_script python a=b"])
def test_a_command_that_only_looks_like_a_shells_is_none(line: str) -> None:
    assert faults_of(target="", command=line) == []


@pytest.mark.parametrize(("line", "sentence"), COMMANDS, ids=name_of)
def test_each_fault_of_a_command_line_has_its_sentence(line: str, sentence: str) -> None:
    assert faults_of(target="", command=line) == [("command", sentence)]


def test_what_stands_after_two_dashes_is_no_option() -> None:
    assert faults_of(target="", command="mail -- --settings") == []


@pytest.mark.parametrize(
    "target", ["shop", "shop.", ".shop.jobs", "shop jobs.x", "shop.jobs.x()", "shop..x", "a.1b", "a.lambda", "a.__b__"]
)
def test_a_target_is_a_dotted_path_of_plain_names(target: str) -> None:
    assert [field for field, _ in faults_of(target=target)] == ["target"]


TWO_FIELDS: list[tuple[dict[str, Any], list[str], str]] = [
    ({"target": "", "command": ""}, ["target", "command"], "Neither target nor command is set: set one of them."),
    ({"command": "mail"}, ["target", "command"], "Both target and command are set: clear one of them."),
    (
        {"target": "", "command": "mail", "kwargs": {"a": 1, "b": 2}},
        ["kwargs"],
        "kwargs holds “a”, “b”, which no command takes: write options on the command line and leave kwargs empty.",
    ),
    ({"starts_after": ["mail"]}, ["starts_after"], "starts_after names “mail”, the job itself: remove it."),
    (
        {"backoff_max": 0.1},
        ["backoff_max"],
        "backoff_max, the longest delay, is 100 ms, shorter than backoff_initial, the first, 500 ms: raise it.",
    ),
    (
        {"start_grace": 30.0},
        ["start_timeout"],
        (
            "start_timeout is 30 s, not longer than start_grace, 30 s, so the process would never count as running: "
            "raise it."
        ),
    ),
]


@pytest.mark.parametrize(("values", "blamed", "sentence"), TWO_FIELDS, ids=name_of)
def test_each_fault_between_fields_has_its_sentence(values: dict[str, Any], blamed: list[str], sentence: str) -> None:
    assert faults_of(**values) == [(field, sentence) for field in blamed]


GOOD: list[dict[str, Any]] = [
    {},
    {"target": "", "command": "db_worker --queue-name mail"},
    {"processes": 0},
    {"max_restarts": None, "heartbeat_timeout": None, "max_memory": None, "max_age": None},
    {"backoff_initial": 0, "backoff_max": 0.0},
    {"environment": {"QUEUE": "mail", "_a1": "", "TOKEN": {"$env": "MAIL_TOKEN"}, "TEXT": "two\nlines = ü"}},
    {"environment": {"A": "x" * (JSON_COLUMNS["environment"].most_bytes - 9)}},
    {"working_directory": "/srv/shop two", "umask": "027"},
    {"umask": "0777"},
    {"umask": "000"},
    {"starts_after": [f"job-{number}" for number in range(MAX_NAMES)]},
    dict.fromkeys(("environment", "working_directory", "umask", "starts_after")),
    dict.fromkeys(("scope", "where", "takeover_after", "without_database", "movable", "labels")),
    {"labels": "team=billing, tier=1"},
    {"scope": "fleet", "where": "zone=a, disk!=hdd", "takeover_after": 10.0, "without_database": "go_on"},
    {"start_timeout": 1.0, "start_grace": 1.0, "signals_ready": True},
    {"kwargs": {"a": [1, 2.5, None, {"ü": "ß💥"}], "b": {"$env": "NAME"}}},
    {"kwargs": nested(MAX_DEPTH)},
    {"kwargs": {"a": "x" * (JSON_COLUMNS["kwargs"].most_bytes - 9)}},
]


@pytest.mark.parametrize("values", GOOD, ids=repr)
def test_a_row_that_can_run_has_no_fault(values: dict[str, Any]) -> None:
    assert faults_of(**values) == []


def test_every_fault_of_a_row_is_found_at_once() -> None:
    found = faults_of(processes=-1, restart="sometimes", nice=99, target="")

    assert [field for field, _ in found] == ["restart", "processes", "nice", "target", "command"]


def test_a_rule_is_not_asked_about_a_field_that_is_at_fault_already() -> None:
    assert [field for field, _ in faults_of(backoff_initial="soon", command=5)] == ["command", "backoff_initial"]


def test_a_rule_is_not_asked_about_a_field_that_is_left_out() -> None:
    assert find_faults(values_of(JobSpec("mail"), leave_out={"command"})) == []
    assert find_faults({}) == []


def test_a_sentence_about_two_fields_is_said_once() -> None:
    assert join_sentences(find_faults({**SOUND, "target": ""})) == (
        "Neither target nor command is set: set one of them."
    )


def test_every_field_of_a_spec_is_read_by_a_rule() -> None:
    assert set(FIELDS) == set(JobSpec._fields) - {"id"}


def test_every_rule_blames_what_it_reads() -> None:
    assert all(set(rule.blames) <= set(rule.reads) for rule in RULES)


@pytest.mark.parametrize("field", RANGES)
def test_both_ends_belong_to_a_range(field: str) -> None:
    low, high = (int(end) if field in WHOLE else end for end in RANGES[field])

    assert [find_faults({field: value}) for value in (low, high)] == [[], []]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
ANYTHING = JSON | st.binary() | st.sampled_from([float("nan"), MAX_SECONDS, 10**5000, "", "\0", "\ud800"])


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_whatever_a_row_holds_its_faults_are_sentences_that_any_log_takes(values: dict[str, Any]) -> None:
    for fault in find_faults(values):
        assert fault.field in values
        assert fault.sentence.endswith(".")
        assert "\0" not in fault.sentence
        fault.sentence.encode()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "kwargs is not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)): "),
        ("[" * 100_000, TOO_DEEP),
        ("[" * 300 + "]" * 300, TOO_DEEP),
        ('{"a": "\\ud800"}', UNWRITABLE_TEXT),
        ('{"a": %s}' % ("1" * 5000), "kwargs is not JSON (Exceeds the limit (4300 digits) for integer string"),
    ],
)
def test_text_that_python_cannot_take_stands_for_its_sentence(text: str, sentence: str) -> None:
    for field in JSON_COLUMNS:
        value = decode_json(field, text)

        assert isinstance(value, UnreadableJson)
        assert faults_of(**{field: value})[0][1].startswith(sentence.replace("kwargs", field))


@given(JSON)
def test_depth_counts_lists_and_objects_inside_each_other(value: Any) -> None:
    def depth(inner: Any) -> int:
        values = inner.values() if isinstance(inner, dict) else inner
        return 1 + max(map(depth, values), default=0) if isinstance(inner, dict | list) else 0

    assert depth_of(value) == depth(value)


REFUSED_VARIABLES = {
    "the loader's": "LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES GCONV_PATH LOCPATH",
    "interpreters'": "PYTHONPATH PYTHONSTARTUP PYTHONHOME NODE_OPTIONS PERL5LIB PERL5OPT RUBYOPT JAVA_TOOL_OPTIONS",
    "shells'": "PATH HOME ENV BASH_ENV SHELLOPTS IFS PS4",
    "programs that others start": "GIT_SSH_COMMAND GIT_CONFIG_COUNT EDITOR PAGER BROWSER RSYNC_RSH AWS_CONFIG_FILE",
    "of connections": "HOSTALIASES https_proxy HTTPS_PROXY PGHOSTADDR PGPASSFILE SSLKEYLOGFILE KRB5_CONFIG",
    "read before": "DJANGO_SETTINGS_MODULE MALLOC_ARENA_MAX GLIBC_TUNABLES",
    "set by others": "WORKERD_JOB WORKERD_TREE NOTIFY_SOCKET WATCHDOG_USEC LISTEN_FDS TRACEPARENT TraceState",
}


@pytest.mark.parametrize("names", REFUSED_VARIABLES.values(), ids=REFUSED_VARIABLES)
def test_what_would_run_other_code_or_lead_elsewhere_may_not_be_set(names: str) -> None:
    for name in names.split():
        [(field, sentence)] = faults_of(environment={"QUEUE": "mail", name: "x"})

        assert (field, sentence.startswith(f"environment sets {name}, which ")) == ("environment", True), sentence


@pytest.mark.parametrize("name", ["QUEUE", "TZ", "LANG", "TMPDIR", "APP_ENV", "MY_PATH", "DEBUG", "GITHUB"])
def test_a_variable_of_the_projects_own_may_be_set(name: str) -> None:
    assert faults_of(environment={name: "x"}) == []


def test_the_largest_row_fits_a_packet() -> None:
    widest = "\U0001f4a5"
    row = JobSpec(
        "x" * 100,
        command=widest * 1000,
        kwargs={"a": "x" * (JSON_COLUMNS["kwargs"].most_bytes - 9)},
        environment={"A": "x" * (JSON_COLUMNS["environment"].most_bytes - 9)},
        working_directory="/" + widest * 999,
        starts_after=[f"{number:03}" + "x" * 97 for number in range(MAX_NAMES)],
        schedule=widest * 200,
        where=widest * 400,
        labels=widest * 400,
    )
    assert find_faults({field: getattr(row, field) for field in ("kwargs", "environment", "starts_after")}) == []

    for message in (
        JobChanged(row.to_dict()),
        License(row.to_dict(), 999, "r" * 36, 9, "n" * 255, "h" * 255, "m" * 40),
    ):
        assert len(encode(message)) <= MAX_PACKET_BYTES


def test_a_fault_of_a_variable_does_not_tell_its_value() -> None:
    for environment in ({"LD_PRELOAD": "hunter2"}, {"bad name": "hunter2"}, {"A": ["hunter2"]}, {"A": "hunter2\0"}):
        assert "hunter2" not in str(faults_of(environment=environment))


def test_the_defaults_are_at_fault_in_nothing_but_what_a_row_must_say() -> None:
    faults = find_faults(JobSpec._field_defaults | {"name": "mail"})

    assert {fault.field for fault in faults} == {"target", "command"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: "-".join(rule.reads))
def test_every_rule_is_asked_about_a_value_that_is_no_default(rule: Rule) -> None:
    for field in rule.reads:
        values = JobSpec._field_defaults | {"name": "mail", field: object()}

        assert rule in _rules_to_ask(values), field
