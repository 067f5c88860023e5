"""Units of systemd: the table of directives is total, drop-ins and timers are found, and no file makes it raise."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workerd.adopt.adopted import Adopted, Result
from workerd.adopt.context import Context
from workerd.adopt.fates import Fate
from workerd.adopt.formats import adopt
from workerd.adopt.time_spans import read_time_span
from workerd.adopt.unit_directives import CLASSES, TABLES, belongs, fate_of
from workerd.adopt.unit_file import Unit
from workerd.adopt.unit_values import TAKERS
from workerd.job_rules import find_faults, values_of
from workerd.wire.spec import JobSpec

RECORDED = Path(__file__).resolve().parents[1] / "adopt" / "systemd-directives.txt"
"""What ``systemd --dump-configuration-items`` of systemd 252 says of these sections, and names of newer releases."""

SYSTEMD = next(
    (path for path in map(Path, ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")) if path.exists()), None
)

ELSEWHERE = {
    "ExecStart", "StartLimitIntervalSec", "StartLimitInterval", "StartLimitBurst", "OnCalendar", "OnUnitActiveSec",
    "OnUnitInactiveSec", "OnActiveSec", "OnBootSec", "OnStartupSec", "Unit",
}  # fmt: skip
"""Mapped where several directives are read together."""


def read_names(text: str) -> set[tuple[str, str]]:
    names, section = set(), ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif section in TABLES and line:
            names.add((section, line.partition("=")[0]))
    return names


def test_every_directive_has_one_fate_and_a_reason() -> None:
    names = read_names(RECORDED.read_text())
    assert len(names) > 400
    for section, name in names:
        directive = fate_of(section, name)
        assert directive is not None, (section, name)
        assert directive.says
        classes = [found for own, beginnings, found in CLASSES if own == section and belongs(name, beginnings)]
        assert len(classes) <= 1, name
        in_table = TABLES[section].get(name)
        assert in_table not in classes, f"{name} has the fate of its class twice"


def test_the_tables_know_no_directive_that_systemd_does_not() -> None:
    recorded = read_names(RECORDED.read_text())
    assert {(section, name) for section, table in TABLES.items() for name in table} <= recorded


@pytest.mark.skipif(SYSTEMD is None, reason="no systemd")
def test_the_installed_systemd_knows_no_other_directive() -> None:
    done = subprocess.run([str(SYSTEMD), "--dump-configuration-items"], capture_output=True, text=True, check=True)
    assert [name for name in read_names(done.stdout) if fate_of(*name) is None] == []


def test_every_mapped_directive_is_taken_by_somebody() -> None:
    mapped = {name for table in TABLES.values() for name, found in table.items() if found.fate is Fate.MAPPED}
    assert mapped == {*TAKERS} | ELSEWHERE


def test_a_unit_file_is_read_as_systemd_reads_it() -> None:
    unit = Unit("mail.service")
    unit.add(
        "[Service]\nExecStart=/bin/a \\\n  # in between\n  ; and this\n  b\nNice = 1\nEnvironment=A=1\n", "mail.service"
    )
    unit.add("[Service]\nEnvironment=\nEnvironment=B=2\nNice=2\n[Unit]\nNice=3\nlast=x\\", "more.conf")
    assert unit.all("Service", "ExecStart") == ["/bin/a b"]
    assert unit.all("Service", "Environment") == ["B=2"]
    assert unit.last("Service", "Nice") == "2"
    assert unit.last("Unit", "last") == "x"
    assert unit.last("Unit", "Absent") == ""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("90", 90), ("5min 20s", 320), ("1h30", 3630), ("1.5h", 5400), ("100ms", 0.1), ("2w", 1_209_600)),
        *(
            ("1M", 2_629_800),
            ("infinity", float("inf")),
            ("", None),
            ("soon", None),
            ("5 fortnights", None),
            ("-5", None),
        ),
    ],
)
def test_time_spans(text: str, seconds: float | None) -> None:
    assert read_time_span(text) == seconds


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_time_spans_are_those_of_systemd() -> None:
    texts = ["90", "5min 20s", "1h30", "1.5h", "100ms", "2w", "1M", "1y", "3 days 2hr", "20 m"]
    done = subprocess.run(["systemd-analyze", "timespan", *texts], capture_output=True, text=True, check=True)
    said = [int(number) / 1e6 for number in re.findall(r"[μu]s: (\d+)", done.stdout)]
    assert said == [read_time_span(text) for text in texts]


def context(*paths: Path) -> Context:
    return Context(commands=["cleanup"], allowed_commands=["cleanup"], time_zone="UTC", paths=paths)


SERVICE = "[Service]\nType=oneshot\nExecStart=/srv/manage.py cleanup\n"
TIMER = "[Timer]\nOnCalendar=daily\n"


def read_in(folder: Path, files: dict[str, str], *named: str) -> Result:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    paths = [folder / name for name in named]
    return adopt(paths, context(*paths))


def schedules(result: Result) -> list[tuple[str, str]]:
    assert result.refused == []
    return [(job.name, job.values.get("schedule", "")) for job in result.adopted]


def test_a_service_has_the_times_of_the_timer_beside_it(tmp_path: Path) -> None:
    result = read_in(tmp_path, {"a.service": SERVICE, "a.timer": TIMER}, "a.service")
    assert schedules(result) == [("a", "0 0 * * *")]
    assert result.notes == [f"{tmp_path}/a.service: a.timer, beside it, says when it runs."]


@pytest.mark.parametrize("named", [("a.service", "other.timer"), ("other.timer", "a.service"), ("other.timer",)])
def test_a_timer_and_its_service_are_one_job(tmp_path: Path, named: tuple[str, ...]) -> None:
    files = {"a.service": SERVICE, "other.timer": f"{TIMER}Unit=a.service\n"}
    assert schedules(read_in(tmp_path, files, *named)) == [("a", "0 0 * * *")]


def test_a_timer_beside_it_that_starts_another_unit_is_not_its_own(tmp_path: Path) -> None:
    files = {"a.service": SERVICE, "a.timer": f"{TIMER}Unit=b.service\n", "b.service": SERVICE}
    assert schedules(read_in(tmp_path, files, "a.service")) == [("a", "")]


def test_an_instance_of_a_timer_starts_that_of_the_template(tmp_path: Path) -> None:
    files = {"a@.service": SERVICE.replace("cleanup", "cleanup %i"), "a@mail.timer": TIMER}
    result = read_in(tmp_path, files, "a@mail.timer")
    assert schedules(result) == [("a-mail", "0 0 * * *")]
    assert result.adopted[0].values["command"] == "cleanup mail"


def test_drop_ins_count_for_both(tmp_path: Path) -> None:
    files = {
        "a.service": SERVICE,
        "a.timer": TIMER,
        "a.service.d/1.conf": "[Service]\nNice=7\n",
        "a.timer.d/1.conf": "[Timer]\nOnCalendar=\nOnCalendar=hourly\n",
    }
    result = read_in(tmp_path, files, "a.timer")
    assert schedules(result) == [("a", "0 * * * *")]
    assert result.adopted[0].values["nice"] == 7


@pytest.mark.parametrize("name", ["0", "b", "../b.service", "a.timer"])
def test_what_names_no_unit_is_passed_over(tmp_path: Path, name: str) -> None:
    files = {"a.timer": f"{TIMER}Unit={name}\n", "a.service": SERVICE, "b.service": SERVICE}
    result = read_in(tmp_path, files, "a.timer")
    assert schedules(result) == [("a", "0 0 * * *")]
    assert f"{tmp_path / 'a.timer'}: Unit={name} names no unit; systemd takes no notice of it." in result.notes
    assert schedules(read_in(tmp_path, files, "a.service", "a.timer")) == [("a", "0 0 * * *")]


def test_a_refused_timer_is_not_named_as_a_service(tmp_path: Path) -> None:
    files = {"a.timer": f"{TIMER}Unit=backup.target\n", "a.service": SERVICE}
    result = read_in(tmp_path, files, "a.timer", "a.service")
    assert [one.name for one in result.refused] == ["a.timer"]
    assert [(job.name, job.values.get("schedule")) for job in result.adopted] == [("a", None)]


def test_a_name_that_is_too_long_is_told(tmp_path: Path) -> None:
    result = read_in(tmp_path, {"a.timer": f"{TIMER}Unit={'x' * 300}.service\n"}, "a.timer")
    assert [one.reason for one in result.refused] == [
        f"The timer starts {'x' * 300}.service, which cannot be read beside it: put it there."
    ]


def test_a_timer_of_thousands_of_lines_is_told(tmp_path: Path) -> None:
    lines = "".join(f"OnCalendar={n // 60 % 24}:{n % 60}\nOdd{n}=1\n" for n in range(6000))
    result = read_in(tmp_path, {"a.timer": f"{TIMER}{lines}", "a.service": SERVICE}, "a.timer")
    assert [one.reason for one in result.refused] == ["It has more than 100 lines OnCalendar=: split it."]


def test_a_url_with_a_password_stays_in_the_file(tmp_path: Path) -> None:
    lines = "Environment=BROKER=amqp://shop:hunter2@mq SHOP=https://shop.example.org\n"
    job = read_in(tmp_path, {"a.service": SERVICE + lines}, "a.service").adopted[0]
    assert job.values["environment"] == {"BROKER": {"$env": "BROKER"}, "SHOP": "https://shop.example.org"}
    assert "hunter2" not in repr(job)


def test_no_credential_and_no_variable_is_shown(tmp_path: Path) -> None:
    lines = 'SetCredential=token:hunter2\nEnvironment="A=hunter2\nExecStartPre=/bin/x --password hunter2\n'
    for number, text in enumerate((SERVICE + lines, SERVICE + lines.replace('"', ""))):
        result = read_in(tmp_path, {f"{number}.service": text}, f"{number}.service")
        shown = [*result.notes, *(refused.reason for refused in result.refused)]
        shown += [comment for job in result.adopted for comment in job.comments]
        assert "hunter2" not in " ".join(shown)


VALUES = ("", "a", "%i", "%", "infinity", "-1", "0", "1", "5min", '"', "'", "\\", "$X", "${X", "yes", "always", "daily")
NAMES = sorted({name for table in TABLES.values() for name in table} | {"PrivateTmp", "X-Own", "Odd", "Nice ", "="})
value = st.one_of(st.sampled_from(VALUES), st.text(max_size=12))
line = st.one_of(
    st.sampled_from(["[Service]", "[Timer]", "[Unit]", "[Install]", "[Odd]", "[", "]", "\\", "# x", ""]),
    st.builds("{}={}".format, st.sampled_from(NAMES), value),
    st.just("ExecStart=/srv/manage.py cleanup"),
    st.sampled_from(["a.service", "b.service", "a.timer", "b.timer", "b.target", "c.service"]).map("Unit={}".format),
    st.text(max_size=12),
)
unit_text = st.lists(line, max_size=14).map("\n".join)


@given(service=unit_text, timer=unit_text, whole=st.booleans())
def test_any_unit_is_adopted_or_refused_once(
    tmp_path_factory: pytest.TempPathFactory, service: str, timer: str, whole: bool
) -> None:
    folder = tmp_path_factory.mktemp("units")
    files = {
        "a.service": (SERVICE if whole else "[Service]\n") + service,
        "b.timer": f"{TIMER}{timer}",
        "b.service": SERVICE,
    }
    for name, text in files.items():
        (folder / name).write_bytes(text.replace("\0", "").encode("utf-8", "replace"))
    paths = [folder / name for name in files]

    result = adopt(paths, context(*paths))

    stems = {job.name.partition("-")[0] for job in result.adopted}
    refused = [one.name for one in result.refused if not one.name.startswith("[")]
    assert len(refused) == len({*refused})
    assert stems.isdisjoint(refused)
    assert "a" in stems | {*refused}
    assert [faults(job) for job in result.adopted] == [[] for _ in result.adopted]


def faults(job: Adopted) -> list[object]:
    known = {name: found for name, found in job.values.items() if name != "notes"}
    return [*find_faults(values_of(JobSpec(job.name, **known)))]
