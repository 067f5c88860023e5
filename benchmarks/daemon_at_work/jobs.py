"""Jobs for benchmarks of a running daemon."""

import json
import os
import time
from pathlib import Path

import structlog

from workerd import JobContext, job

BATCHES_A_SECOND = 100


@job
def idle(context: JobContext) -> None:
    """Wait until asked to stop."""
    context.wait()


@job
def take_and_give(context: JobContext) -> None:
    """Take half a MiB and give it back, each five seconds."""
    for _ in context.every(5):
        bytearray(2**19)


@job
def say_when(context: JobContext) -> None:
    """Say at once when this line of code ran, then wait."""
    context.log.info("bench.began", at=time.monotonic())
    context.wait()


@job
def write_lines(context: JobContext, go: str, rate: int, seconds: float, rendered: bool) -> None:
    """Log ``rate`` numbered lines a second once the file ``go`` exists; then say how many that were, and when."""
    while not Path(go).exists():
        if context.wait(0.01):
            return
    factory = structlog.get_config()["logger_factory"]
    write, number, batch = factory("bench").info, 0, rate // BATCHES_A_SECOND
    fields = {"timestamp": "2026-01-01T00:00:00.000000Z", "level": "info", "event": "bench.line", "pid": 1}
    identity = {"job": context.job_name, "slot": f"{context.job_name}:{context.index}", "run": context.run_id}
    head = json.dumps({**fields, **identity, "generation": 1}, separators=(",", ":")).encode()[:-1]
    began = due = time.monotonic()
    used = time.process_time()
    while due - began < seconds:
        due += 1 / BATCHES_A_SECOND
        for _ in range(batch):
            if rendered:
                write(b'%b,"sequence":%d}' % (head, number))
            else:
                context.log.info("bench.line", sequence=number)
            number += 1
        if (early := due - time.monotonic()) > 0:
            time.sleep(early)
    took = time.monotonic() - began
    cpu = time.process_time() - used
    context.log.info("bench.wrote", lines=number, seconds=took, ended=began + took, cpu_us=cpu / number * 1e6)
    context.wait()


@job
def make_noise(context: JobContext, go: str, text: str = "x") -> None:
    """Print short lines as fast as they are taken, once the file ``go`` exists."""
    while not Path(go).exists():
        if context.wait(0.01):
            return
    lines = f"{text}\n".encode() * 2000
    while not context.stopping:
        os.write(1, lines)


@job
def hang_when(context: JobContext, go: str) -> None:
    """Beat until the file ``go`` exists, then say when that was, and give no further sign of life."""
    while not Path(go).exists():
        context.beat()
        time.sleep(0.05)
    context.log.info("bench.hangs", at=time.monotonic())
    time.sleep(3600)
