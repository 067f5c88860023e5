"""A job in the foreground: logs for a person, the exit codes of a child, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workerd.child.secrets import MASK

from .secret_stories import SECRETS

pytestmark = [pytest.mark.backends("sqlite"), pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, sys, django
django.setup()
from tests.django import child_jobs
from workerd.child.once import run_once
from workerd.wire.spec import JobSpec
sys.exit(run_once(JobSpec("a-job", **json.loads(sys.argv[1]))))
"""
WITHIN_S = 60


SETTINGS = '{"TARGETS": ["tests.django.*"], "COMMANDS": ["linger"], "ENV": ["SHOP_*"]}'


def start(tmp_path: Path, fields: str) -> "subprocess.Popen[str]":
    env = {**os.environ, **SECRETS, "WORKERD_SETTINGS": SETTINGS}
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


def test_the_row_s_own_stop_signal_stops_it_too(tmp_path: Path) -> None:
    process = start(tmp_path, '{"target": "tests.django.child_jobs.idle", "stop_signal": "QUIT"}')
    assert process.stdout
    assert process.stdout.readline() == "idle\n"
    process.send_signal(signal.SIGQUIT)
    out, err = process.communicate(timeout=WITHIN_S)

    assert (process.returncode, out, err) == (0, "stopped: True\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_its_end_does_not_cut_off_what_is_in_hand(tmp_path: Path, number: int) -> None:
    process = start(tmp_path, '{"target": "tests.django.child_jobs.leave_work_in_hand"}')
    assert process.stdout
    assert process.stdout.readline() == "at work\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=WITHIN_S)

    assert (process.returncode, out, err) == (0, "done\n", "")


def test_a_ctrl_c_that_nobody_asked_for_ends_it_as_a_shell_shows_it(tmp_path: Path) -> None:
    process = start(tmp_path, '{"target": "tests.django.end_stories.interrupts_itself"}')

    assert "> at exit" in process.communicate(timeout=WITHIN_S)[0]
    assert process.returncode == 128 + signal.SIGINT


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


@pytest.mark.parametrize("story", ["convert", "raise_from", "log", "log_a_failure", "fail_in_a_thread"])
def test_what_it_logs_and_raises_has_a_secret_of_the_environment_masked(tmp_path: Path, story: str) -> None:
    kwargs = {"story": story, "key": {"$env": "SHOP_TOKEN"}}
    process = start(tmp_path, json.dumps({"target": "tests.django.secret_stories.tell", "kwargs": kwargs}))
    out, err = process.communicate(timeout=WITHIN_S)

    assert MASK in err
    assert SECRETS["SHOP_TOKEN"] not in out + err
