"""How workerd 0.1.0 writes and reads its rows: a frozen copy of what its ledger, its command and its admin say.

Never edit this file: a daemon of 0.1.0 that still runs beside a newer schema is not edited either. The models come from
0.1.0's last migration, so that every statement names the columns of 0.1.0 and no others.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections, models, transaction
from django.db.models import Case, Count, F, Q, TextField, Value, When
from django.db.models.functions import Cast, Now

LAST_MIGRATION = "0001_initial"

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "Job": (
        *("id", "name", "target", "command", "kwargs", "enabled", "processes", "restart", "backoff_initial"),
        *("backoff_max", "max_restarts", "restart_window", "start_grace", "start_timeout", "signals_ready"),
        *("heartbeat_timeout", "heartbeat", "stop_signal", "stop_timeout", "max_memory", "max_age", "significant"),
        *("nice", "notes", "problem"),
    ),
    "Node": (
        *("id", "name", "host", "daemon_pid", "workerd_version", "generation", "started", "pulse", "record_version"),
    ),
    "Operation": (
        *("id", "verb", "job_id", "job_name", "slot", "node_id", "requested_by", "requested", "expires", "taken"),
        "result",
    ),
    "Run": (
        *("id", "job_id", "job_name", "node_id", "node_name", "slot", "index", "generation", "pid", "born", "ready"),
        *("ended", "outcome", "reason", "exit_code", "signal", "exception", "traceback", "stack", "note"),
        *("peak_memory", "last_lines", "connections_opened", "connections_closed", "version"),
    ),
    "Slot": (
        *("id", "node_id", "job_id", "job_name", "index", "name", "state", "reason", "since", "pid", "restarts"),
        *("next_start", "note", "memory", "last_beat", "run", "generation", "version"),
    ),
}

YEARS_10 = 315_360_000.0
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SPEC_COLUMNS = tuple(name for name in COLUMNS["Job"] if name not in ("kwargs", "notes", "problem"))
FAILURES = ("error", "crashed", "hung", "over_memory", "refused", "killed")

LOWEST: dict[str, Any] = {
    "target": "a.b",
    "kwargs": {"a": [1, 2.5, None, {"ü": "ß☃"}]},
    "enabled": False,
    "processes": 0,
    "restart": "never",
    "backoff_initial": 0.0,
    "backoff_max": 0.0,
    "max_restarts": 0,
    "restart_window": 0.001,
    "start_grace": 0.0,
    "start_timeout": 0.001,
    "heartbeat_timeout": 0.001,
    "stop_timeout": 0.001,
    "max_memory": 1.0,
    "max_age": 0.001,
    "nice": -20,
}
HIGHEST: dict[str, Any] = {
    "command": "c" * 1000,
    "processes": 1000,
    "restart": "on_failure",
    "backoff_initial": YEARS_10,
    "backoff_max": YEARS_10,
    "max_restarts": 1_000_000,
    "restart_window": YEARS_10,
    "start_grace": YEARS_10,
    "start_timeout": YEARS_10,
    "signals_ready": True,
    "heartbeat_timeout": YEARS_10,
    "heartbeat": "explicit",
    "stop_timeout": YEARS_10,
    "max_memory": 2.0**24,
    "max_age": YEARS_10,
    "significant": True,
    "nice": 19,
    "notes": "ü" * 70_000,
    "problem": "p" * 4000,
}
JOBS: tuple[dict[str, Any], ...] = (
    {"target": "shop.jobs.ship_orders"},
    {"target": f"shop.{'x' * 495}"},
    LOWEST,
    HIGHEST,
    *({"command": "db_worker", "stop_signal": name} for name in ("INT", "QUIT", "HUP", "USR1", "USR2")),
)
"""Every word that a job may hold, and both ends of every range."""
STATES = ("STOPPED", "STARTING", "RUNNING", "STOPPING", "BACKOFF", "WAITING", "DONE", "PARKED")
OUTCOMES = ("", "stopped", "finished", "recycled", "lost", *FAILURES)
VERBS = ("start", "stop", "restart", "resume", "dump", "reload", "shutdown")


class Release:
    """The code of 0.1.0 on one database; ``models`` are the models of that release, by name."""

    def __init__(self, alias: str, models_by_name: Mapping[str, Any]) -> None:
        self.alias = alias
        self.job, self.node, self.operation, self.run, self.slot = (
            models_by_name[name].objects.using(alias) for name in COLUMNS
        )

    def statements(self) -> Iterable[tuple[str, Callable[[], object]]]:
        """Yield what this release does with rows that are there, each with its name."""
        yield "the ledger polls the jobs", self.poll_jobs
        yield "the ledger writes what is wrong with a job", self.write_problem
        yield "the ledger writes its node", self.write_node
        yield "the ledger ends a run", self.end_run
        yield "the ledger moves a slot", self.move_slot
        yield "the ledger deletes a slot", self.delete_slot
        yield "the ledger takes an order", self.take_order
        yield "the ledger marks lost runs", self.mark_lost
        yield "the ledger prunes old runs", self.prune
        yield "the command looks for a job", self.find_job
        yield "the admin lists jobs with their slots, ends and orders", self.list_jobs
        yield "the admin shows a job's runs", self.show_runs
        yield "the admin saves a job", self.save_job
        yield "the admin deletes a job", self.delete_job

    # rows, new ones and all of them

    def insert_rows(self, mark: str) -> None:
        """Insert rows of every table as the admin and the ledger do; ``mark`` tells them from those of another call."""
        jobs = [self.job.create(name=f"{mark}-{number}", **values) for number, values in enumerate(JOBS)]
        node, _ = self.node.get_or_create(name=mark, host="h" * 255)
        for verb in VERBS:
            order = self.operation.model(verb=verb, job_id=jobs[0].pk, job_name=jobs[0].name, requested_by=mark)
            order.save(using=self.alias, force_insert=True)
        self.operation.get_or_create(pk=uuid.uuid4(), defaults={"verb": "shutdown", "node_id": node.pk, "taken": NOON})
        for outcome in OUTCOMES:
            self._upsert(self.run, [self._run(node, jobs[0], outcome)], ("id",))
        self._upsert(self.run, [self.run.model(job_name=mark, slot=mark)], ("id",))
        slots = [
            self.slot.model(
                node_id=node.pk, job_id=jobs[0].pk, job_name=mark, index=at, name=f"{mark}:{at}", state=state
            )
            for at, state in enumerate(STATES)
        ]
        self._upsert(self.slot, slots, ("node", "job_name", "index"))

    def read_rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return all rows, every column of this release's."""
        tables = (self.job, self.node, self.operation, self.run, self.slot)
        return {
            name: list(table.order_by("pk").values(*columns))
            for (name, columns), table in zip(COLUMNS.items(), tables, strict=True)
        }

    # the ledger

    def poll_jobs(self) -> None:
        query = self.job.order_by().annotate(kwargs_text=Cast("kwargs", TextField()))
        assert len(list(query.values_list(*SPEC_COLUMNS, "kwargs_text", "problem"))) >= len(JOBS)

    def write_problem(self) -> None:
        job = self._newest(self.job)
        cases = [When(pk=job.pk, then=Value("It does not import."))]
        self.job.filter(pk__in=[job.pk]).update(problem=Case(*cases, default=Value(""), output_field=TextField()))
        assert self.job.get(pk=job.pk).problem == "It does not import."

    def write_node(self) -> None:
        node, _ = self.node.get_or_create(name="shop", host="web1")
        assert self.node.filter(pk=node.pk).update(pulse=Now())
        values = {"daemon_pid": 4242, "workerd_version": "0.1.0", "generation": 3, "started": NOON, "record_version": 7}
        assert self.node.filter(pk=node.pk).values_list("record_version", "started").first() == (0, None)
        self.node.filter(pk=node.pk).update(**values)
        assert self.node.filter(pk=node.pk).values(*values).get() == values
        self.node.filter(pk=node.pk).delete()

    def end_run(self) -> None:
        run = self._newest(self.run.exclude(ended=None))
        known = dict(self.run.filter(pk__in=[run.pk]).values_list("pk", "version"))
        run.outcome, run.ended, run.exit_code, run.version = "error", NOON, 1, known[run.pk] + 1
        self._upsert(self.run, [run], ("id",))
        assert self.run.get(pk=run.pk).exit_code == 1

    def move_slot(self) -> None:
        slot = self._newest(self.slot)
        moved = {name: getattr(slot, name) for name in ("node_id", "job_id", "job_name", "index", "name")}
        self._upsert(
            self.slot,
            [self.slot.model(**moved, state="PARKED", reason="It crashed.", version=9)],
            ("node", "job_name", "index"),
        )
        place = {"node_id": slot.node_id, "job_name": slot.job_name, "index": slot.index}
        assert list(self.slot.filter(**place).values_list("state", "version")) == [("PARKED", 9)]

    def delete_slot(self) -> None:
        slot = self._newest(self.slot)
        self.slot.filter(node_id=slot.node_id, version__lt=10**18).filter(pk__in=[slot.pk]).delete()
        assert not self.slot.filter(pk=slot.pk).exists()

    def take_order(self) -> None:
        node, now = self._newest(self.node), Now()
        order = self.operation.create(verb="restart", job_name="mail", requested_by="someone")
        valid = self.operation.filter(expires__gt=now).order_by("requested", "pk")
        list(valid.filter(node_id=node.pk, result="").exclude(taken=None))
        waiting = valid.filter(Q(node_id=None) | Q(node_id=node.pk), taken=None)[:100]
        assert order.pk in [row.pk for row in waiting]
        assert self.operation.filter(pk=order.pk, taken=None).update(taken=now, node_id=node.pk)
        assert self.operation.filter(pk=order.pk).update(result="done") == 1

    def mark_lost(self) -> None:
        node = self._newest(self.node)
        ended = Case(When(born__lt=NOON, then=Value(NOON)), default=F("born"))
        runs = self.run.filter(node_id=node.pk, ended=None)
        assert runs.filter(version__lt=2**62).update(outcome="lost", ended=ended) > 0
        assert not runs.exclude(born=None).exists()

    def prune(self) -> None:
        old = self.run.filter(ended__lt=Now() - timedelta(days=36_500)).order_by("ended")
        assert list(old.values_list("pk", flat=True)[:500]) == []
        run = self._newest(self.run.exclude(ended=None))
        self.run.filter(pk__in=[run.pk]).delete()
        assert not self.run.filter(pk=run.pk).exists()

    # the command and the admin

    def find_job(self) -> None:
        name = self._newest(self.job).name
        assert self.job.filter(name=name).first() is not None
        assert name in self.job.order_by("name").values_list("name", flat=True)
        assert self.job.filter(enabled=True).order_by("-stop_timeout").values_list("name", "stop_timeout").first()

    def list_jobs(self) -> None:
        jobs = list(self.job.order_by("name"))
        assert list(self.node.annotate(read_at=Now()).order_by("name", "host"))
        assert list(self.slot.order_by("index", "node_id").filter(job_id__in=[job.pk for job in jobs]))
        ends = Count("outcome", filter=~Q(outcome="stopped"))
        failures = Count("outcome", filter=Q(outcome__in=FAILURES))
        rows = self.run.filter(ended__gte=NOON - timedelta(hours=1))
        assert list(rows.order_by().values_list("job_id").annotate(ends=ends, failures=failures))
        assert list(
            self.operation.filter(requested__gte=NOON - timedelta(minutes=2)).order_by("-requested", "-id")[:200]
        )

    def show_runs(self) -> None:
        run = self.run.exclude(born=None).order_by("-born").first()
        rows = self.run.defer("traceback", "stack", "last_lines")
        assert list(rows.filter(job_id=run.job_id).exclude(born=None).order_by("-born")[:501])
        near = rows.filter(job_name=run.job_name, index=run.index, node_id=run.node_id)
        near.filter(born__lt=run.born).order_by("-born").first()
        near.filter(born__gt=run.born).order_by("born").first()
        assert self.run.get(pk=run.pk).last_lines == run.last_lines

    def save_job(self) -> None:
        job = self._newest(self.job)
        job.processes, job.notes = 7, "edited"
        job.save(using=self.alias)
        assert self.job.values_list("processes", "notes").get(pk=job.pk) == (7, "edited")

    def delete_job(self) -> None:
        job = self._newest(self.job)
        self.job.filter(pk=job.pk).delete()
        assert not self.job.filter(pk=job.pk).exists()

    def _newest(self, table: Any) -> Any:
        return table.order_by("pk").last()

    def _run(self, node: Any, job: Any, outcome: str) -> Any:
        """Return a run that has a value in every column."""
        return self.run.model(
            job_id=job.pk,
            job_name=job.name,
            node_id=node.pk,
            node_name=f"{node.name}@{node.host}"[:320],
            slot=f"{job.name}:3",
            index=3,
            generation=2,
            pid=4_000_000,
            born=NOON,
            ready=NOON + timedelta(seconds=1),
            ended=NOON + timedelta(hours=1) if outcome else None,
            outcome=outcome,
            reason="It did not stop in time.",
            exit_code=-9,
            signal="SIGKILL",
            exception="ValueError: ☃",
            traceback="t" * 70_000,
            stack="Thread 1",
            note="shipped 7",
            peak_memory=12.5,
            last_lines="ü" * 70_000,
            connections_opened=2,
            connections_closed=1,
            version=2**60,
        )

    def _upsert(self, table: Any, rows: Sequence[models.Model], unique: Sequence[str]) -> None:
        fields = [field for field in table.model._meta.concrete_fields if not field.primary_key]
        columns = [field.name for field in fields if field.name not in unique]
        connection = connections[self.alias]
        target = unique if connection.features.supports_update_conflicts_with_target else None
        with transaction.atomic(using=self.alias):
            table.bulk_create(rows, update_conflicts=True, update_fields=columns, unique_fields=target)
