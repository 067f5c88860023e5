"""Every kind of fault: a function that does it and returns whether it was done."""

import os
import random
import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from . import evidence, jobs
from .runner import JOBS, Soak

Fault = Callable[[Soak, random.Random], bool]
RECOVERY_S = 6.0
"""How long slots may take, on a machine that does other things, to come back after the database did."""
RELOAD_S = 10.0
SHOP = set(JOBS) - {"misbehaving"}
"""Jobs that cannot be up without the database; the misbehaving one asks it nothing, and has no such excuse."""


def database_faults(soak: Soak) -> dict[str, Fault]:
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
    return faults | ({"server restarted": _restart_server} if soak.server else {})


def process_faults() -> dict[str, Fault]:
    """Return what happens to processes and rows."""
    return {
        **{f"child: {behaviour}": _misbehave(behaviour) for behaviour in jobs.BEHAVIOURS},
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
    with soak.excuse(RECOVERY_S, SHOP):
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
            with soak.databases.session(soak.project.database) as cursor:
                cursor.execute("FLUSH TABLES WITH READ LOCK")
                time.sleep(dice.uniform(1, 3))
                cursor.execute("UNLOCK TABLES")
    return True


def _restart_server(soak: Soak, _: random.Random) -> bool:
    assert soak.server is not None
    with soak.excuse(RECOVERY_S, SHOP):
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
    soak.proxy.accept()
    return bool(pid)


# to processes


def _misbehave(behaviour: str) -> Fault:
    def tell(soak: Soak, dice: random.Random) -> bool:
        index = dice.randrange(JOBS["misbehaving"]["processes"])
        since = soak.daemon.log.position
        jobs.order(soak.folder, index, behaviour)
        path = soak.folder / f"order.{index}"
        deadline = time.monotonic() + 15
        while path.exists():
            if time.monotonic() > deadline:
                path.unlink(missing_ok=True)
                return False
            time.sleep(0.05)
        if behaviour == "exit 78":
            with soak.excuse(RECOVERY_S, {"misbehaving"}):
                soak.daemon.wait_event("child.parked", since=since, slot=f"misbehaving:{index}", within=20)
                return bool(soak.daemon.ask({"verb": "resume", "names": [f"misbehaving:{index}"], "wait": False})["ok"])
        if behaviour == "ignore TERM":
            soak.daemon.ask({"verb": "restart", "names": [f"misbehaving:{index}"], "wait": False})
        return True

    return tell


def _signal(number: int) -> Fault:
    def send(soak: Soak, dice: random.Random) -> bool:
        pid = _pid_in(soak, dice.choice(sorted(soak.slots())))
        return _send(pid, number)

    return send


def _kill_ledger(soak: Soak, _: random.Random) -> bool:
    return _send(soak.daemon.slot("workerd.ledger").get("pid"), signal.SIGKILL)


def _kill_forkserver(soak: Soak, _: random.Random) -> bool:
    with soak.excuse(RELOAD_S):
        return _send(soak.daemon.picture()["daemon"]["forkserver_pid"], signal.SIGKILL)


def _stop_daemon(soak: Soak, dice: random.Random) -> bool:
    with soak.excuse(RECOVERY_S):
        soak.daemon.signal(signal.SIGSTOP)
        time.sleep(dice.uniform(1, 6))
        soak.daemon.signal(signal.SIGCONT)
    return True


def _reload(soak: Soak, _: random.Random) -> bool:
    with soak.excuse(RELOAD_S):
        soak.daemon.signal(signal.SIGHUP)
    return True


# to rows


def _edit_processes(soak: Soak, dice: random.Random) -> bool:
    count = dice.choice([number for number in (1, 2, 3, 4) if number != soak.wanted["transfer-stock"]])
    with soak.excuse(RECOVERY_S, {"transfer-stock"}):
        soak.edit("transfer-stock", processes=count)
        soak.wanted["transfer-stock"] = count
    return True


def _edit_arguments(soak: Soak, dice: random.Random) -> bool:
    with soak.excuse(RECOVERY_S, {"price-feed"}):
        soak.edit("price-feed", kwargs={"pause": round(dice.uniform(0.3, 0.7), 3)})
    return True


def _disable(soak: Soak, dice: random.Random) -> bool:
    with soak.excuse(RECOVERY_S, {"place-orders"}):
        soak.edit("place-orders", enabled=False)
        time.sleep(dice.uniform(0.5, 2))
        soak.edit("place-orders", enabled=True)
    return True


def _import(module: str) -> Fault:
    def break_it(soak: Soak, dice: random.Random) -> bool:
        name = f"import-{dice.randrange(10**9)}"
        target = f"tests.process.faults.{module}.run"
        since = soak.daemon.log.position
        soak.write(lambda: soak.project.add_job(name, target=target, start_timeout=1.5, stop_timeout=0.5))
        try:
            end = soak.daemon.wait_event("child.exited", since=since, job=name, within=30)
        finally:
            soak.write(soak.project.jobs.filter(name=name).delete)
        return bool(end["outcome"] == ("hung" if module == "hanging_module" else "crashed"))

    return break_it


def _pid_in(soak: Soak, slot: tuple[str, int]) -> int | None:
    return next((report.pid for report in reversed(evidence.read_reports(soak.folder)) if report.slot == slot), None)


def _send(pid: int | None, number: int) -> bool:
    if not pid:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
