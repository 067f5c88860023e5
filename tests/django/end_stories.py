"""Ends of a process, each of which must come out of a child as it comes out of plain Python.

``python -m tests.django.end_stories NAME`` is the plain process.
"""

import atexit
import io
import logging
import logging.handlers
import multiprocessing
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Any

WORK_S = 0.1


def say(text: object) -> None:
    print(f"> {text}", flush=True)


def work(text: object = "worked") -> None:
    time.sleep(WORK_S)
    say(text)


def do(*steps: Callable[[], object]) -> None:
    for step in steps:
        step()


def long_sleep() -> None:
    """Take longer than any process here may take to end."""
    time.sleep(30)


def thread_goes_on() -> None:
    threading.Thread(target=work).start()


def thread_starts_another() -> None:
    threading.Thread(target=thread_goes_on).start()


def daemon_thread_is_cut_off() -> None:
    threading.Thread(target=partial(do, partial(time.sleep, 30), partial(say, "never")), daemon=True).start()


def executor_has_work() -> None:
    pool = ThreadPoolExecutor(1)
    for number in range(3):
        pool.submit(work, number)


def executor_has_work_and_main_fails() -> None:
    executor_has_work()
    raise ValueError("no database")


def process_goes_on() -> None:
    multiprocessing.get_context("fork").Process(target=work).start()


def daemon_process_is_ended() -> None:
    multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,), daemon=True).start()
    atexit.register(lambda: say(f"children: {len(multiprocessing.active_children())}"))


def process_pool_is_not_shut_down() -> None:
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    say(pool.submit(abs, -3).result())
    pool.submit(work, "in the pool")


def exit_functions_run_backwards() -> None:
    atexit.register(say, "registered first")
    atexit.register(say, "registered last")


def exit_function_raises() -> None:
    atexit.register(say, "after it")
    atexit.register(lambda: 1 // 0)


def exit_function_leaves() -> None:
    atexit.register(say, "after it")
    atexit.register(sys.exit, 5)


def exit_function_comes_from_a_thread() -> None:
    threading.Thread(target=partial(do, work, partial(atexit.register, say, "registered late"))).start()


def exit_function_starts_an_executor() -> None:
    def submit() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(say, "never")

    atexit.register(submit)
    ThreadPoolExecutor(1).submit(say, "before")


def exit_function_ends_the_process() -> None:
    atexit.register(os._exit, 9)


def finalizers_run() -> None:
    global _kept
    _kept = io.StringIO()
    weakref.finalize(_kept, say, "finalized")


_kept: Any = None


def handlers_are_flushed() -> None:
    target = logging.StreamHandler(sys.stdout)
    target.setFormatter(logging.Formatter("> %(message)s"))
    logger = logging.getLogger("buffered")
    logger.propagate = False
    logger.addHandler(logging.handlers.MemoryHandler(100, target=target))
    logger.warning("kept back")


def leaves_with_a_number() -> None:
    executor_has_work()
    sys.exit(3)


def leaves_with_a_large_number() -> None:
    sys.exit(-1)


def leaves_with_an_object() -> None:
    sys.exit(["> a list"])  # type: ignore[arg-type]


def leaves_with_nothing() -> None:
    sys.exit()


def interrupts_itself() -> None:
    atexit.register(say, "at exit")
    raise KeyboardInterrupt


def prints_half_a_line() -> None:
    sys.stdout.write("> half")


def closes_its_output() -> None:
    sys.stdout.close()


def puts_a_broken_stream_in_place() -> None:
    class Broken(io.StringIO):
        def flush(self) -> None:
            raise OSError("no room")

    sys.stdout = Broken()


def puts_nothing_in_place() -> None:
    sys.stdout = sys.stderr = None


def handler_raises_during_the_join() -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("from a handler")

    signal.signal(signal.SIGTERM, refuse)
    atexit.register(say, "at exit")
    threading.Thread(target=partial(do, work, partial(os.kill, os.getpid(), signal.SIGTERM), long_sleep)).start()


def handler_leaves_during_the_join() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    atexit.register(say, "at exit")
    threading.Thread(target=partial(do, work, partial(os.kill, os.getpid(), signal.SIGTERM), long_sleep)).start()


def _fork(child: Any) -> None:
    if pid := os.fork():
        _, status = os.waitpid(pid, 0)
        say(f"fork: {os.waitstatus_to_exitcode(status)}")
    else:
        child()


def fork_leaves() -> None:
    atexit.register(lambda: say("at exit"))
    _fork(lambda: sys.exit(4))


def fork_fails() -> None:
    _fork(lambda: 1 // 0)


def fork_returns() -> None:
    _fork(lambda: None)


def fork_leaves_a_thread_at_work() -> None:
    _fork(partial(do, thread_goes_on, partial(sys.exit, 6)))


def fork_has_an_executor() -> None:
    _fork(executor_has_work)


def fork_of_a_fork_leaves() -> None:
    _fork(lambda: _fork(lambda: sys.exit(4)))


def exec_takes_over() -> None:
    os.execv(sys.executable, [sys.executable, "-c", "print('> another program'); raise SystemExit(8)"])


STORIES = [
    name
    for name, value in list(globals().items())
    if callable(value)
    and getattr(value, "__module__", "") == __name__
    and name not in {"say", "work", "_fork", "do", "long_sleep"}
]

if __name__ == "__main__":
    globals()[sys.argv[1]]()
