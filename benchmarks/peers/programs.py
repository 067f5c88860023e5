"""The command of each peer, and the file that it reads: each keeps one process of the project alive."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MANAGE = ROOT / "django_site" / "manage.py"
RUN = "from benchmarks.peers.work import note_and_wait; note_and_wait()"

SUPERVISOR = f"""
[supervisord]
logfile = {{folder}}/supervisord.log
pidfile = {{folder}}/supervisord.pid
nodaemon = true
user = {os.geteuid()}

[program:killed]
command = {sys.executable} {MANAGE} shell --no-imports -c "{RUN}"
startsecs = 0
startretries = 1000000
autorestart = true
stdout_logfile = NONE
stderr_logfile = NONE
"""
CIRCUS = f"""
[circus]
endpoint = ipc://{{folder}}/endpoint
pubsub_endpoint = ipc://{{folder}}/pubsub
statsd = False

[watcher:killed]
cmd = {sys.executable} {MANAGE} shell --no-imports -c "{RUN}"
numprocesses = 1
copy_env = True
max_retry = -1
"""
GUNICORN = """
from benchmarks.peers.work import note

bind = "unix:{folder}/gunicorn.sock"
workers = 1
preload_app = True
post_worker_init = lambda worker: note()
"""


def supervisor(folder: Path) -> list[str]:
    """Supervisord, and the process is a ``manage.py`` of its own."""
    path = _write(folder / "supervisord.conf", SUPERVISOR)
    return [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(path)]


def circus(folder: Path) -> list[str]:
    """Circusd with its own defaults, and the process is a ``manage.py`` of its own."""
    return [sys.executable, "-m", "circus.circusd", str(_write(folder / "circus.ini", CIRCUS))]


def gunicorn(folder: Path) -> list[str]:
    """Gunicorn with ``preload_app``: its workers are forks of a process that has loaded the project."""
    path = _write(folder / "gunicorn.conf.py", GUNICORN)
    return [sys.executable, "-m", "gunicorn", "--config", str(path), "django_site.wsgi:application"]


def celery(_: Path) -> list[str]:
    """Celery's prefork pool of one process, which is a fork of a process that has loaded the project."""
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR")
    return [sys.executable, "-m", "celery", "-A", "benchmarks.peers.celery_app", "worker", "--concurrency=1", *quiet]


def workerd(_: Path) -> list[str]:
    """This daemon, and the process is a job's."""
    return [sys.executable, str(MANAGE), "workerd", "run"]


PEERS: dict[str, Callable[[Path], list[str]]] = {
    "workerd": workerd,
    "gunicorn": gunicorn,
    "celery": celery,
    "supervisor": supervisor,
    "circus": circus,
}
"""By the name of the package."""


def _write(path: Path, text: str) -> Path:
    path.write_text(text.replace("{folder}", str(path.parent)))
    return path
