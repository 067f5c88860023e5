"""What is said of rows of task engines' consumers: each likely mistake in one sentence with its remedy."""

import ast
import inspect
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.core.management import get_commands
from django.core.management.base import BaseCommand

import workerd
from workerd import registry
from workerd.consumers.consumer import ADAPTERS
from workerd.consumers.warnings import BEAT, find_consumer_warnings
from workerd.job_rules.written import find_written_faults, read_written
from workerd.registry import RegisteredJob
from workerd.wire.spec import JobSpec

CELERY = "workerd.contrib.celery.worker"
DB_WORKER = "workerd.contrib.tasks.db_worker"
STEADY_QUEUE = "workerd.contrib.tasks.steady_queue"

ADAPTER_OF_CELERY = f"or run the target {CELERY}"
ONE_NAME = (
    "Its 2 processes have one name, so that RabbitMQ refuses all but the first: put “-n mail-{index}@%h” into its "
    f"line, have its code read WORKERD_INDEX, {ADAPTER_OF_CELERY}."
)


class CeleryWorker(BaseCommand):
    """Starts Celery's worker, and takes its words as they are."""


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of the command by which a project starts Celery; no app of Celery is loaded."""
    monkeypatch.delitem(sys.modules, "celery._state", raising=False)
    file = tmp_path / "shop_celery.py"
    file.write_text('main(["worker"])\n')
    loaded = ModuleType("shop_celery")
    loaded.__file__ = str(file)
    monkeypatch.setitem(sys.modules, "shop_celery", loaded)
    monkeypatch.setattr(CeleryWorker, "__module__", "shop_celery")
    for name in ("celery", "celeryd", "celery_worker", "run_celery_worker"):
        monkeypatch.setitem(get_commands(), name, CeleryWorker())
    return file


@pytest.fixture
def celery(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have Celery be loaded, with an app that has these settings and, by name, these arguments of its queues."""

    def load(queues: dict[str, dict[str, str]] | None = None, **conf: Any) -> None:
        made: dict[str, Any] = defaultdict(lambda: SimpleNamespace(queue_arguments=None))
        made.update({name: SimpleNamespace(queue_arguments=given) for name, given in (queues or {}).items()})
        filled = {"task_queues": None, "task_default_queue": "celery", "broker_read_url": None, **conf}
        app = SimpleNamespace(conf=SimpleNamespace(**filled), amqp=SimpleNamespace(Queues=lambda _: made))
        state = SimpleNamespace(default_app=app, _tls=SimpleNamespace(current_app=None))
        monkeypatch.setitem(sys.modules, "celery._state", state)

    return load


def said(**row: Any) -> list[tuple[str, str]]:
    return [(fault.field, fault.sentence) for fault in find_consumer_warnings(JobSpec("mail", **row))]


def sentences(**row: Any) -> list[str]:
    return [sentence for _, sentence in said(**row)]


# what is no consumer


@pytest.mark.parametrize(
    "row",
    [
        {"target": "shop.jobs.ship_orders"},
        {"target": "workerd.contribs.rq.worker"},
        {"command": "expire_carts --every 5"},
        {"command": "celery_beat -n mail"},
        {"command": "celery beat"},
        {"command": "celery inspect active"},
        {"command": "procrastinate healthchecks"},
        {"command": "db_worker --interval 1"},
    ],
)
def test_of_other_rows_nothing_is_said(row: dict[str, str], celery: Callable[..., None], settings: Any) -> None:
    celery(task_time_limit=600, task_acks_late=True)
    settings.Q_CLUSTER = {"timeout": 600}

    assert said(**row, processes=2, heartbeat_timeout=8.0, stop_timeout=1.0) == []


# names


@pytest.mark.parametrize(
    "line",
    [
        "celery worker -Q mail",
        "celery worker -n mail@%h",
        "celery worker -nmail@%h -Q q{index}",
        "celery worker --hostname mail@%h",
        "celery worker --hostname=mail-{processes}@%h",
        "celery",
        "celeryd --concurrency 2",
        "celery_worker",
        "run_celery_worker --queues mail",
    ],
)
def test_several_workers_of_celery_without_a_name_each_are_one_to_rabbitmq(line: str) -> None:
    assert said(command=line, processes=2) == [("command", ONE_NAME)]


