"""What workerd replaces: the same function as one more ``manage.py``, kept alive by a real supervisord."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CONF = """
[supervisord]
logfile = {folder}/supervisord.log
pidfile = {folder}/supervisord.pid
nodaemon = true
user = {user}

[program:killed]
command = {python} {manage} shell --no-imports -c
  "from benchmarks.restart_latency.job import note_first_line as run; run('{lines}')"
startsecs = 0
startretries = 1000000
autorestart = true
stdout_logfile = NONE
stderr_logfile = NONE
"""


class Supervisor:
    """supervisord with one program, on the project that ``env`` describes; needs the extra ``supervisor``."""

    def __init__(self, folder: Path, manage: Path, env: Mapping[str, str]) -> None:
        self.lines = folder / "supervised-first-lines"
        conf = folder / "supervisord.conf"
        values = {"folder": folder, "python": sys.executable, "manage": manage, "lines": self.lines}
        conf.write_text(CONF.format(**values, user=os.geteuid()))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(conf)],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        """Stop it and its program."""
        self._process.terminate()
        self._process.wait(60)
