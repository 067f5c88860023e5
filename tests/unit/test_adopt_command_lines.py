"""A command line is peeled down to its management command, and what cannot be is refused with its reason."""

from typing import Any

import pytest

from tests.unit.test_adopt_files import context
from workerd.adopt.adopted import Adopted, Refused
from workerd.adopt.command_line import adopt_command
from workerd.adopt.draft import Draft

PEELED: dict[str, dict[str, Any]] = {
    "manage.py db_worker": {},
    "./manage.py db_worker": {},
    "/srv/shop/manage.py db_worker": {},
    "python manage.py db_worker": {},
    "/srv/venv/bin/python3.12 -u -W error -Xdev manage.py db_worker": {},
    "pypy3 manage.py db_worker": {},
    "python -m django db_worker": {},
    "django-admin db_worker": {},
    "/srv/venv/bin/django-admin.py db_worker": {},
    "manage.py --settings=shop.settings db_worker --pythonpath /srv": {},
    "A=b manage.py db_worker": {"environment": {"A": "b"}},
    "env A=b C='d e' manage.py db_worker": {"environment": {"A": "b", "C": "d e"}},
    "/usr/bin/env python manage.py db_worker": {},
    "env -i A=b manage.py db_worker": {"environment": {"A": "b"}},
    "exec manage.py db_worker": {},
    "nohup manage.py db_worker": {},
    "nice manage.py db_worker": {"nice": 10},
    "nice -n 5 manage.py db_worker": {"nice": 5},
    "nice -n5 manage.py db_worker": {"nice": 5},
    "nice -5 manage.py db_worker": {"nice": 5},
    "nice --adjustment=-5 manage.py db_worker": {"nice": -5},
    "ionice -c 2 -n7 manage.py db_worker": {},
    "timeout 90 manage.py db_worker": {"max_age": 90.0},
    "timeout -s INT -k 5s 1.5h manage.py db_worker": {"max_age": 5400.0, "stop_timeout": 5.0},
    "timeout --kill-after=5 2d manage.py db_worker": {"max_age": 172800.0, "stop_timeout": 5.0},
    "flock -n /tmp/lock manage.py db_worker": {},
    "s6-setuidgid app python3 manage.py db_worker": {},
    "nice -n 5 s6-setuidgid app exec manage.py db_worker": {"nice": 5},
    "sudo -E -u app manage.py db_worker": {},
    "poetry run python manage.py db_worker": {},
    "uv run --frozen manage.py db_worker": {},
    "bash -c 'cd /srv && A=b exec manage.py db_worker'": {"working_directory": "/srv", "environment": {"A": "b"}},
    "sh -lc 'manage.py db_worker'": {},
    "bash -e -c 'manage.py db_worker'": {},
    "flock /tmp/lock -c 'manage.py db_worker'": {},
    "manage.py db_worker >> /var/log/x.log 2>&1": {},
    "cd /srv && manage.py db_worker": {"working_directory": "/srv"},
}
IN_A_SHELL: dict[str, dict[str, Any]] = {
    "cd /srv; cd shop; manage.py db_worker": {"working_directory": "/srv/shop"},
    "cd '/srv/my shop' && manage.py db_worker": {"working_directory": "/srv/my shop"},
    "umask 027 && manage.py db_worker": {"umask": "027"},
    "export A=b C=d; manage.py db_worker": {"environment": {"A": "b", "C": "d"}},
    "A=b; manage.py db_worker": {"environment": {"A": "b"}},
    "set -e; manage.py db_worker": {},
    ". ./env && manage.py db_worker": {},
    "source venv/bin/activate && manage.py db_worker": {},
    "manage.py db_worker &> /dev/null": {},
    "manage.py db_worker < /dev/null > x 2> y": {},
    "manage.py db_worker # each night": {},
    '"manage.py" "db_worker"': {},
    "manage.py d''b_work\"er\"": {},
    "$PYTHON $HOME_OF_SHOP/manage.py db_worker": {},
    '"${PYTHON}" manage.py db_worker': {},
    "~/shop/manage.py db_worker": {},
}
VARIABLES = {"PYTHON": "/srv/venv/bin/python", "HOME_OF_SHOP": "/srv/shop"}
COMMANDS = {
    "manage.py db_worker --queue-name mail": "db_worker --queue-name mail",
    "manage.py db_worker -- --settings=x": "db_worker -- --settings=x",
    "manage.py db_worker -v 2 --name 'two words'": "db_worker -v 2 --name 'two words'",
    "manage.py db_worker 2>&1 --queue-name mail": "db_worker --queue-name mail",
    "manage.py db_worker > /dev/null --queue-name mail 2> x": "db_worker --queue-name mail",
    "manage.py db_worker &>>/var/log/x --queue-name mail": "db_worker --queue-name mail",
    "manage.py db_worker --name ''": "db_worker --name ''",
    "manage.py db_worker --json '{\"a\": {}}'": "db_worker --json '{\"a\": {}}'",
    "manage.py db_worker --url 'http://x/?a=1&b=2;c'": "db_worker --url 'http://x/?a=1&b=2;c'",
}
REFUSED = {
    "": "names no program",
    "   ": "names no program",
    "exec": "names no program",
    "A=b": "names no program",
    "manage.py": "names no management command",
    "python": "names nothing to run",
    "python -m": "names nothing to run",
    "python -u": "names nothing to run",
    "python python manage.py db_worker": "remove one of the two words",
    "python -c 'import shop'": "on the command line",
    "python clock.py": "is a script of its own",
    "python -m shop.worker": "is a program of its own",
    "manage.py no_such": "no management command “no_such” in this project",
    "manage.py db_wroker": "Did you mean “db_worker”?",
    "manage.py runserver": "serves HTTP",
    "manage.py shell -c 'x'": "outside the project",
    "gunicorn shop.wsgi": "serves HTTP",
    "/srv/venv/bin/uwsgi --ini x": "serves HTTP",
    "python -m gunicorn shop.wsgi": "serves HTTP",
    "daphne shop.asgi": "serves HTTP",
    "celery -A shop worker": "docs/moving.md",
    "python -m celery -A shop worker": "docs/moving.md",
    "celery -A shop beat": "adopt its schedule",
    "rq worker high": "docs/moving.md",
    "honcho start -f Procfile_worker": "adopt that file",
    "nautobot-server celery worker": "is a program of its own",
    "bin/run.sh": "script of a shell",
    "sh run.sh": "runs a shell",
    "bash -c": "runs a shell",
    "su app -c 'manage.py db_worker'": "is a program of its own",
    "env -u A manage.py db_worker": "no counterpart",
    "flock": "names no file",
    "flock -s /tmp/x manage.py db_worker": "no counterpart",
    "timeout soon manage.py db_worker": "no number",
    "timeout": "no number",
    "nice -n": "no number",
    "sudo --login manage.py db_worker": "no counterpart",
    "manage.py db_worker `date`": "needs a shell",
    "manage.py db_worker $(date)": "needs a shell",
    "manage.py db_worker | cat": "needs a shell",
    "manage.py db_worker || true": "needs a shell",
    "manage.py db_worker &": "needs a shell",
    "manage.py db_worker < names": "needs a shell",
    "manage.py db_worker && manage.py qcluster": "more than one program",
    "manage.py db_worker --share={index}": "is replaced",
    "manage.py db_worker --of '{processes}'": "is replaced",
    "{{ python }} manage.py db_worker": "give the rendered file",
    "{% if x %}manage.py db_worker": "give the rendered file",
    "%(venv)s/manage.py db_worker": "give the rendered file",
    "bash -c '{{ python }} manage.py db_worker'": "give the rendered file",
    'manage.py db_worker "open': "quotation",
    "manage.py db_worker --help": "",
    "manage.py db_worker " + "x" * 1000: "characters, more than",
}
REFUSED_IN_A_SHELL = {
    "manage.py db_worker *.txt": "pattern of file names",
    "manage.py db_worker $UNKNOWN": "the variable $UNKNOWN",
    "manage.py db_worker ${UNKNOWN}": "the variable $UNKNOWN",
    "manage.py db_worker ${A:-b}": "“${”",
    "manage.py db_worker $1": "“$1”",
    'manage.py db_worker "$(date)"': "“$(”",
    "(manage.py db_worker)": "needs a shell",
    "manage.py db_worker <<< x": "needs a shell",
    "if true; then manage.py db_worker; fi": "more than one program",
    "test -x x && manage.py db_worker": "more than one program",
}


