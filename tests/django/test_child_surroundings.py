"""What a row gives its process: environment, directory, umask and the numbers in a command's line."""

import json
from pathlib import Path
from typing import Any

import pytest

from workerd.child.secrets import MASK
from workerd.wire.messages import Failed, Refused

from .secret_stories import SECRETS
from .test_child_run import Child, JobRun, run, runner

__all__ = ["run", "runner"]
pytestmark = pytest.mark.backends("sqlite")

MODULE = "tests.django.surroundings_jobs"
SECRET = next(name for name, value in SECRETS.items() if len(value) > 20)
VALUE = SECRETS[SECRET]


def told(run: JobRun, *names: str, **fields: Any) -> dict[str, Any]:
    child = run(target=f"{MODULE}.tell", kwargs={"names": names}, **fields)
    assert child.end() == 0, child.written
    [line] = child.printed
    return dict(json.loads(line))


def refusal_of(child: Child) -> str:
    assert child.end() == 78
    [message] = child.messages
    assert isinstance(message, Refused)
    return message.reason


def test_a_job_finds_what_its_row_gives(run: JobRun, tmp_path: Path) -> None:
    found = told(
        run,
        *("QUEUE", "TOKEN", SECRET),
        environment={"QUEUE": "mail", "TOKEN": {"$env": SECRET}},
        working_directory=str(tmp_path),
        umask="027",
    )

    assert found["environment"] == {
        name: value[::-1] for name, value in {"QUEUE": "mail", "TOKEN": VALUE, SECRET: VALUE}.items()
    }
    assert (found["directory"], found["umask"]) == (str(tmp_path), "027")


def test_nothing_of_it_is_left_for_the_next_job_of_the_same_forkserver(run: JobRun, tmp_path: Path) -> None:
    before = told(run, "QUEUE")
    told(run, environment={"QUEUE": "mail"}, working_directory=str(tmp_path), umask="077")

    assert told(run, "QUEUE") == before
    assert before["environment"] == {"QUEUE": ""}


def test_no_import_is_looked_for_in_the_directory_of_the_row(run: JobRun, tmp_path: Path) -> None:
    assert told(run, working_directory=str(tmp_path))["relative"] == []


def test_a_value_of_the_service_is_read_before_the_row_changes_any(run: JobRun) -> None:
    found = told(run, "A", environment={SECRET: "another", "A": {"$env": SECRET}})

    assert found["environment"] == {"A": VALUE[::-1]}


def test_a_value_that_comes_from_the_service_is_masked_in_all_that_the_process_says(run: JobRun) -> None:
    child = run(target=f"{MODULE}.confess", kwargs={"name": "TOKEN"}, environment={"TOKEN": {"$env": SECRET}})

    assert child.end() == 1
    assert MASK in child.failed.message
    assert VALUE not in child.written.decode() + str([message.to_dict() for message in child.messages])


@pytest.mark.parametrize("name", ["SHOP_NOT_SET", "PATH"])
def test_a_variable_that_is_not_there_or_not_allowed_refuses_the_job(run: JobRun, name: str) -> None:
    child = run(target=f"{MODULE}.tell", kwargs={"names": []}, environment={"A": {"$env": name}})

    assert refusal_of(child) == (
        f"environment.A asks for the environment variable “{name}”, which is not allowed or not set. "
        f'Add "{name}" to WORKERD["ENV"], set it where the daemon is started, and restart the daemon.'
    )


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("environment", {"LD_PRELOAD": "/tmp/x.so"}, "environment sets LD_PRELOAD, which"),
        ("environment", {"WORKERD_TREE": "x"}, "environment sets WORKERD_TREE, which"),
        ("environment", {"A": 5}, "environment.A is a number"),
        ("working_directory", "srv", "working_directory is 'srv'"),
        ("umask", "9", "umask is '9'"),
    ],
)
def test_the_child_judges_the_row_again_whoever_wrote_it(run: JobRun, field: str, value: Any, sentence: str) -> None:
    child = run(target=f"{MODULE}.tell", kwargs={"names": []}, **{field: value})

    assert refusal_of(child).startswith(sentence)


def test_a_directory_that_cannot_be_entered_is_a_failure_that_names_it(run: JobRun, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    reasons = {"gone": "No such file or directory", "file": "Not a directory", "x" * 300: "File name too long"}
    for name, reason in reasons.items():
        path = tmp_path / name
        child = run(target=f"{MODULE}.tell", kwargs={"names": []}, working_directory=str(path))

        assert child.end() == 1
        [failed] = child.messages
        assert isinstance(failed, Failed)
        assert (failed.exception, failed.message) == (
            "workerd.directories.DirectoryError",
            f"working_directory is “{path}”, which cannot be entered ({reason}): make it, or correct the row.",
        )
        [event] = child.events
        assert (event["event"], event["level"]) == ("job.failed", "error")
        assert failed.message in event["exception"]


def test_each_process_has_its_numbers_in_its_command(run: JobRun) -> None:
    line = """shard --part {index} --of={processes} --extra '{"index": "{x}{}"}'"""
    child = run(command=line, index=2, processes=3)

    assert child.end() == 0
    [printed] = child.printed
    extra = '{"index": "{x}{}"}'
    assert json.loads(printed) == [["shard", "--part", "2", "--of=3", "--extra", extra], 2, 3, extra]


def test_a_number_that_the_command_does_not_take_refuses_its_own_process_alone(run: JobRun) -> None:
    fields: dict[str, Any] = {"command": "shard --part {index}", "processes": 5}

    assert run(**fields, index=0).end() == 0
    assert refusal_of(run(**fields, index=4)).startswith("“shard” does not take “--part 4”")
