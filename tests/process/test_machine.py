"""What a machine does not offer: “check” and “run” say it in a sentence, with the remedy, before anything starts."""

import shutil
import subprocess
import sys

import pytest

from tests.harness.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.backends("any")]
FAILED, REFUSED = 1, 78
ALLOW_IT = "allow it in the seccomp profile (of the container, or SystemCallFilter= of systemd)."
CALLS = {
    "memfd_create": "memfd_create(2) with seals, for the signs of life of its processes",
    "socketpair": "socketpair(2), to talk to its processes",
    "prctl": "prctl(2), to adopt its processes",
    "waitid": "waitid(2), to see which process has ended",
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_the_kernel_refuses_is_named_by_check_and_by_run(project: Project, call: str) -> None:
    project.command = [sys.executable, "-m", "tests.harness.refusing", call, *project.command]

    checked, ran = project.manage("workerd", "check"), project.manage("workerd", "run")

    sentence = f"error: The daemon needs {CALLS[call]}, and gets “Operation not permitted”: {ALLOW_IT}"
    assert checked.returncode == FAILED
    assert sentence in checked.stdout.splitlines()
    assert (ran.returncode, ran.stdout) == (REFUSED, "")
    assert [line for line in ran.stderr.splitlines() if not line.startswith("warning:")] == [sentence]


def test_a_working_directory_that_was_deleted_is_named_by_check_and_by_run(project: Project) -> None:
    gone = project.folder / "release-1"
    gone.mkdir()
    shell = ["sh", "-c", 'rmdir "$PWD" && exec "$@"', "sh", *project.command, "workerd"]

    for verb, code in (("check", FAILED), ("run", REFUSED)):
        gone.mkdir(exist_ok=True)
        done = subprocess.run(
            [*shell, verb], capture_output=True, text=True, env=project.env, cwd=gone, timeout=60, check=False
        )
        assert done.returncode == code
        told = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("error:")]
        needs = "The daemon needs its working directory, and gets “No such file or directory”"
        assert told == [f"error: {needs}: change to the project's folder, as this one was deleted."]
    shutil.rmtree(gone, ignore_errors=True)
