"""A folder, a fresh database, a port and servers for one run of a case, and what one finds there."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.backends.server import free_port
from tests.harness.processes import ProcessTree
from tests.harness.project import ROOT, Project

from .case import Case, load_module
from .observation import steady
from .remains import find_files, find_keys, find_processes, find_rows

SETTINGS_MODULE = "tests.fidelity.site.settings"
REDIS = "FIDELITY_REDIS"


@dataclass
class Stage:
    """Where one run happens; ``servers`` are variables of the environment, ``received`` what was sent over HTTP."""

    name: str
    case: Case
    project: Project
    servers: dict[str, str] = field(default_factory=dict)
    received: list[bytes] = field(default_factory=list)
    port: int = field(default_factory=free_port)

    def prepare(self) -> None:
        """Tell the project's processes what they are for, and make the tables of the case's apps."""
        self.project.extra_env = {
            "DJANGO_SETTINGS_MODULE": SETTINGS_MODULE,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'django_site'}",
            "PYTHONUNBUFFERED": "1",  # else a plain command that a signal ends loses what it printed
            "FIDELITY_CASE": self.name,
            "FIDELITY_FOLDER": str(self.folder),
            "FIDELITY_PORT": str(self.port),
            **self.servers,
            **self.case.environment,
        }
        done = self.project.manage("migrate", "--verbosity=0")
        if done.returncode != 0:
            raise RuntimeError(f"migrate ended with {done.returncode}:\n{done.stderr}")

    @property
    def folder(self) -> Path:
        return self.project.folder

    @property
    def command(self) -> str:
        """The command line as a row has it."""
        return self.case.command.format(port=self.port, folder=self.folder)

    @property
    def noise(self) -> tuple[str, ...]:
        """Patterns of what differs from run to run."""
        return (re.escape(str(self.folder)), *self.case.noise)

    def path(self, name: str) -> Path:
        return self.folder / name

    def texts(self) -> dict[str, str]:
        """What a plain run has said so far, by its stream."""
        paths = [self.path("stdout"), self.path("stderr")]
        return {path.name: path.read_text(errors="replace") for path in paths if path.exists()}

    def deeds(self) -> tuple[str, ...]:
        """What became of work so far, as itself and its receivers tell, sorted."""
        path, module = self.path("work"), load_module(self.name)
        noted = path.read_text().splitlines() if path.exists() else []
        told = module.understand(self.received) if self.received else []
        return tuple(sorted(steady(line, self.noise) for line in [*noted, *(f"received {words}" for words in told)]))

    def remains(self, daemon: int | None = None) -> tuple[str, ...]:
        """What the command has left behind; ``daemon`` is the pid of the daemon that ran it."""
        keys = find_keys(self.servers[REDIS], self.noise) if REDIS in self.servers else []
        processes = find_processes(ProcessTree(self.project.mark), daemon)
        return (*processes, *find_rows(self.case.columns), *keys, *find_files(self.folder, self.noise))
