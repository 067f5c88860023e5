"""``python -m workerd`` asks the daemon where ``manage.py`` cannot: it loads the settings, nothing of the project."""

import subprocess
import sys

import pytest

from tests.harness.backends.backend import Databases
from tests.harness.daemon import Daemon
from tests.harness.modules import write_module
from tests.harness.outages import Link
from tests.harness.project import MANAGE, Project

NOTE = "Restarted with the code of generation 1; “reload” loads newer files."
DONE, FAILED, USAGE, NO_DAEMON = 0, 1, 2, 3
WITHIN_S = 60.0

pytestmark = pytest.mark.slow


def ask(project: Project, *words: str, within: float = WITHIN_S) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "workerd", *words],
        env={**project.env, "PYTHONPATH": f"{project.env['PYTHONPATH']}:{MANAGE.parent}"},
        cwd=project.folder,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


@pytest.mark.backends("postgres-psycopg2")
def test_it_answers_where_the_project_waits_for_a_silent_database_as_it_loads(
    project: Project, daemon: Daemon, databases: Databases
) -> None:
    """The shop reads a row in ``AppConfig.ready``."""
    with Link.open(project, databases) as link:
        project.add_job("idle")
        daemon.start()
        before = daemon.wait_state("idle", "RUNNING")["pid"]
        link.proxy.silence()

        status, restarted = ask(project, "status"), ask(project, "restart", "--all")

        assert (status.returncode, restarted.returncode) == (DONE, DONE), restarted.stderr
        assert f"ready, pid {daemon.pid}, up " in status.stdout
        after = daemon.slot("idle")["pid"]
        assert restarted.stdout == f"idle: RUNNING, pid {after}\n{NOTE}\n"
        assert after != before
        link.proxy.heal()
        daemon.stop()


@pytest.mark.backends("any")
@pytest.mark.parametrize("words", [("status", "--fleet"), ("drain", "web@b")])
def test_what_stands_in_the_database_needs_the_project(project: Project, words: tuple[str, ...]) -> None:
    done = ask(project, *words)

    assert done.returncode == USAGE
    assert "use “manage.py workerd" in done.stderr


@pytest.mark.backends("any")
def test_it_answers_while_the_release_in_place_does_not_load(project: Project, daemon: Daemon) -> None:
    write_module(project, "released", "")
    project.settings["PRELOAD"] = ["released"]
    project.add_job("idle")
    daemon.start()
    daemon.wait_state("idle", "RUNNING")
    write_module(project, "released", "raise RuntimeError('not today')")

    status, reload = ask(project, "status"), ask(project, "reload")

    assert (status.returncode, status.stderr) == (DONE, "")
    assert "idle" in status.stdout
    assert reload.returncode == FAILED
    assert "not today" in reload.stderr
    (tail,) = ask(project, "tail", "--no-follow", "--event", "forkserver.rejected").stdout.splitlines()
    assert "not today" in tail


@pytest.mark.backends("any")
def test_it_knows_the_verbs_that_ask_and_says_when_nobody_answers(project: Project) -> None:
    assert ask(project, "status").returncode == NO_DAEMON
    for line in ("--settings nowhere status", "status --settings nowhere"):
        done = ask(project, *line.split())
        assert (done.returncode, "nowhere" in done.stderr) == (FAILED, True)
    for words in (("run",), ("once", "idle"), ("check",), ()):
        assert ask(project, *words).returncode == USAGE, words


@pytest.mark.backends("any")
@pytest.mark.parametrize("words", ["{} status", "status {}", "status {} --json"])
@pytest.mark.parametrize("form", ["--settings={}", "--settings {}"])
@pytest.mark.parametrize("door", [["-m", "workerd"], [str(MANAGE), "workerd"]])
def test_the_settings_may_be_named_before_and_after_the_verb(
    project: Project, door: list[str], form: str, words: str
) -> None:
    settings = project.env["DJANGO_SETTINGS_MODULE"]
    line = [*door, *words.format(form.format(settings)).split()]
    env = {**project.env, "PYTHONPATH": f"{project.env['PYTHONPATH']}:{MANAGE.parent}"}
    env["DJANGO_SETTINGS_MODULE"] = "nowhere"

    done = subprocess.run([sys.executable, *line], env=env, capture_output=True, text=True, check=False)

    assert done.returncode == NO_DAEMON, done.stderr


@pytest.mark.backends("any")
def test_the_project_may_be_looked_for_elsewhere(project: Project) -> None:
    (project.folder / "elsewhere").mkdir()
    source = f"from {project.env['DJANGO_SETTINGS_MODULE']} import *\n"
    (project.folder / "elsewhere" / "settings_of_elsewhere.py").write_text(source)
    words = ["--pythonpath", "elsewhere", "--settings", "settings_of_elsewhere"]

    assert ask(project, "status", *words).returncode == NO_DAEMON
    assert ask(project, *words, "status").returncode == NO_DAEMON


@pytest.mark.backends("any")
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 +", "SyntaxError: "),
        ("raise SystemError('no such vault\\nmore')", "SystemError: no such vault)"),
        (None, ""),
    ],
    ids=["broken", "raising", "not there"],
)
def test_settings_that_do_not_load_are_told_in_a_sentence(project: Project, source: str | None, said: str) -> None:
    if source is not None:
        write_module(project, "odd_settings", source)

    done = ask(project, "status", "--settings", "odd_settings")

    assert (done.returncode, done.stdout) == (FAILED, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"The project's settings cannot be loaded ({said}")
    assert line.endswith("Name their module by --settings or DJANGO_SETTINGS_MODULE, and its folder by --pythonpath.")
