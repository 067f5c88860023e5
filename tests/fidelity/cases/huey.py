"""huey: its consumer, with a queue in a file of SQLite."""

import os
from pathlib import Path
from typing import Any

from tests.fidelity.case import Case

CASE = Case("huey", "run_huey --workers 2", ("huey==2.6.0",), apps=("huey.contrib.djhuey",), quick=True)


def settings() -> dict[str, Any]:
    file = Path(os.environ["FIDELITY_FOLDER"], "huey.sqlite3")
    return {
        "HUEY": {
            "huey_class": "huey.SqliteHuey",
            "name": "fidelity",
            "immediate": False,
            "connection": {"filename": str(file)},
        }
    }


def define() -> Any:
    from huey.contrib.djhuey import task

    from tests.fidelity.site.work import work

    return task(name="work")(work)
