"""The admin's web server: the project's own ``runserver``, on a free port of the loopback."""

import subprocess
import sys
import urllib.error
import urllib.request

from django.contrib.auth import get_user_model

from tests.harness.backends.server import free_port
from tests.harness.project import ALIAS, MANAGE, SETTINGS_MODULE, Project
from tests.harness.waiting import eventually

USER, PASSWORD = "operator", "a long enough password"


class Server:
    """Serves the project's admin until it is closed."""

    def __init__(self, project: Project) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.log = project.folder / "server.log"
        self._output = self.log.open("wb")
        mark = project.mark.partition("=")[0]  # by which the tests know the daemon's tree, to which this is a stranger
        env = {name: value for name, value in project.env.items() if name != mark}
        self._process = subprocess.Popen(
            [sys.executable, str(MANAGE), "runserver", "--noreload", "--insecure", self.address],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**env, "DJANGO_SETTINGS_MODULE": SETTINGS_MODULE},
            cwd=project.folder,
        )
        eventually(self._answers, 60, f"an answer of {self.address}")

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.address}"

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)
        self._output.close()

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/admin/login/", timeout=20) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def add_superuser() -> None:
    """Create the one who logs in."""
    get_user_model().objects.db_manager(ALIAS).create_superuser(USER, password=PASSWORD)