@pytest.mark.parametrize(
    "line",
    [
        "celery worker -n mail-{index}@%h",
        "celery worker -nmail-{index}",
        "celery worker --hostname mail-{index}@%h",
        "celery worker --hostname=mail-{index}@%h",
        "celery_worker --number {index}",
    ],
)
def test_a_number_in_the_line_tells_them_apart(line: str) -> None:
    assert said(command=line, processes=2) == []


def test_one_worker_needs_no_name() -> None:
    assert said(command="celery worker", processes=1) == []
    assert said(command="celery worker -n mail", processes=0) == []


@pytest.mark.parametrize("variable", ["WORKERD_INDEX", "WORKERD_SLOT", "WORKERD_RUN"])
def test_a_command_whose_code_reads_which_process_it_is_names_itself(variable: str, module: Path) -> None:
    module.write_text(f'name = os.environ["{variable}"]\n')

    assert said(command="celery_worker", processes=2) == []
    assert said(command="celery_worker -n mail", processes=2) == [("command", ONE_NAME)]


def test_of_a_command_that_cannot_be_looked_at_the_name_is_not_told_of(module: Path) -> None:
    module.unlink()

    assert said(command="celery_worker", processes=2) == []
    assert said(command="no_celery_worker", processes=2) == []


def test_the_adapter_names_its_workers() -> None:
    assert said(target=CELERY, processes=2) == []


# huey's signal


def test_huey_loses_the_task_in_hand_at_the_signal_that_interrupts() -> None:
    sentence = (
        "stop_signal is TERM, at which huey interrupts the task in hand, and loses it: set it to INT, or run the "
        "target workerd.contrib.huey.worker."
    )

    assert said(command="run_huey --workers 2") == [("stop_signal", sentence)]


def test_huey_may_be_told_which_signal_is_graceful(settings: Any) -> None:
    assert said(command="run_huey", stop_signal="INT") == []
    assert said(command="run_huey -g TERM") == []
    assert said(command="run_huey --graceful-signal=TERM") == []

    settings.HUEY = {"name": "shop", "consumer": {"graceful_signal": "TERM"}}

    assert said(command="run_huey") == []
    assert "set it to TERM, or" in sentences(command="run_huey", stop_signal="INT")[0]


@pytest.mark.parametrize("huey", [None, object(), {"consumer": None}])
def test_a_setting_of_another_shape_says_nothing(huey: Any, settings: Any) -> None:
    settings.HUEY = huey

    assert len(said(command="run_huey")) == 1


def test_the_adapter_of_huey_takes_any_signal() -> None:
    assert said(target="workerd.contrib.huey.worker", heartbeat_timeout=8.0) == []


# heartbeats


@pytest.mark.parametrize(
    ("line", "shown", "engine"),
    [
        ("rqworker default", "rqworker", "rq"),
        ("rqworker-pool default", "rqworker-pool", "rq"),
        ("run_huey", "run_huey", "huey"),
        ("rundramatiq --processes 1", "rundramatiq", "dramatiq"),
        ("procrastinate worker", "procrastinate worker", "procrastinate"),
        ("procrastinate -v worker -q mail", "procrastinate worker", "procrastinate"),
        ("qcluster", "qcluster", "q2"),
        ("celery worker", "celery", "celery"),
    ],
)
def test_a_command_that_is_silent_when_idle_would_be_ended_as_hung(line: str, shown: str, engine: str) -> None:
    sentence = (
        f"heartbeat_timeout is 1 min, and “{shown}” waits for tasks without a sign of life, so that it is ended as "
        f"hung: leave it empty, or run the target {ADAPTERS[engine]}, which beats also when idle."
    )

    assert said(command=line, heartbeat_timeout=60.0, stop_signal="INT") == [("heartbeat_timeout", sentence)]
    assert said(command=line, stop_signal="INT") == []


@pytest.mark.parametrize("engine", ADAPTERS)
def test_an_adapter_may_have_one(engine: str) -> None:
    assert said(target=ADAPTERS[engine], heartbeat_timeout=8.0) == []


