"""A job in the foreground: logs for a person, the exit codes of a child, Ctrl-C."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.backends("sqlite")

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, sys, django
django.setup()
from tests.django import child_jobs
from workerd.child.once import run_once
from workerd.wire.spec import JobSpec
sys.exit(run_once(JobSpec("a-job", **json.loads(sys.argv[1]))))
"""
WITHIN_S = 20


def start(tmp_path: Path, fields: str) -> "subprocess.Popen[str]":
    env = {**os.environ, "WORKERD_SETTINGS": '{"TARGETS": ["tests.django.*"], "COMMANDS": ["linger"]}'}
    env["PYTHONPATH"] = os.pathsep.join((str(ROOT), str(ROOT / "django_site")))
    env["DATABASE_URL"] = f"sqlite:///{tmp_path / 'once.sqlite3'}"
    pipe: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", SCRIPT, fields], env=env, cwd=ROOT, **pipe)


@pytest.mark.parametrize(
    ("fields", "code", "output"),
    [
        ('{"target": "tests.django.child_jobs.finish", "kwargs": {"a": 1}}', 0, "{'a': 1}"),
        ('{"target": "tests.django.child_jobs.fail"}', 1, "ValueError: wrong"),
        ('{"target": "tests.django.child_jobs.leave", "kwargs": {"code": 75}}', 75, ""),
        ('{"command": "linger --fail 5"}', 5, "could not"),
        ('{"target": "os.system"}', 78, "“os.system” is not a job that the project allows."),
    ],
)
def test_it_ends_as_its_child_would(tmp_path: Path, fields: str, code: int, output: str) -> None:
    process = start(tmp_path, fields)
    out, err = process.communicate(timeout=WITHIN_S)

    assert process.returncode == code, err
    assert output in out + err
    assert err.count("Traceback") == (1 if code in (1, 5) else 0)


@pytest.mark.parametrize("function", ["idle", "async_idle", "plain"])
def test_ctrl_c_stops_it_gracefully(tmp_path: Path, function: str) -> None:
    process = start(tmp_path, f'{{"target": "tests.django.child_jobs.{function}"}}')
    assert process.stdout
    assert process.stdout.readline() == "idle\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=WITHIN_S)

    assert (process.returncode, out, err) == (0, "stopped: True\n", "")


def test_a_successor_asked_for_is_the_end(tmp_path: Path) -> None:
    process = start(tmp_path, '{"target": "tests.django.child_jobs.announce"}')

    assert process.communicate(timeout=WITHIN_S)[0] == "1\n"
    assert process.returncode == 0


@pytest.mark.parametrize(
    "story",
    [
        "executor_has_work_and_main_fails",
        "exit_functions_run_backwards",
        "exit_function_raises",
        "fork_leaves",
        "handler_leaves_during_the_join",
        "leaves_with_an_object",
        "process_pool_is_not_shut_down",
        "thread_goes_on",
    ],
)
def test_it_ends_as_plain_python_does(tmp_path: Path, story: str) -> None:
    module = "tests.django.end_stories"
    plain = subprocess.run(
        [sys.executable, "-m", module, story], cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=False
    )

    process = start(tmp_path, f'{{"target": "{module}.{story}"}}')
    out, err = process.communicate(timeout=WITHIN_S)

    assert process.returncode == plain.returncode
    assert _said(out) == _said(plain.stdout)
    assert _said(err) == _said(plain.stderr)


def _said(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(">")]
