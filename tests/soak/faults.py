"""Every kind of fault, as something that is done to a stage; True where it was done."""

import os
import random
import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from . import evidence, jobs
from .runner import JOBS, Stage

Fault = Callable[[Stage, random.Random], bool]
RECOVERY_S = 6.0
"""How long slots may take, on a machine that does other things, to come back after the database did."""
RELOAD_S = 10.0
SHOP = set(JOBS) - {"moody"}
"""Jobs that cannot be up without the database; the moody one asks it nothing, and has no such excuse."""


def database_faults(stage: Stage) -> dict[str, Fault]:
    """Return what happens between the processes and their database."""
    faults: dict[str, Fault] = {
        "link cut": _cut,
        "link refused": _refuse,
        "link silent": _silence,
        "sessions ended by the server": _end_sessions,
        "answers to COMMIT lost": _lose_commits,
        "read-only": _forbid_writing,
        "disk full for the journal": _fill_disk,
    }
    return faults | ({"server restarted": _restart_server} if stage.server else {})


def process_faults() -> dict[str, Fault]:
    """Return what happens to processes and rows."""
    return {
        **{f"child: {mood}": _mood(mood) for mood in jobs.MOODS},
        "child: SIGKILL": _signal(signal.SIGKILL),
        "child: SIGSEGV": _signal(signal.SIGSEGV),
        "child: SIGSTOP": _signal(signal.SIGSTOP),
        "ledger killed": _kill_ledger,
        "forkserver killed": _kill_forkserver,
        "daemon stopped and continued": _stop_daemon,
        "code reloaded": _reload,
        "row: processes": _edit_processes,
        "row: arguments": _edit_arguments,
        "row: disabled and enabled": _disable,
        "row: an import that hangs": _import("hanging_module"),
        "row: an import that crashes": _import("crashing_module"),
    }


# between the processes and their database


def _cut(stage: Stage, _: random.Random) -> bool:
    with stage.excuse(RECOVERY_S, SHOP):
        return stage.proxy.cut() > 0


def _refuse(stage: Stage, dice: random.Random) -> bool:
    with stage.excuse(RECOVERY_S, SHOP):
        stage.proxy.refuse()
        time.sleep(dice.uniform(1, 4))
        stage.proxy.accept()
    return True


def _silence(stage: Stage, dice: random.Random) -> bool:
    with stage.excuse(RECOVERY_S, SHOP):
        stage.proxy.silence()
        time.sleep(dice.uniform(1, 3))
        stage.proxy.flow()
    return True


def _lose_commits(stage: Stage, dice: random.Random) -> bool:
    before = stage.proxy.commits_lost
    with stage.excuse(RECOVERY_S, SHOP):
        stage.proxy.commit_loss = 0.5
        deadline = time.monotonic() + dice.uniform(4, 6)
        while stage.proxy.commits_lost - before < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        stage.proxy.commit_loss = 0.0
    return stage.proxy.commits_lost > before


def _end_sessions(stage: Stage, _: random.Random) -> bool:
    name = stage.project.database
    with stage.excuse(RECOVERY_S, SHOP):
        if stage.databases.backend.vendor == "postgresql":
            found = stage.databases.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )
        else:
            found = stage.databases.execute(f"SELECT id FROM information_schema.processlist WHERE db = '{name}'")
            for (number,) in found:
                with suppress(Exception):  # it has ended by itself; each driver has its own error for that
                    stage.databases.execute(f"KILL {number}")
    return bool(found)


def _forbid_writing(stage: Stage, dice: random.Random) -> bool:
    """PostgreSQL: a standby for whoever connects anew; MariaDB: for all but administrators, which we are, so a lock."""
    with stage.excuse(RECOVERY_S, SHOP):
        if stage.databases.backend.vendor == "postgresql":
            name = stage.project.database
            stage.databases.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            _end_sessions(stage, dice)
            time.sleep(dice.uniform(1, 3))
            stage.databases.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
            _end_sessions(stage, dice)
        else:
            with stage.databases.session(stage.project.database) as cursor:
                cursor.execute("FLUSH TABLES WITH READ LOCK")
                time.sleep(dice.uniform(1, 3))
                cursor.execute("UNLOCK TABLES")
    return True


def _restart_server(stage: Stage, _: random.Random) -> bool:
    assert stage.server is not None
    with stage.excuse(RECOVERY_S, SHOP):
        stage.server.restart()
    return True


