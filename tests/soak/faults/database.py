"""What happens between the processes and their database."""

import random
import resource
import time
from contextlib import suppress

from tests.soak.runner import Soak

from .fault import JOURNAL_BACK_S, RECOVERY_S, SHOP, Fault


def database_faults(soak: Soak) -> dict[str, Fault]:
    """Return them; a server that is not ours is never restarted."""
    return LINK | SERVER | ({"server restarted": _restart_server} if soak.server else {})


def _cut(soak: Soak, _: random.Random) -> bool:
    with soak.excuse(RECOVERY_S, SHOP):
        return soak.proxy.cut() > 0


def _refuse(soak: Soak, dice: random.Random) -> bool:
    with soak.excuse(RECOVERY_S, SHOP):
        soak.proxy.refuse()
        time.sleep(dice.uniform(1, 4))
        soak.proxy.accept()
    return True


def _silence(soak: Soak, dice: random.Random) -> bool:
    with soak.excuse(RECOVERY_S, SHOP):
        soak.proxy.silence()
        time.sleep(dice.uniform(1, 3))
        soak.proxy.flow()
    return True


def _lose_commits(soak: Soak, dice: random.Random) -> bool:
    before = soak.proxy.commits_lost
    with soak.excuse(RECOVERY_S, SHOP):
        soak.proxy.commit_loss = 0.5
        deadline = time.monotonic() + dice.uniform(4, 6)
        while soak.proxy.commits_lost - before < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        soak.proxy.commit_loss = 0.0
    return soak.proxy.commits_lost > before


def _end_sessions(soak: Soak, _: random.Random) -> bool:
    name = soak.project.database
    with soak.excuse(RECOVERY_S, SHOP), soak.serving:
        if soak.databases.backend.vendor == "postgresql":
            found = soak.databases.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )
        else:
            found = soak.databases.execute(f"SELECT id FROM information_schema.processlist WHERE db = '{name}'")
            for (number,) in found:
                with suppress(Exception):  # it has ended by itself; each driver has its own error for that
                    soak.databases.execute(f"KILL {number}")
    return bool(found)


def _forbid_writing(soak: Soak, dice: random.Random) -> bool:
    """PostgreSQL: a standby for whoever connects anew; MariaDB: for all but administrators, which we are, so a lock."""
    with soak.excuse(RECOVERY_S, SHOP):
        if soak.databases.backend.vendor == "postgresql":
            name = soak.project.database
            soak.databases.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            _end_sessions(soak, dice)
            time.sleep(dice.uniform(1, 3))
            soak.databases.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
            _end_sessions(soak, dice)
        else:
            with soak.databases.session() as cursor:  # of no database: another fault ends those of the project
                cursor.execute("FLUSH TABLES WITH READ LOCK")
                time.sleep(dice.uniform(1, 3))
                cursor.execute("UNLOCK TABLES")
    return True


def _restart_server(soak: Soak, _: random.Random) -> bool:
    assert soak.server is not None
    with soak.excuse(RECOVERY_S, SHOP), soak.serving:
        soak.server.restart()
    return True


def _fill_disk(soak: Soak, dice: random.Random) -> bool:
    """The ledger may write no file, in an outage, when it needs one most."""
    pid = soak.daemon.slot("workerd.ledger").get("pid")
    with soak.excuse(RECOVERY_S, SHOP), suppress(ProcessLookupError):
        if pid:
            before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, before[1]))
            soak.proxy.refuse()
            time.sleep(dice.uniform(1, 3))
            soak.proxy.accept()
            time.sleep(2)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
            time.sleep(JOURNAL_BACK_S)
    soak.proxy.accept()
    return bool(pid)


LINK: dict[str, Fault] = {
    "link cut": _cut,
    "link refused": _refuse,
    "link silent": _silence,
    "sessions ended by the server": _end_sessions,
}
SERVER: dict[str, Fault] = {
    "answers to COMMIT lost": _lose_commits,
    "read-only": _forbid_writing,
    "disk full for the journal": _fill_disk,
}
