"""What every soak does around its faults: a folder, a server, the daemon's end, and the figures in JSON."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.harness.backends.server import make_folder

CALM_WITHIN_S = 90.0
ENDED_EARLY = 143


def hold(database: str, work: Callable[[Any], dict[str, Any]], jobs: Mapping[str, dict[str, Any]] | None = None) -> int:
    """Open a soak, have ``work`` done with it, print its figures; return 1 if they have complaints."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ENDED_EARLY))  # so that disk and cgroup are taken away
    folder = make_folder()
    prepare_django(folder)
    from tests.soak.runner import JOBS, close_soak, open_soak

    soak = open_soak(database, folder, JOBS if jobs is None else jobs)
    try:
        figures = work(soak)
    finally:
        soak.write_logs()
        close_soak(soak)
    print(json.dumps(figures, indent=1))
    if figures["complaints"]:
        print(f"FAILED; the daemons' logs are {folder}/log.*")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    print("passed")
    return 0


def calm(look: Callable[[], list[str]], when: str) -> list[str]:
    """Wait until all is as it should be at rest; return what is not."""
    deadline = time.monotonic() + CALM_WITHIN_S
    while disorder := look():
        if time.monotonic() > deadline:
            return [f"{when}: {problem}" for problem in disorder]
        time.sleep(0.5)
    return []


def prepare_django(folder: Path) -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.process.settings"
    os.environ["DATABASE_URL"] = f"sqlite:///{folder}/unused.sqlite3"
    os.environ["WORKERD_STATE_DIR"] = str(folder / "unused")
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "django_site"))
    django.setup()
