"""What a big node costs the daemon's loop: its turns during births, status, an edit, stop, start and a reload.

    python -m benchmarks.big_node [--children 1000] [--rows 1000]

Prints for each step how long it takes, the processor time of the daemon meanwhile, and the busiest and longest turn of
its loop until then: by the daemon's processor time, and by the clock, which counts the waits for a processor.
"""

import argparse
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.daemon_at_work.project import Project, cpu_seconds, new_project, wait_until

WITHIN_S = 900.0
IDLE_S = 10.0
NAME = "idle"
EDIT = "from workerd.models import Job; Job.objects.filter(name='off-0').update(processes=2)"


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--children", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1000, help="job rows beside the one that runs; they are off")
    options = parser.parse_args()
    with new_project(POLL_SECONDS=1.0) as project:
        target = "benchmarks.daemon_at_work.jobs.idle"
        off = [{"name": f"off-{at}", "target": target, "enabled": False} for at in range(options.rows)]
        running = {"name": NAME, "target": target, "processes": options.children, "start_grace": 0.05}
        project.add_jobs(running, *off)
        measure(project)


def measure(project: Project) -> None:
    """Print the figures of each step."""
    reading, writing = os.pipe()
    ready = threading.Event()
    reader = threading.Thread(target=read, args=(reading, ready))
    reader.start()
    began = time.monotonic()
    daemon = project.launch(writing)
    os.close(writing)
    ready.wait(WITHIN_S)  # to ask the daemon each moment would be work for its loop
    took, cost = time.monotonic() - began, cpu_seconds(daemon.pid)
    print(f"{'born and ready':>20}: {took:6.2f} s, {cost:5.2f} s of a processor{tell(project.picture()['daemon'])}")
    began, used = time.monotonic(), cpu_seconds(daemon.pid)
    time.sleep(IDLE_S)
    share = (cpu_seconds(daemon.pid) - used) / (time.monotonic() - began)
    print(f"{'idle from then':>20}: {share * 100:.2f} % of a processor in {IDLE_S:.0f} s")

    def step(what: str, do: Callable[[], Any]) -> None:
        began, used = time.monotonic(), cpu_seconds(daemon.pid)
        do()
        took, cost = time.monotonic() - began, cpu_seconds(daemon.pid) - used
        print(f"{what:>20}: {took:6.2f} s, {cost:5.2f} s of a processor{tell(project.picture()['daemon'])}")

    step("status", project.picture)
    step("an edit and its poll", lambda: edit(project))
    for what, verb in (("stopped", "stop"), ("started", "start")):
        step(what, partial(project.ask, {"verb": verb, "names": [NAME], "all": False, "wait": True}, WITHIN_S))
    step("reloaded", partial(project.ask, {"verb": "reload", "way": "", "wait": True}, WITHIN_S))
    began = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    daemon.wait()
    print(f"{'daemon ended':>20}: {time.monotonic() - began:6.2f} s")
    reader.join()


def read(descriptor: int, ready: threading.Event) -> None:
    """Read the daemon's log to its end, and say when it is ready."""
    with os.fdopen(descriptor, "rb") as lines:
        for line in lines:
            if b'"daemon.ready"' in line:
                ready.set()


def tell(daemon: dict[str, Any]) -> str:
    """Return the words about the turns of the loop."""
    return f"; turns: busiest {daemon['busiest_turn_ms']:.1f} ms, longest {daemon['longest_turn_ms']:.1f} ms"


def edit(project: Project) -> None:
    """Change a row in plain SQL, as ``update()`` does, and wait until the daemon has it."""
    project.manage("shell", "--no-imports", "-c", EDIT)
    wait_until(lambda: any(slot["name"] == "off-0:1" for slot in project.picture()["slots"]), "the edit", WITHIN_S)


if __name__ == "__main__":
    main()
