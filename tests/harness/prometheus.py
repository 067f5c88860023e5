"""A Prometheus of the tests' own, where Debian's package is installed: it scrapes one address each second."""

import json
import shutil
import signal
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.harness.backends.server import ending_with_us, free_port
from tests.harness.promql import RULES
from tests.harness.waiting import eventually

PROMETHEUS = shutil.which("prometheus")
EXAMPLE = RULES.with_name("prometheus.yml")


class Prometheus:
    """A server with the shipped example of a configuration, for one node, and the shipped rules."""

    def __init__(self, folder: Path, target: str) -> None:
        self._port = free_port()
        folder.mkdir()
        text = EXAMPLE.read_text().replace("workerd.rules.yml", str(RULES))
        before, found, _ = text.partition("targets: [")
        assert found
        config = folder / "prometheus.yml"
        config.write_text(
            f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n{before}targets: [{json.dumps(target)}]\n"
        )
        self.log = folder / "log"
        words = [
            str(PROMETHEUS),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
        ]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ending_with_us(words, "", signal.SIGKILL),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    def get(self, path: str, **query: str) -> Any:
        """Return the data of an answer of its API. Raises OSError where there is none, or it is an error."""
        address = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=30) as response:
            answer = json.load(response)
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression gives now."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def wait_for(self, expression: str, within: float = 60.0) -> list[dict[str, Any]]:
        """Return the series that an expression gives as soon as it gives one."""

        def look() -> list[dict[str, Any]]:
            try:
                return self.query(expression)
            except OSError:
                return []  # it is starting

        try:
            return eventually(look, within, f"a series of {expression}")
        except AssertionError as error:
            error.add_note(self.log.read_text(errors="replace"))
            raise

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
