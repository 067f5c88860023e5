"""Files as projects have them, each adopted and compared whole with what stands beside it in tests/adopt/files.

A case is a folder: the files in it are adopted together, those in its folders are what they include. What is printed
is ``expected.toml`` and ``expected.txt``; ``python -m tests.unit.test_adopt_files`` writes both, to be read with care.
"""

import os
import tomllib
from pathlib import Path

import pytest

from workerd.adopt.adopted import Adopted, Result
from workerd.adopt.context import Context
from workerd.adopt.formats import adopt
from workerd.job_rules.written import filled, find_written_faults, read_written
from workerd.management.adopting import as_table, as_toml

FILES = Path(__file__).resolve().parents[1] / "adopt" / "files"
CASES = sorted(path for path in FILES.iterdir() if path.is_dir())
COMMANDS = (
    *("clearsessions", "cron", "db_worker", "djangohuey", "process_queue", "process_tasks", "qcluster", "rqworker"),
    *("run_huey", "runjobs", "runworker", "sendalerts", "send_reminders"),
)


def context(paths: list[Path]) -> Context:
    return Context(
        commands=COMMANDS,
        allowed_commands=["db_worker", "process_queue"],
        is_allowed_target=lambda dotted: dotted.startswith("shop.jobs."),
        environment=["PATH", "SHOP_TOKEN"],
        settings_module="shop.settings",
        time_zone="Europe/Berlin",
        is_secret=lambda name: "PASSWORD" in name or "SECRET" in name,
        paths=paths,
    )


def adopt_case(case: Path) -> Result:
    """Adopt the case's files by their bare names, as places name them. The caller has made the folder the current."""
    names = [Path(path.name) for path in sorted(case.iterdir()) if path.is_file() and path.stem != "expected"]
    return adopt(names, context(names))


def printed(result: Result) -> tuple[str, str]:
    """Return what the command prints on stdout and on stderr, with a name for the folder, wherever it is."""
    table = [as_table(result.refused)] if result.refused else []
    said = "".join(f"{line}\n" for line in [*result.notes, *table])
    toml, said = (text.replace(str(Path.cwd()), "/srv/CASE") for text in (as_toml(result.adopted), said))
    return toml, said


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file_is_adopted_as_a_whole_as_it_should_be(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)

    toml, said = printed(adopt_case(case))

    assert toml == (case / "expected.toml").read_text()
    assert said == (case / "expected.txt").read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_adopted_is_read_as_definitions_without_a_fault(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)

    adopted = adopt_case(case).adopted
    tables = tomllib.loads(as_toml(adopted)).get("jobs", {})
    assert sorted(tables) == sorted(job.name for job in adopted)
    assert [faults_of(job, tables[job.name]) for job in adopted] == [[] for _ in adopted]


def faults_of(job: Adopted, written: dict[str, object]) -> list[object]:
    values, faults = read_written(written)
    same = filled(values) == filled(job.values)
    return [*faults, *find_written_faults(job.name, filled(values)), *([] if same else [values])]


if __name__ == "__main__":
    for case in CASES:
        os.chdir(case)
        toml, said = printed(adopt_case(case))
        (case / "expected.toml").write_text(toml)
        (case / "expected.txt").write_text(said)