def _fill_disk(stage: Stage, dice: random.Random) -> bool:
    """The ledger may write no file, in an outage, when it needs one most."""
    pid = stage.daemon.slot("workerd.ledger").get("pid")
    with stage.excuse(RECOVERY_S, SHOP), suppress(ProcessLookupError):
        if pid:
            before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, before[1]))
            stage.proxy.refuse()
            time.sleep(dice.uniform(1, 3))
            stage.proxy.accept()
            time.sleep(2)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    stage.proxy.accept()
    return bool(pid)


# to processes


def _mood(mood: str) -> Fault:
    def tell(stage: Stage, dice: random.Random) -> bool:
        index = dice.randrange(JOBS["moody"]["processes"])
        since = stage.daemon.log.position
        jobs.order(stage.folder, index, mood)
        path = stage.folder / f"order.{index}"
        deadline = time.monotonic() + 15
        while path.exists():
            if time.monotonic() > deadline:
                path.unlink(missing_ok=True)
                return False
            time.sleep(0.05)
        if mood == "exit 78":
            with stage.excuse(RECOVERY_S, {"moody"}):
                stage.daemon.wait_event("child.parked", since=since, slot=f"moody:{index}", within=20)
                return bool(stage.daemon.ask({"verb": "resume", "names": [f"moody:{index}"], "wait": False})["ok"])
        if mood == "ignore TERM":
            stage.daemon.ask({"verb": "restart", "names": [f"moody:{index}"], "wait": False})
        return True

    return tell


def _signal(number: int) -> Fault:
    def send(stage: Stage, dice: random.Random) -> bool:
        pid = _pid_in(stage, dice.choice(sorted(stage.slots())))
        return _send(pid, number)

    return send


def _kill_ledger(stage: Stage, _: random.Random) -> bool:
    return _send(stage.daemon.slot("workerd.ledger").get("pid"), signal.SIGKILL)


def _kill_forkserver(stage: Stage, _: random.Random) -> bool:
    with stage.excuse(RELOAD_S):
        return _send(stage.daemon.picture()["daemon"]["forkserver_pid"], signal.SIGKILL)


def _stop_daemon(stage: Stage, dice: random.Random) -> bool:
    with stage.excuse(RECOVERY_S):
        stage.daemon.signal(signal.SIGSTOP)
        time.sleep(dice.uniform(1, 6))
        stage.daemon.signal(signal.SIGCONT)
    return True


def _reload(stage: Stage, _: random.Random) -> bool:
    with stage.excuse(RELOAD_S):
        stage.daemon.signal(signal.SIGHUP)
    return True


# to rows


def _edit_processes(stage: Stage, dice: random.Random) -> bool:
    count = dice.choice([one for one in (1, 2, 3, 4) if one != stage.wanted["transfer-stock"]])
    with stage.excuse(RECOVERY_S, {"transfer-stock"}):
        stage.edit("transfer-stock", processes=count)
        stage.wanted["transfer-stock"] = count
    return True


def _edit_arguments(stage: Stage, dice: random.Random) -> bool:
    with stage.excuse(RECOVERY_S, {"price-feed"}):
        stage.edit("price-feed", kwargs={"pause": round(dice.uniform(0.3, 0.7), 3)})
    return True


def _disable(stage: Stage, dice: random.Random) -> bool:
    with stage.excuse(RECOVERY_S, {"place-orders"}):
        stage.edit("place-orders", enabled=False)
        time.sleep(dice.uniform(0.5, 2))
        stage.edit("place-orders", enabled=True)
    return True


def _import(module: str) -> Fault:
    def break_it(stage: Stage, dice: random.Random) -> bool:
        name = f"import-{dice.randrange(10**9)}"
        target = f"tests.process.faults.{module}.run"
        since = stage.daemon.log.position
        stage.write(lambda: stage.project.add_job(name, target=target, start_timeout=1.5, stop_timeout=0.5))
        try:
            end = stage.daemon.wait_event("child.exited", since=since, job=name, within=30)
        finally:
            stage.write(stage.project.jobs.filter(name=name).delete)
        return bool(end["outcome"] == ("hung" if module == "hanging_module" else "crashed"))

    return break_it


def _pid_in(stage: Stage, slot: tuple[str, int]) -> int | None:
    return next((one.pid for one in reversed(evidence.read(stage.folder)) if one.slot == slot), None)


def _send(pid: int | None, number: int) -> bool:
    if not pid:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
