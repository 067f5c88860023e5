"""What a job raises reaches the operator's terminal made visible, whatever the terminal's encoding."""

import os
import pty
import re
import subprocess
import sys
import unicodedata

import pytest

from tests.harness.daemon import Daemon
from tests.harness.project import MANAGE, Project

pytestmark = pytest.mark.backends("any")

MESSAGE = "Grüße\x1b]0;owned\x07\x9b2J\u202egnp\nforged: RUNNING"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
VERBS = {
    "status": ["status"],
    "status for programs": ["status", "--json"],
    "tail": ["tail", "--no-follow", "-n", "1000"],
    "an order": ["restart", "loud"],
    "an order for programs": ["restart", "loud", "--json"],
    "check": ["check"],
    "help": ["--help"],
    "help of a verb": ["stop", "--help"],
}
WITHOUT_ITS_WORDS = ("check", "help", "help of a verb")
OTHER_DOOR = ("status", "tail", "an order")
"""Verbs that are also asked by “python -m workerd”."""


def acting(text: str) -> set[str]:
    return {found for found in text if unicodedata.category(found) in {"Cc", "Cf", "Zl", "Zp"}} - {"\n"}


@pytest.fixture
def loud(project: Project, daemon: Daemon) -> Project:
    """A project with a job that raises such a message, and waits to be started again."""
    project.add_job("loud", "crash", kwargs={"message": MESSAGE}, backoff_initial=60, start_grace=20)
    daemon.start()
    daemon.wait_state("loud", "BACKOFF")
    return project


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_no_verb_lets_it_act(loud: Project, encoding: str) -> None:
    path = f"{loud.env['PYTHONPATH']}:{MANAGE.parent}"
    env = {**loud.env, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "PYTHONPATH": path}
    commands = {name: [*loud.command, "workerd", *words] for name, words in VERBS.items()}
    commands |= {f"{name} by the other door": [sys.executable, "-m", "workerd", *VERBS[name]] for name in OTHER_DOOR}
    for name, command in commands.items():
        done = subprocess.run(command, env=env, cwd=loud.folder, capture_output=True, timeout=60, check=False)
        out, err = done.stdout.decode(encoding), done.stderr.decode(encoding)

        assert "Traceback" not in err, name
        assert "egnp" in out + err or name in WITHOUT_ITS_WORDS, name
        assert acting(out + err) == set(), name
        assert not re.search("^forged", out + err, re.MULTILINE), name


def test_a_person_who_follows_the_log_at_a_terminal_sees_it(loud: Project) -> None:
    ours, theirs = pty.openpty()
    words = ["workerd", "tail", "--no-follow", "-n", "1000", "--job", "loud"]
    with subprocess.Popen([sys.executable, str(MANAGE), *words], env=loud.env, stdout=theirs, cwd=loud.folder):
        os.close(theirs)
        chunks = []
        try:
            while chunk := os.read(ours, 65536):
                chunks.append(chunk)
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    shown = COLOURS.sub("", b"".join(chunks).decode()).replace("\r\n", "\n")

    assert acting(shown) == set()
    assert "Grüße\\x1b]0;owned\\x07\\u009b2J\\u202egnp" in shown
