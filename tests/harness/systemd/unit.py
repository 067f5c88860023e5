"""The project's own unit file on such a machine, with a drop-in for what differs from the shop in /srv."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tests.harness.project import MANAGE, ROOT, Project
from tests.harness.waiting import eventually
from workerd.wire.asking import ask

from .machine import Machine

UNITS = ROOT / "deploy" / "systemd"
COMMAND = f"{sys.executable} {MANAGE} workerd"


def kept_paths(project: Project) -> list[Path]:
    """Return what the project's processes read and write."""
    return [ROOT, Path(sys.prefix), Path(sys.base_prefix), project.folder, project.databases.folder]


def drop_in(project: Project, state_dir: str, **settings: Any) -> str:
    """Return what a unit is given here: this project's command and environment, root without capabilities as its user.

    Times that the tests would have to wait for are shorter. What ProtectHome= and PrivateTmp= would hide is bound in.
    """
    own = {name: value for name, value in project.env.items() if name.startswith(("DJANGO_", "DATABASE_", "WORKERD_"))}
    env = own | {
        "PYTHONPATH": project.env["PYTHONPATH"],
        "WORKERD_STATE_DIR": state_dir,
        "WORKERD_SETTINGS": json.dumps({**project.settings, **settings}),
    }
    lines = ["[Service]", "User=", "EnvironmentFile=", "ProtectHome=tmpfs", "RestartSec=100ms", "WatchdogSec=2s"]
    lines += ["ExecStart=", f"ExecStart={COMMAND} run", "ExecReload=", f"ExecReload={COMMAND} reload"]
    lines += [f"BindPaths={path}" for path in kept_paths(project)]
    lines += [f"Environment={_quoted(name, value)}" for name, value in env.items()]
    return "\n".join([*lines, ""])


def _quoted(name: str, value: str) -> str:
    text = f"{name}={value}".replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"'


class Unit:
    """A service on the machine: its properties, processes, journal, and the daemon's own picture of itself."""

    def __init__(self, machine: Machine, name: str, project: Project, state_dir: str) -> None:
        self.machine = machine
        self.name = name
        self._project = project
        self._state_dir = state_dir

    def systemctl(self, verb: str, *options: str, words: Sequence[str] = ()) -> int:
        """Run a verb of systemctl on it, and return the exit code."""
        return self.machine.run("systemctl", verb, *options, self.name, *words).returncode

    def show(self, name: str) -> str:
        return self.machine.show(self.name, name)

    def wait(self, within: float = 60.0, **properties: str) -> None:
        """Return when its properties are as given."""

        def are_so() -> None:
            found = {name: self.show(name) for name in properties}
            assert found == properties, self.journal()[-3000:]

        eventually(are_so, within, f"{self.name} {properties}")

    def processes(self) -> set[int]:
        return self.machine.processes(self.name)

    def journal(self) -> str:
        return self.machine.journal(self.name)

    def events(self, name: str, **match: Any) -> list[Mapping[str, Any]]:
        """Return the events of that name in the journal whose fields are as ``match`` says."""
        lines = [line for line in self.journal().splitlines() if line.startswith("{")]
        wanted = {"event": name, **match}
        return [event for event in map(json.loads, lines) if wanted.items() <= event.items()]

    def wait_events(self, name: str, count: int = 1, **match: Any) -> list[Mapping[str, Any]]:
        """Return such events as soon as so many are in the journal, which takes lines later than they are written."""

        def are_there() -> list[Mapping[str, Any]] | Literal[False]:
            found = self.events(name, **match)
            return found if len(found) >= count else False

        return eventually(are_there, 60, f"{count} × {name} {match or ''} in the journal")

    def wait_journal(self, words: str) -> None:
        """Wait until the journal has the words."""
        eventually(lambda: words in self.journal(), 60, f"“{words}” in the journal")

    def picture(self) -> Any:
        """Return what ``status`` shows, from outside of the unit's sandbox."""
        return ask(self.machine.path(self._state_dir), self._project.name, {"verb": "status"}, 5)

    def pids(self, *slots: str) -> list[int]:
        """Return the children in these slots, by their pids in the machine, once all of them run."""

        def run() -> list[int]:
            try:
                found = {slot["name"]: slot for slot in self.picture()["slots"]}
            except OSError as error:
                raise AssertionError("no daemon answers yet") from error
            assert all(found.get(slot, {}).get("state") == "RUNNING" for slot in slots), found
            return [found[slot]["pid"] for slot in slots]

        return eventually(run, 60, f"{slots} run")
