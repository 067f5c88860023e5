"""The declared set: what files and @job define, as one."""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from workerd import registry
from workerd.definitions.declared import Declared, read_declared, read_file, source_name
from workerd.definitions.definition import Definition
from workerd.job_rules.written import DEFAULTS
from workerd.registry import job, registered


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    """A project that allows what these definitions name, and whose working directory has the files."""
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr("workerd.definitions.declared.autodiscover", lambda: None)
    monkeypatch.setattr("workerd.targets.autodiscover", lambda: None)
    monkeypatch.chdir(tmp_path)
    settings.WORKERD = {"COMMANDS": ["check", "migrate"], "TARGETS": ["os.path.*"], "ENV": ["CLEAN_TOKEN"]}


@pytest.fixture
def declare(settings: Any, tmp_path: Path) -> Callable[..., Declared]:
    """Write the texts into files of these names, and read the declared set."""

    def write(**texts: str) -> Declared:
        paths = []
        for name, text in texts.items():
            paths.append(tmp_path / f"{name}.toml")
            paths[-1].write_text(text)
        settings.WORKERD = {**settings.WORKERD, "DEFINITIONS": paths}
        return read_declared()

    return write


def clean(_context: Any, days: int = 1) -> None: ...


CLEAN = f"{__name__}.clean"


def test_a_project_that_defines_nothing_has_an_empty_set() -> None:
    assert read_declared() == Declared()


def test_a_file_defines_a_job_by_the_fields_of_a_row(declare: Callable[..., Declared]) -> None:
    found = declare(
        jobs='\n[jobs.check]\ncommand = "check --deploy"\nprocesses = 2\nmax_age = "5 min"\nnotes = "Ask."\n'
    )

    values = {"command": "check --deploy", "processes": 2, "max_age": 300.0, "notes": "Ask."}
    assert found == Declared({"check": Definition("check", values, "jobs.toml, line 2")})
    assert list(found.definitions["check"].values) == list(values)


def test_a_mark_with_fields_defines_a_job_of_the_functions_name() -> None:
    job(schedule="@daily", processes=2)(clean)

    values = {"target": CLEAN, "processes": 2, "restart": "on_failure", "schedule": "@daily"}
    assert read_declared() == Declared({"clean": Definition("clean", values, CLEAN)})


def test_labels_are_the_text_of_a_row_wherever_they_are_written(declare: Callable[..., Declared]) -> None:
    job(schedule="@daily", labels={"team": "billing", "tier": "1"})(clean)
    found = declare(
        jobs='[jobs.check]\ncommand = "check"\nlabels = { team = "billing", tier = "1" }\n'
        '[jobs.migrate]\ncommand = "migrate"\n[jobs.migrate.labels]\nteam = "billing"\ntier = "1"\n',
    )

    assert found.faults == []
    assert {name: values.values["labels"] for name, values in found.definitions.items()} == dict.fromkeys(
        ("clean", "check", "migrate"), "team=billing, tier=1"
    )


def test_labels_that_are_no_texts_are_refused_at_their_line(declare: Callable[..., Declared]) -> None:
    found = declare(jobs='[jobs.check]\ncommand = "check"\nlabels = { team = "billing", tier = 1 }\n')

    assert [str(fault) for fault in found.faults] == [
        "jobs.toml, line 3: the job “check”: labels gives tier a number: write a text in quotes."
    ]


def test_a_mark_without_fields_defines_no_job() -> None:
    job(clean)
    job()(clean)

    assert read_declared() == Declared()


def test_a_later_file_changes_fields_of_a_job_and_adds_jobs(declare: Callable[..., Declared]) -> None:
    found = declare(
        jobs='[jobs.check]\ncommand = "check"\nprocesses = 1\nnice = 5\n',
        production='[jobs.check]\nprocesses = 4\n[jobs.migrate]\ncommand = "migrate"\n',
    )

    assert found.faults == []
    assert found.definitions == {
        "check": Definition("check", {"command": "check", "processes": 4, "nice": 5}, "jobs.toml, line 1"),
        "migrate": Definition("migrate", {"command": "migrate"}, "production.toml, line 3"),
    }


def test_a_file_changes_fields_of_what_a_mark_defines(declare: Callable[..., Declared]) -> None:
    job(schedule="@daily")(clean)

    found = declare(jobs='[jobs.clean]\nschedule = "@hourly"\nkwargs = { days = 2 }\n')

    assert found.faults == []
    assert found.definitions["clean"].values == {
        "target": CLEAN,
        "kwargs": {"days": 2},
        "restart": "on_failure",
        "schedule": "@hourly",
    }


def test_a_file_alone_is_read_without_marks_and_settings(declare: Callable[..., Declared], tmp_path: Path) -> None:
    job(schedule="@daily")(clean)
    declare(jobs='[jobs.check]\ncommand = "check"\n')
    other = tmp_path / "other.toml"
    other.write_text('[jobs.migrate]\ncommand = "migrate"\n')

    assert read_file(other) == Declared(
        {"migrate": Definition("migrate", {"command": "migrate"}, "other.toml, line 1")}
    )


def test_the_set_has_the_name_of_the_service(settings: Any) -> None:
    assert source_name() == "workerd"

    settings.WORKERD = {"NAME": "shop"}
    assert source_name() == "shop"


def test_a_definition_may_say_what_people_may_edit_in_a_row_and_has_its_defaults() -> None:
    from workerd.models import Job

    editable = [field for field in Job._meta.concrete_fields if field.editable and field.name not in ("id", "name")]

    assert {field.name: field.get_default() for field in editable} == dict(DEFAULTS)


# what docs/definitions.md shows

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "definitions.md").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def test_the_files_on_the_page_are_sound_together(declare: Callable[..., Declared], settings: Any) -> None:
    shop = ModuleType("shop.jobs")
    for block in blocks("python"):
        if "@job" in block:
            exec(compile(f"from __future__ import annotations\n{block}", "shop/jobs.py", "exec"), shop.__dict__)
    marked = shop.clean
    settings.WORKERD = {**settings.WORKERD, "COMMANDS": ["check"]}

    base, production = (text.replace("db_worker --queue-name mail", "check") for text in blocks("toml"))
    declared = declare(jobs=base, production=production)

    assert registered()["shop.jobs.clean"].function is marked
    assert (declared.faults, declared.warnings) == ([], [])
    assert declared.definitions["mail"].values["processes"] == 8
    assert declared.definitions["mail"].values["max_memory"] is None


def test_the_faults_on_the_page_are_what_is_said(declare: Callable[..., Declared]) -> None:
    declared = declare(
        jobs='[jobs.mail]\ncommand = "check"\n\nprocesess = 2\n\n\n\n[jobs.feed]\ntarget = "os.system"\n',
        **{"jobs.production": "[jobs.mail]\nnice = \n"},
    )

    assert sorted(map(str, declared.faults)) == sorted(blocks("")[0].splitlines())
