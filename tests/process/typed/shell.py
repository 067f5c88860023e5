"""A folder as a reader has it before him, and a shell in it."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.harness.project import MANAGE, ROOT
from tests.harness.waiting import eventually

WITHIN_S = 180.0
FEW_TESTS = "env -i PATH=$PATH WORKERD_TEST_BACKENDS=sqlite PYTEST_ADDOPTS=tests/unit/test_durations.py"


class Shell:
    """Runs lines as they stand; ``python`` is this one, ``manage.py`` the demo's."""

    def __init__(self, folder: Path, env: Mapping[str, str], programs: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        python = f"exec {shlex.quote(sys.executable)}"
        scripts = {
            "bin/python": python,
            "bin/python3": python,
            ".venv/bin/python": python,
            ".venv/bin/pytest": f"cd {shlex.quote(str(ROOT))}; exec {FEW_TESTS} {sys.executable} -m pytest",
            **{f"bin/{name}": f"exec {command}" for name, command in (programs or {}).items()},
        }
        for name, script in scripts.items():
            self._write(folder / name, script)
        (folder / "workerd_settings.py").write_text("from tests.process.settings import *\n")  # of docs/settings.md
        (folder / "manage.py").symlink_to(MANAGE)
        (folder / "django_site").symlink_to(MANAGE.parent)
        self.env = {
            **env,
            "PATH": f"{folder}/bin:{env['PATH']}",
            "PYTHONPATH": f"{env['PYTHONPATH']}:{MANAGE.parent}:{folder}",  # as for who stands in the project's folder
        }

    def run(self, line: str) -> "subprocess.CompletedProcess[str]":
        """Run a line to its end."""
        return subprocess.run(
            self.command(line),
            env=self.env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )

    def run_until(self, line: str, text: str, number: int = signal.SIGINT) -> int:
        """Run a line that does not end until its output has ``text``; return its exit code after the signal."""
        output = self.folder / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                self.command(f"exec {line}"),
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        try:
            eventually(lambda: text in output.read_text(errors="replace"), WITHIN_S, f"{line}: {text}")
            process.send_signal(number)
            return process.wait(WITHIN_S)
        finally:
            process.kill()
            process.wait()

    @staticmethod
    def command(line: str) -> list[str]:
        """Return what runs a line; of a pipe every part counts."""
        return ["bash", "-o", "pipefail", "-c", line]

    @staticmethod
    def _write(path: Path, script: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\n{script} "$@"\n')
        path.chmod(0o755)
