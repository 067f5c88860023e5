"""Jobs whose end takes long, or never comes."""

import atexit
import threading
import time

from .models import Mark

for_ever = threading.Event()


def leave_a_thread() -> None:
    """Returns, and leaves a thread that never ends."""
    threading.Thread(target=for_ever.wait, name="endless").start()


def leave_an_exit_function() -> None:
    """Returns, and leaves an exit function that never returns."""
    atexit.register(for_ever.wait)


def leave_ten_thousand_threads() -> None:
    """Returns, and leaves as many threads as a process can have."""
    threading.stack_size(64 * 1024)
    try:
        for _ in range(10_000):
            threading.Thread(target=for_ever.wait).start()
    except RuntimeError:
        print("no more threads")
    print("left", threading.active_count() > 1000)


def leave_work_in_hand() -> None:
    """Returns, and leaves a thread that has a second's work to do."""

    def work() -> None:
        time.sleep(1.0)
        print("the work is done", flush=True)

    threading.Thread(target=work).start()


def ask_until_the_end() -> None:
    """Asks the database, and goes on to do so in a thread and in an exit function."""

    def ask() -> None:
        print("asked", Mark.objects.count(), flush=True)

    ask()
    atexit.register(ask)
    threading.Thread(target=ask).start()
