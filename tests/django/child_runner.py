"""A Django process that loads once and forks a child for each request: a forkserver reduced to its least.

``python -m tests.django.child_runner FD``: each Bear on the channel FD brings channel, streams, page; Born answers.
"""

import faulthandler
import os
import signal
import sys
from typing import NoReturn

import django
from django.db import connections

from workerd import forksafe
from workerd.wire.channel import Channel
from workerd.wire.messages import DUMP_SIGNAL, Born, License
from workerd.wire.page import HeartbeatPage
from workerd.wire.spec import JobSpec


def main() -> None:
    daemon = Channel.from_descriptor(int(sys.argv[1]))
    forksafe.install()
    django.setup()
    from tests.django import child_jobs, surroundings_jobs  # noqa: F401 - their jobs register themselves

    connections.close_all()  # the shop's ready() has opened them
    while True:
        message, descriptors = daemon.receive()
        if message is None:
            return
        if child := os.fork():
            daemon.send(Born(child))
            for descriptor in descriptors:
                os.close(descriptor)
            _, status = os.waitpid(child, 0)
            daemon.send(Born(os.waitstatus_to_exitcode(status)))
        else:
            daemon.close()
            run_child(*descriptors)


def run_child(channel: int, stdout: int, stderr: int, page: int) -> None:
    code = 99
    try:
        from workerd.child.descriptors import lift
        from workerd.child.inherited import leave_inheritance
        from workerd.child.output_pipe import OUTPUT
        from workerd.child.run import run_job
        from workerd.child.stdio import connect_streams

        leave_inheritance()

        signal.signal(signal.SIGINT, signal.default_int_handler)
        connect_streams(stdout, stderr)
        faulthandler.register(DUMP_SIGNAL, file=OUTPUT.descriptor, all_threads=True)
        ours = Channel.from_descriptor(lift(channel))
        licence, _ = ours.receive()
        assert isinstance(licence, License)
        code = run_job(JobSpec.from_dict(licence.spec), licence, ours, HeartbeatPage(page))
    finally:
        end(code)


def end(code: int) -> NoReturn:
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
