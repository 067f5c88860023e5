"""Every command line of README, docs and deploy/ has a place, and runs there; here those that need a project."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pytest_django.plugin import DjangoDbBlocker

from tests.harness.backends.backend import Databases
from tests.harness.daemon import Daemon
from tests.harness.examples import examples
from tests.harness.project import BAD_JOBS, ROOT, SETTINGS_MODULE, Project

from .typed.pages import Line, collect, read_comments, read_page
from .typed.places import PARSED, PLACES, Place, find_place
from .typed.shell import Shell

LINES = collect()
DONE, FAILED = 0, 1
ENDLESS = {"workerd run": '"daemon.ready"', "workerd once mail": "said by mail", "workerd once JOB": "said by mail"}
"""What such a line says, somewhere, before it is ended by Ctrl-C."""
FILLED_IN = {
    "JOB": "mail",
    "VERB": "status",
    "benchmarks.fork_proof": "benchmarks.fork_proof sqlite --strategy 'prepare_to_fork()'",
}
"""What stands for a reader's own words, and less of what takes minutes."""
ADOPTS = re.compile(r".* workerd adopt (\S+) > (jobs\.toml)")
"""Ends with 1 where the page's own file has a program that stays where it is: the timer has none."""
EXAMPLES = examples((ROOT / "docs" / "moving.md").read_text())
MAIL = f"""
[jobs.mail]
target = "{BAD_JOBS}.say"
kwargs = {{ text = "said by mail" }}
processes = 1
start_grace = 0.05
"""

pytestmark = [pytest.mark.backends("sqlite"), pytest.mark.slow]


@pytest.fixture(scope="module")
def project(
    template: str,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Project]:
    databases.copy(template, "typed")
    with django_db_blocker.unblock():
        project = Project(tmp_path_factory.mktemp("typed"), databases, "typed")
        project.extra_env["DJANGO_SETTINGS_MODULE"] = SETTINGS_MODULE
        file = project.folder / "jobs.toml"
        file.write_text(MAIL)
        project.settings["DEFINITIONS"] = [str(file)]
        project.settings["ALERTS"] = ["tests.process.bad_jobs.alerts.note"]
        project.extra_env["NOTIFIER_CALLS"] = str(project.folder / "alerts")
        assert project.manage("workerd", "sync").returncode == DONE
        yield project
        project.close()


@pytest.fixture(scope="module")
def lasting(project: Project) -> Iterator[Daemon]:
    daemon = Daemon(project)
    try:
        yield daemon
        if daemon.is_running:
            daemon.stop()
    finally:
        daemon.clean_up()


@pytest.fixture
def daemon(lasting: Daemon) -> Daemon:
    """One for all lines; started again after the line that shuts it down."""
    if not lasting.is_running:
        lasting.start()
        lasting.wait_state("mail", "RUNNING")
    return lasting


@pytest.fixture
def shell(project: Project, tmp_path: Path) -> Shell:
    for name, text in EXAMPLES.items():
        (tmp_path / name).write_text(text)
    return Shell(tmp_path, project.env)


@pytest.mark.parametrize("line", [line for line in LINES if find_place(line) is Place.PROJECT], ids=str)
def test_a_line_does_what_it_is_there_for(line: Line, shell: Shell, daemon: Daemon) -> None:
    words = [FILLED_IN.get(word, word) for word in line.text.split(" ")]
    text = " ".join(words)
    if text.endswith(" demo"):
        shell.env["DATABASE_URL"] = f"sqlite:///{shell.folder}/demo.sqlite3"
    if "-m venv" in text:
        (shell.folder / ".venv").rename(shell.folder / "not-yet")
    ready_text = next((ready_text for end, ready_text in ENDLESS.items() if line.text.endswith(end)), "")
    if ready_text:
        shell.env["WORKERD_NAME"] = "another"

        assert shell.run_until(text, ready_text) == DONE
        return

    done = shell.run(text)

    if adopted := ADOPTS.fullmatch(text):
        assert done.returncode == (DONE if adopted[1].endswith(".timer") else FAILED), done.stderr
        assert "[jobs." in (shell.folder / adopted[2]).read_text()
        return
    assert done.returncode == DONE, done.stdout + done.stderr
    if text.endswith("shutdown"):
        assert daemon.wait() == DONE


# the lists


@pytest.mark.parametrize("line", LINES, ids=str)
def test_a_line_has_a_place(line: Line) -> None:
    assert find_place(line) is not None, "run it by a test, or say in tests/process/typed/places.py why not"


def test_the_lists_have_no_line_that_nobody_is_told_to_type() -> None:
    patterns = [*PARSED, *(pattern for patterns in PLACES.values() for pattern in patterns)]

    assert [pattern for pattern in patterns if not any(re.fullmatch(pattern, line.text) for line in LINES)] == []


def test_lines_are_found_in_blocks_in_prose_and_in_comments() -> None:
    blocks = "   ```sh\n   a && b\n   c\n   ```\n```python\nx\n```\n```console\n$ d\n1\n$ e\n```\n"
    comments = "# then `systemctl\n# x && manage.py y`\nno=`pip x`\n"

    assert read_page(f"Do `pip install\nthis`, or:\n\n{blocks}") == ["a", "b", "c", "d\ne", "pip install this"]
    assert read_comments(comments) == [
        "systemctl x",
        "python manage.py y",
    ]


# merely parsed


def parsed(program: str) -> list[str]:
    return [line.text for line in LINES if find_place(line) is Place.NOWHERE and program in line.text]


@pytest.mark.parametrize("text", parsed("pip install"))
def test_what_pip_is_told_to_install_is_here(text: str) -> None:
    *words, what = shlex.split(text)
    if words[-1] == "-r":  # a list of the reader's own
        return
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert what in {".", "path/to/this/directory", *(f".[{extra}]" for extra in extras)}


@pytest.mark.parametrize("text", parsed("docker"))
def test_docker_is_told_of_files_and_services_that_are_there(text: str) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    words = shlex.split(text)

    if words[1] == "build":
        assert words[2] == "-f"
        assert (ROOT / words[3]).is_file()
    elif words[1] == "compose":
        verb, *rest = (word for word in words[2:] if not word.startswith("-"))
        assert verb in {"up", "exec", "run"}
        assert set(rest if verb == "up" else rest[:1]) <= set(services)
    else:
        assert text == "docker exec"


@pytest.mark.parametrize("text", parsed("benchmarks"))
def test_a_benchmark_that_is_not_run_takes_the_options_that_it_is_given(text: str, shell: Shell) -> None:
    options = re.findall(r"--[a-z-]+", text)

    known = shell.run(f"{text.partition(' --')[0]} --help")

    assert known.returncode == DONE
    assert [option for option in options if option not in known.stdout] == []
