"""The tests' settings in a project that wraps each request in a transaction and reads from a replica that lags."""

from tests.process.jobs_settings import *  # noqa: F403
from tests.process.jobs_settings import DATABASES

DATABASES["default"]["ATOMIC_REQUESTS"] = True
DATABASES["replica"] = {**DATABASES["default"], "NAME": f"{DATABASES['default']['NAME']}_that_is_not_there"}
DATABASE_ROUTERS = ["tests.process.replica_settings.ReadsFromReplica"]


class ReadsFromReplica:
    """Whoever asks it reads from a database that has nothing."""

    def db_for_read(self, model: type, **_hints: object) -> str:
        return "replica"

    def db_for_write(self, model: type, **_hints: object) -> str:
        return "default"
