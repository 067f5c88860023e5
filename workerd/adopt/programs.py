"""Programs that are no management commands, and commands that are no jobs: why each is not adopted."""

from collections.abc import Sequence
from typing import NoReturn

from .not_adopted import NotAdoptedError

_SERVERS = (
    "gunicorn", "uwsgi", "uvicorn", "daphne", "hypercorn", "granian", "waitress-serve", "mod_wsgi-express", "nginx",
    "runserver", "runserver_plus", "rungunicorn", "testserver", "run_gunicorn",
)  # fmt: skip
_SHELLS = ("shell", "shell_plus", "dbshell")
_CONSUMERS = ("arq", "dramatiq", "huey_consumer", "huey_consumer.py", "procrastinate", "rq", "taskiq")


def base_name(word: str) -> str:
    """Return the name of a program without its folder."""
    return word.rpartition("/")[2]


def refuse_server(words: Sequence[str]) -> None:
    """Raise NotAdoptedError where one of the words is a program or a command that serves HTTP."""
    if server := next((name for name in map(base_name, words) if name in _SERVERS), ""):
        raise NotAdoptedError(f"{server} serves HTTP: leave it where it is.")


def refuse_program(words: Sequence[str]) -> NoReturn:
    """Raise NotAdoptedError for a program that is neither Python nor ``manage.py``."""
    refuse_server(words[:1])
    name = base_name(words[0])
    if name in ("celery", "celeryd", "celerybeat"):
        raise NotAdoptedError(_about_celery([name, *words[1:]]))
    if name in ("honcho", "foreman"):
        raise NotAdoptedError(f"{name} starts the processes of a Procfile: adopt that file.")
    if name in _CONSUMERS:
        raise NotAdoptedError(_recipe(f"{name} is a program of its own"))
    if "." in name and name.rpartition(".")[2] in ("sh", "bash"):
        raise NotAdoptedError(f"“{words[0]}” is a script of a shell: adopt the command that it runs in the end.")
    raise NotAdoptedError(
        f"“{words[0]}” is a program of its own, not manage.py: if it ends in a management command, "
        "write that command's line instead."
    )


def refuse_command(words: Sequence[str]) -> None:
    """Raise NotAdoptedError for a management command that is no job."""
    refuse_server(words[:1])
    if words[0] in _SHELLS:
        raise NotAdoptedError(
            f"“{words[0]}” runs code that stands outside the project: make it a management command, or mark it @job."
        )


def _about_celery(words: Sequence[str]) -> str:
    if words[0] == "celerybeat" or "beat" in words[1:]:
        return "Celery's beat sends tasks at times: adopt its schedule instead, or write a command that starts it."
    return _recipe(f"“{words[0]}” starts Celery, which has no management command")


def _recipe(what: str) -> str:
    return (
        f"{what}: write a management command, or a function marked @job, that calls it, and give that to a job; "
        "docs/moving.md shows how."
    )
