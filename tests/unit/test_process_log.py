"""A child takes over the streams and the logging that the forkserver has made, unless the project has changed them."""

import json
import subprocess
import sys

import pytest

FORK = """
import logging, os, sys
from workerd.child.output_pipe import OUTPUT
from workerd.child.process_log import make_log, take_log
from workerd.child.stdio import connect_streams
from workerd.child.interpreter_end import flush_streams

OUTPUT.take(1)
{load}
made = make_log({{"generation": 1}}, "of-the-forkserver")
{hook}
beats = []
reading, writing = os.pipe()
if os.fork() == 0:
    os.close(reading)
    connect_streams(writing, os.dup(writing))
    log = take_log({{"job": "mail"}}, "of-the-child", lambda: beats.append(1))
    print("printed")
    logging.getLogger("shop").warning("recorded")
    log.info("logged", same=log is made, beats=len(beats) > 0)
    flush_streams()
    os._exit(0)
os.close(writing)
os.wait()
os.write(2, open(reading, "rb").read())
"""
ADD_HANDLER = "logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))"
FORMATTED = f"{ADD_HANDLER}; logging.getLogger().handlers[-1].setFormatter(logging.Formatter('formatted'))"


def said_by_child(load: str = "", hook: str = "") -> tuple[list[dict[str, object]], bytes]:
    """Return the lines that a fork has rendered, each with its own mark, and all that it has written."""
    script = FORK.format(load=load, hook=hook)
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60).stderr
    lines = [line[line.index(b"{") :] for line in said.splitlines() if b"of-the-child" in line]
    return [json.loads(line) for line in lines], said


def test_a_child_takes_the_forkservers_over() -> None:
    lines, said = said_by_child(load=ADD_HANDLER)

    assert [line["event"] for line in lines] == ["recorded", "logged"]
    assert all(line["job"] == "mail" and "generation" not in line for line in lines)
    assert (lines[-1]["same"], lines[-1]["beats"]) == (True, True)
    assert b"printed\n" in said
    assert b"of-the-forkserver" not in said


@pytest.mark.parametrize(
    "change",
    [
        FORMATTED,
        "sys.stdout = open(1, 'w', closefd=False)",
        "__import__('structlog').configure(logger_factory=__import__('structlog').PrintLoggerFactory())",
    ],
)
def test_what_a_hook_of_the_project_has_changed_is_taken_anew(change: str) -> None:
    lines, said = said_by_child(load=ADD_HANDLER, hook=f"os.register_at_fork(after_in_child=lambda: exec({change!r}))")

    assert [line["event"] for line in lines] == ["recorded", "logged"], said
    assert lines[-1]["same"] is False
    assert b"printed\n" in said