def test_the_processes_of_a_cluster_on_the_orm_beat_where_they_count(settings: Any) -> None:
    settings.Q_CLUSTER = {"orm": "default"}

    assert said(command="qcluster", heartbeat_timeout=8.0, heartbeat="group") == []
    assert len(said(command="qcluster", heartbeat_timeout=8.0)) == 1

    settings.Q_CLUSTER = {"redis": {}}

    assert len(said(command="qcluster", heartbeat_timeout=8.0, heartbeat="group")) == 1


# Celery's beat


def test_each_process_of_celerys_beat_sends_every_task() -> None:
    sentence = "Each of its 3 processes sends every task of the schedule at its time: set processes to 1."

    assert said(target=BEAT, processes=3) == [("processes", sentence)]


def test_one_beat_is_as_it_should_be_whatever_tasks_may_take(celery: Callable[..., None]) -> None:
    celery(task_time_limit=600, task_acks_late=True)

    assert said(target=BEAT, heartbeat_timeout=8.0) == []


# tasks that come back


def of_celery(pool: str, queues: str = "", heartbeat_timeout: float | None = 8.0) -> list[tuple[str, str]]:
    return said(target=CELERY, kwargs={"pool": pool, "queues": queues}, heartbeat_timeout=heartbeat_timeout)


def test_a_task_that_hangs_a_solo_worker_comes_back(celery: Callable[..., None]) -> None:
    celery(broker_read_url="amqp://shop@rabbit//")
    sentence = (
        "A task that hangs its process comes back, and hangs the next one, again and again: the pool “solo” "
        "acknowledges no task before its end, and the broker delivers from “celery” without a limit. Make that a "
        "quorum queue with x-delivery-limit, or choose another pool."
    )

    assert of_celery("solo") == [("heartbeat_timeout", sentence)]
    assert of_celery("solo", heartbeat_timeout=None) == []


def test_a_task_that_crashes_a_process_comes_back_where_celery_is_told_so(celery: Callable[..., None]) -> None:
    """With threads the process is the worker's own; of a pool's process Celery itself gives the task back."""
    celery(task_acks_late=True, task_reject_on_worker_lost=True)

    [(field, prefork)], [(_, threads)] = of_celery("prefork", heartbeat_timeout=None), of_celery("threads")

    assert field == "target"
    assert prefork.startswith(
        "A task that crashes its process comes back, and crashes the next one, again and again: Celery's "
        "task_reject_on_worker_lost is set, and the broker delivers from “celery” without a limit."
    )
    assert ": Celery's task_acks_late is set, and the broker" in threads


@pytest.mark.parametrize(
    ("conf", "of_prefork", "of_threads"),
    [({}, 0, 0), ({"task_acks_late": True}, 0, 1), ({"task_reject_on_worker_lost": True}, 0, 0)],
)
def test_a_task_that_is_acknowledged_early_does_not_come_back(
    conf: dict[str, bool], of_prefork: int, of_threads: int, celery: Callable[..., None]
) -> None:
    celery(**conf)

    assert (len(of_celery("prefork")), len(of_celery("threads"))) == (of_prefork, of_threads)


def test_a_queue_with_a_limit_gives_no_task_back_for_ever(celery: Callable[..., None]) -> None:
    celery(queues={"mail": {"x-queue-type": "quorum", "x-delivery-limit": "5"}}, task_acks_late=True)

    assert of_celery("threads", "mail") == []
    assert "from “old” without" in of_celery("threads", "mail, old")[0][1]
    assert "from “celery” without" in of_celery("threads")[0][1]


def test_a_quorum_queue_has_a_limit_from_one_version_of_the_broker_on(celery: Callable[..., None]) -> None:
    celery(queues={"mail": {"x-queue-type": "quorum"}}, task_acks_late=True)

    [(_, sentence)] = of_celery("threads", "mail")
    assert sentence.endswith(
        "and RabbitMQ before 4 delivers from “mail” without a limit. Give that quorum queue an x-delivery-limit, or "
        "unset it."
    )
    assert "the broker delivers from “old” without" in of_celery("threads", "mail, old")[0][1]