def adopt_line(line: str, shell: dict[str, str] | None = None) -> Adopted | Refused:
    draft = Draft("job", "here")
    adopt_command(draft, line, context([]), shell=shell)
    return draft.finish()


@pytest.mark.parametrize(("line", "values"), PEELED.items())
def test_what_starts_a_command_is_peeled_off(line: str, values: dict[str, Any]) -> None:
    for job in (adopt_line(line), adopt_line(line, {})):
        assert isinstance(job, Adopted)
        assert job.values == {"command": "db_worker", **values}


@pytest.mark.parametrize(("line", "values"), IN_A_SHELL.items())
def test_what_a_shell_would_do_first_is_peeled_off(line: str, values: dict[str, Any]) -> None:
    job = adopt_line(line, VARIABLES)

    assert isinstance(job, Adopted)
    assert job.values == {"command": "db_worker", **values}


@pytest.mark.parametrize(("line", "command"), COMMANDS.items())
def test_the_arguments_of_a_command_stay_as_they_are(line: str, command: str) -> None:
    for job in (adopt_line(line), adopt_line(line, {})):
        assert isinstance(job, Adopted)
        assert job.values["command"] == command


@pytest.mark.parametrize(("line", "reason"), REFUSED.items())
def test_what_is_no_job_is_refused_with_its_reason(line: str, reason: str) -> None:
    for program in (adopt_line(line), adopt_line(line, {})):
        assert isinstance(program, Refused)
        assert reason in program.reason
        assert program.reason.endswith((".", "?"))


