"""A project for one test: its folder, its state directory, its database, and the rows in it."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.models import QuerySet

from tests.harness.backends.backend import Databases
from tests.process.bad_jobs.models import Mark
from workerd.models import Job, Node, Operation, Run, Slot

ROOT = Path(__file__).resolve().parents[2]
MANAGE = ROOT / "django_site" / "manage.py"
SETTINGS_MODULE = "tests.process.settings"
JOBS_SETTINGS = "tests.process.jobs_settings"
ALIAS = "project"
BAD_JOBS = "tests.process.bad_jobs.jobs"


class Project:
    """The demo project with the bad jobs, in a folder and on a database of its own.

    The test reads and writes its rows by the ORM, over a connection of the test's own; the daemon and the command are
    processes with ``env``.
    """

    def __init__(self, folder: Path, databases: Databases, database: str) -> None:
        self.folder = folder
        self.state_dir = folder / "state"
        self.databases = databases
        self.database = database
        self.name = "tests"
        self.mark = f"WORKERD_TEST_PROJECT={uuid.uuid4().hex}"
        self.settings: dict[str, Any] = {"POLL_SECONDS": 0.1, "LOG_FORMAT": "json"}
        """Laid over the project's WORKERD; change it before the daemon starts."""
        self.extra_env: dict[str, str] = {}
        self.command = [sys.executable, str(MANAGE)]
        """``manage.py`` and its interpreter."""
        self.url = databases.url(database)
        self._open_alias()

    @property
    def env(self) -> dict[str, str]:
        """The environment of the project's processes."""
        mark, _, value = self.mark.partition("=")
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": JOBS_SETTINGS,
            "DATABASE_URL": self.url,
            "PYTHONPATH": str(ROOT),
            "WORKERD_NAME": self.name,
            "WORKERD_STATE_DIR": str(self.state_dir),
            "WORKERD_SETTINGS": json.dumps(self.settings),
            mark: value,
            **self.extra_env,
        }

    def manage(
        self, *words: str, env: Mapping[str, str] | None = None, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run ``manage.py`` to its end, ``text`` on its stdin; exit code and both outputs are the caller's to judge."""
        return subprocess.run(
            [*self.command, *words],
            input=text,
            capture_output=True,
            text=True,
            env={**self.env, **(env or {})},
            cwd=self.folder,
            timeout=180,
            check=False,
        )

    @property
    def jobs(self) -> QuerySet[Job]:
        return Job.objects.using(ALIAS)

    @property
    def runs(self) -> QuerySet[Run]:
        return Run.objects.using(ALIAS)

    @property
    def slots(self) -> QuerySet[Slot]:
        return Slot.objects.using(ALIAS)

    @property
    def operations(self) -> QuerySet[Operation]:
        return Operation.objects.using(ALIAS)

    @property
    def nodes(self) -> QuerySet[Node]:
        return Node.objects.using(ALIAS)

    @property
    def marks(self) -> QuerySet[Mark]:
        """What the bad jobs did."""
        return Mark.objects.using(ALIAS)

    def add_job(self, name: str, bad_job: str = "", **fields: Any) -> Job:
        """Create a row; ``bad_job`` is short for a target among the bad jobs, called ``name`` if neither is given.

        Unless the test says otherwise a child counts as ready soon: that is what most tests wait for.
        """
        fields.setdefault("start_grace", 0.05)
        if not fields.get("target") and not fields.get("command"):
            fields["target"] = f"{BAD_JOBS}.{bad_job or name.replace('-', '_')}"
        return self.jobs.create(name=name, **fields)

    def edit_job(self, name: str, **fields: Any) -> None:
        """Change columns of a row by UPDATE."""
        if self.jobs.filter(name=name).update(**fields) != 1:
            raise Job.DoesNotExist(name)

    def disconnect(self) -> None:
        """Close the test's own connection, as a test does whose server goes away."""
        connections[ALIAS].close()

    def close(self) -> None:
        """Disconnect, and drop the database."""
        self.disconnect()
        del connections[ALIAS]
        del connections.settings[ALIAS]
        self.databases.drop(self.database)

    def _open_alias(self) -> None:
        from django_site.databases import database_from_url

        entry = database_from_url(self.url, self.folder)
        connections.settings[ALIAS] = connections.configure_settings({"default": {}, ALIAS: entry})[ALIAS]