@pytest.mark.parametrize("url", ["redis://here", ["rediss://a", "rediss://b"], "sqs://"])
def test_another_broker_knows_no_such_limit(url: Any, celery: Callable[..., None]) -> None:
    celery(broker_read_url=url, task_acks_late=True)

    assert of_celery("threads") == []


@pytest.mark.parametrize("url", [None, "", "pyamqp://here", "amqps://here", ["amqp://a", "amqp://b"]])
def test_every_way_to_write_amqp_is_known(url: Any, celery: Callable[..., None]) -> None:
    celery(broker_read_url=url, task_acks_late=True)

    assert len(of_celery("threads")) == 1


def test_without_an_app_nothing_is_known_of_it() -> None:
    assert of_celery("solo") == []


def test_settings_that_celery_cannot_read_are_left_to_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        @property
        def conf(self) -> Any:
            raise RuntimeError("mixed old and new names")

    state = SimpleNamespace(default_app=Broken(), _tls=SimpleNamespace(current_app=None))
    monkeypatch.setitem(sys.modules, "celery._state", state)

    assert of_celery("solo") == []


# limits of tasks


def stop_sentence(limit: str, name: str) -> tuple[str, str]:
    return (
        "stop_timeout",
        (
            f"stop_timeout is 10 s, less than the {limit} that {name} gives a task: a stop kills one that takes "
            f"longer. Raise stop_timeout to {limit}, or lower {name}."
        ),
    )


SETTINGS: dict[str, Any] = {
    "HUEY": {"consumer": {"shutdown_timeout": 40}},
    "PROCRASTINATE_WORKER_DEFAULTS": {"shutdown_graceful_timeout": 50.0},
    "Q_CLUSTER": {"timeout": 60},
    "RQ_QUEUES": {"default": {"DEFAULT_TIMEOUT": 70}, "mail": {"DEFAULT_TIMEOUT": 80}},
}
RQ_MAIL = 'RQ_QUEUES["mail"]["DEFAULT_TIMEOUT"]'


@pytest.mark.parametrize(
    ("row", "limit", "name"),
    [
        ({"command": "celery worker --soft-time-limit 20 --time-limit 90"}, "20 s", "--soft-time-limit"),
        ({"command": "celery worker --time-limit=90"}, "1 min 30 s", "--time-limit"),
        ({"target": CELERY, "kwargs": {"task_time_limit": 30}}, "30 s", "kwargs.task_time_limit"),
        ({"command": "run_huey -t 35", "stop_signal": "INT"}, "35 s", "--shutdown-timeout"),
        ({"command": "run_huey", "stop_signal": "INT"}, "40 s", 'HUEY["consumer"]["shutdown_timeout"]'),
        ({"target": "workerd.contrib.huey.worker", "kwargs": {"task_timeout": 45}}, "45 s", "kwargs.task_timeout"),
        (
            {"target": "workerd.contrib.procrastinate.worker"},
            "50 s",
            'PROCRASTINATE_WORKER_DEFAULTS["shutdown_graceful_timeout"]',
        ),
        ({"command": "procrastinate worker --shutdown-graceful-timeout 55"}, "55 s", "--shutdown-graceful-timeout"),
        ({"command": "qcluster"}, "1 min", 'Q_CLUSTER["timeout"]'),
        ({"target": "workerd.contrib.q2.cluster", "kwargs": {"timeout": 65}}, "1 min 5 s", "kwargs.timeout"),
        ({"command": "rqworker"}, "1 min 10 s", 'RQ_QUEUES["default"]["DEFAULT_TIMEOUT"]'),
        ({"command": "rqworker-pool --num-workers 2 default mail"}, "1 min 20 s", RQ_MAIL),
        ({"target": "workerd.contrib.rq.worker", "kwargs": {"queues": "mail default"}}, "1 min 20 s", RQ_MAIL),
        ({"target": "workerd.contrib.tasks.rq_worker", "kwargs": {"queues": "mail"}}, "1 min 20 s", RQ_MAIL),
        ({"target": STEADY_QUEUE, "kwargs": {"task_timeout": 25.0}}, "25 s", "kwargs.task_timeout"),
        ({"target": DB_WORKER, "kwargs": {"task_timeout": 15.0}}, "15 s", "kwargs.task_timeout"),
        ({"target": "workerd.contrib.dramatiq.worker", "kwargs": {"task_timeout": 35}}, "35 s", "kwargs.task_timeout"),
        ({"command": "rundramatiq --worker-shutdown-timeout 30000"}, "30 s", "--worker-shutdown-timeout"),
    ],
)
def test_a_stop_that_is_shorter_than_what_the_engine_gives_a_task_kills_it(
    row: dict[str, Any], limit: str, name: str, settings: Any
) -> None:
    for key, value in SETTINGS.items():
        setattr(settings, key, value)

    assert said(**row) == [stop_sentence(limit, name)]
    assert said(**row, stop_timeout=90.0) == []