@pytest.mark.parametrize(("line", "reason"), REFUSED_IN_A_SHELL.items())
def test_what_needs_a_shell_is_refused_with_its_reason(line: str, reason: str) -> None:
    program = adopt_line(line, {})

    assert isinstance(program, Refused)
    assert reason in program.reason


def test_without_a_shell_a_pattern_and_a_dollar_are_themselves() -> None:
    job = adopt_line("manage.py db_worker --match *.txt --price $5")

    assert isinstance(job, Adopted)
    assert job.values["command"] == "db_worker --match '*.txt' --price '$5'"


@pytest.mark.parametrize(("line", "overlap"), [("flock -n x", "skip"), ("flock x", "queue"), ("flock -w 5 x", "queue")])
def test_a_lock_says_what_happens_while_the_last_run_goes_on(line: str, overlap: str) -> None:
    draft = Draft("job", "here")
    draft.values |= {"schedule": "@daily", "restart": "never"}

    adopt_command(draft, f"{line} manage.py db_worker", context([]), shell={})

    assert draft.values["overlap"] == overlap


def test_a_secret_stays_in_its_file() -> None:
    job = adopt_line("DB_PASSWORD=geheim manage.py db_worker")

    assert isinstance(job, Adopted)
    assert job.values["environment"] == {"DB_PASSWORD": {"$env": "DB_PASSWORD"}}
    assert "geheim" not in f"{job}"


def test_a_command_that_is_not_allowed_yet_is_adopted_with_the_remedy() -> None:
    job = adopt_line("manage.py qcluster")

    assert isinstance(job, Adopted)
    assert job.comments == ['Add "qcluster" to WORKERD["COMMANDS"].']
