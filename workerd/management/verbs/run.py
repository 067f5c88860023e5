"""Check the settings, then run the daemon in this process, in the foreground."""

import io
import os
import signal
import socket
import sys
import uuid
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, OutputWrapper
from django.db import connections

import workerd
from workerd.checks import check_databases
from workerd.conf import Settings, find_problems, get_settings
from workerd.management.machine_problems import find_machine_problems
from workerd.wire import exit_codes
from workerd.wire.config import DAEMON_VARIABLE, AlertTimes, DaemonConfig
from workerd.wire.private_folder import PRIVATE_FILE, PRIVATE_FOLDER
from workerd.wire.state_dir_error import judge


def add_arguments(parser: ArgumentParser) -> None:
    """Add nothing: what there is to choose is in WORKERD."""


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Check, close every connection, and replace this process by the daemon; return only where that cannot be."""
    if sys.stderr is None:  # its descriptor was closed before this process started
        command.stderr = OutputWrapper(io.StringIO())
    problems = find_problems(for_run=True)
    for problem in problems:
        command.stderr.write(f"{problem.level}: {problem}")
    unshared = [message for message in check_databases() if message.is_serious()]
    for message in unshared:
        command.stderr.write(f"error: {message.msg} {message.hint}")
    for text in (lacks := list(find_machine_problems())):
        command.stderr.write(f"error: {text}")
    if lacks or unshared or any(problem.level == "error" for problem in problems):
        return exit_codes.REFUSED
    settings = get_settings()
    assert settings.state_dir is not None
    try:
        _make_private(settings.state_dir)
    except OSError as error:
        code, sentence = judge(str(settings.state_dir), error)
        command.stderr.write(f"error: {sentence}")
        return code
    config = describe(settings, options)
    connections.close_all()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    _fill_standard_descriptors()
    return _become_daemon(config)


def describe(settings: Settings, options: dict[str, Any]) -> DaemonConfig:
    log_format = settings.log_format
    if log_format == "auto":
        log_format = "console" if sys.stdout is not None and sys.stdout.isatty() else "json"
    return DaemonConfig(
        name=settings.name,
        state_dir=str(settings.state_dir),
        host=socket.gethostname(),
        version=workerd.__version__,
        forkserver_argv=forkserver_argv(options),
        cwd=_working_directory(),
        log_format=log_format,
        tree=_tree(settings),
        database=settings.database,
        max_unavailable=settings.max_unavailable,
        max_processes=settings.max_processes,
        exit_when_parked=settings.exit_when_parked,
        http_bind=settings.http_bind,
        alerts=_alert_times(settings),
        sample_seconds=settings.sample_seconds,
        otlp_endpoint=settings.otlp_endpoint,
    )


def _alert_times(settings: Settings) -> AlertTimes | None:
    """Return when things are alerts; None where nobody is to hear of them."""
    if not any(entry.is_usable for entry in settings.alerts):
        return None
    ends, within = settings.alert_circle or (0, 0.0)
    return AlertTimes(settings.alert_down_s, settings.alert_out_s, ends, within)


def _working_directory() -> str:
    """Return the working directory by the shell's name for it: that may be a link, which each reload resolves again."""
    here, named = Path.cwd(), os.environ.get("PWD", "")
    return named if Path(named).is_absolute() and Path(named).is_dir() and Path(named).samefile(here) else str(here)


def forkserver_argv(options: dict[str, Any]) -> tuple[str, ...]:
    """Return the command line of a forkserver: this process's up to its verb, with the options that choose settings."""
    words = sys.orig_argv[1:]
    before = words[: words.index("workerd")] if "workerd" in words else ["-m", "django"]
    after = [f"--{name}={options[name]}" for name in ("settings", "pythonpath") if options.get(name)]
    return (sys.executable, *before, "workerd", "forkserver", *after)


def _tree(settings: Settings) -> str:
    """Return the mark of this node's processes. A daemon knows by it what its predecessor left, so it never changes."""
    where = Path(settings.state_dir or ".").absolute() / settings.name  # unresolved: a link may move
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"workerd://{socket.gethostname()}{where}"))


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    probe = folder / ".writable"
    os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE))
    probe.unlink()


def _fill_standard_descriptors() -> None:
    """Open the null device for each closed standard stream: the next file opened would get its number."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        try:
            is_stream = os.get_inheritable(descriptor)  # a file that Python opened at this number is not inheritable
        except OSError:
            is_stream = False
        if not is_stream:
            os.dup2(null, descriptor)
            os.set_inheritable(descriptor, True)


def _become_daemon(config: DaemonConfig) -> NoReturn:
    descriptor = os.memfd_create("workerd-config", 0)
    os.write(descriptor, config.to_json().encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    argv = [sys.executable, "-P", "-m", "workerd.daemon", str(descriptor)]
    os.execve(argv[0], argv, os.environ | {DAEMON_VARIABLE: config.tree})  # noqa: S606 - the daemon keeps the pid, and none of the memory