@pytest.mark.parametrize(
    "row",
    [
        {"command": "qcluster"},
        {"command": "rqworker old"},
        {"target": "workerd.contrib.rq.worker"},
        {"target": CELERY, "kwargs": {"task_soft_time_limit": None}},
        {"command": "procrastinate worker --shutdown-graceful-timeout soon"},
        {"target": "workerd.contrib.huey.worker", "kwargs": {"task_timeout": 0}},
        {"target": DB_WORKER},
        {"command": "rundramatiq"},
    ],
)
def test_where_no_number_of_seconds_is_said_there_is_nothing_to_compare(row: dict[str, Any], settings: Any) -> None:
    settings.HUEY = SETTINGS["HUEY"]
    settings.RQ_QUEUES = {"old": {"DEFAULT_TIMEOUT": "2h"}, "default": {}}
    settings.Q_CLUSTER = {"timeout": None}

    assert said(**row, stop_timeout=1.0) == []


def test_the_limits_of_celerys_app_count_where_the_row_has_none(celery: Callable[..., None]) -> None:
    celery(broker_read_url="redis://", task_soft_time_limit=300, task_time_limit=330)

    assert said(target=CELERY) == [stop_sentence("5 min", "Celery's task_soft_time_limit")]
    assert said(target=CELERY, kwargs={"task_soft_time_limit": 5}) == []
    assert said(command="celery worker --soft-time-limit 5") == []


def test_what_a_row_leaves_out_is_the_default_of_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    def steady_queue(context: Any, task_timeout: float = 25.0) -> None: ...

    parameters = inspect.signature(steady_queue)
    known = RegisteredJob(STEADY_QUEUE, steady_queue, is_async=False, summary="", parameters=parameters)
    monkeypatch.setattr(registry, "_registered", {STEADY_QUEUE: known})

    assert said(target=STEADY_QUEUE) == [stop_sentence("25 s", "kwargs.task_timeout")]
    assert said(target=STEADY_QUEUE, kwargs={"task_timeout": 5.0}) == []


# remedies


@pytest.mark.parametrize("target", [*ADAPTERS.values(), BEAT, DB_WORKER, STEADY_QUEUE])
def test_each_target_that_a_remedy_names_is_there(target: str) -> None:
    module, _, name = target.rpartition(".")
    folder = Path(workerd.__file__).parents[1].joinpath(*module.split("."))
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    if not file.exists():
        pytest.skip("the adapter is not there")
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    marked = [node for node in ast.parse(file.read_text()).body if isinstance(node, functions) and node.decorator_list]

    assert name in [node.name for node in marked]


PAGE = (Path(__file__).resolve().parents[2] / "docs" / "engines.md").read_text()
ROWS = {
    name: row
    for text in re.findall(r"^ *```toml\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    for name, row in tomllib.loads(text).get("jobs", {}).items()
}


@pytest.mark.parametrize("name", ROWS)
def test_the_rows_of_the_page_are_sound_and_give_no_warning(name: str) -> None:
    values, faults = read_written(ROWS[name])

    assert faults == find_written_faults(name, values) == []
    assert [*find_consumer_warnings(JobSpec(name, **values))] == []
