"""What ``check`` reads of Celery is what Celery itself goes by; one interpreter with a real app tells all of it."""

import json
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.backends("any"),
    pytest.mark.skipif(find_spec("celery") is None, reason="celery is not installed"),
]

BEGIN = """
import json, threading
from django.conf import settings
settings.configure(CELERY_TASK_ACKS_LATE=True, CELERY_TASK_TIME_LIMIT=90)
from workerd.consumers.celery_app import is_on_amqp, read_conf, unlimited_queues
import celery
from kombu import Queue
told = {"no app": [is_on_amqp(), read_conf("task_acks_late"), unlimited_queues(["mail"])]}
def new_app():
    app = celery.Celery("shop")
    app.config_from_object("django.conf:settings", namespace="CELERY")
    return app
app = new_app()
def read_there():
    told["thread"] = [read_conf("task_acks_late"), read_conf("task_time_limit")]
thread = threading.Thread(target=read_there)
thread.start()
thread.join()
queues = {*app.amqp.queues}
"""
AMQP = [None, "amqps://here", ["pyamqp://a", "amqp://b"]]
OTHERS = ["redis://here", ["sqs://"]]
LIMITED = '{"x-queue-type": "quorum", "x-delivery-limit": 5}'
UNLIMITED = {
    "pass": {"mail": False, "celery": False},
    'app.conf.task_default_queue_type = "quorum"': {"mail": False, "celery": True},
    f'app.conf.task_queues = [Queue("mail", queue_arguments={LIMITED}), Queue("celery")]': {"celery": False},
    f'app.conf.task_queues = {{"mail": {{"queue_arguments": {LIMITED}}}}}': {"celery": False},
}


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    brokers = [f"app.conf.broker_url = {url!r}\ntold[{str(url)!r}] = is_on_amqp()" for url in (*AMQP, *OTHERS)]
    ways = [f"app = new_app()\n{way}\ntold[{way!r}] = unlimited_queues(['mail', 'celery'])" for way in UNLIMITED]
    kept = "told['queues are kept'] = {*app.amqp.queues} == queues"
    script = "\n".join([BEGIN, *brokers, *ways[:1], kept, *ways, "print(json.dumps(told))"])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_no_app_is_made_for_it(told: dict[str, Any]) -> None:
    assert told["no app"] == [False, None, {}]


def test_the_settings_are_those_of_the_projects_app_in_any_thread(told: dict[str, Any]) -> None:
    assert told["thread"] == [True, 90]


def test_the_broker_is_the_one_that_the_worker_reads_from(told: dict[str, Any]) -> None:
    assert [url for url in (*AMQP, *OTHERS) if told[str(url)]] == AMQP


def test_queues_without_a_limit_are_found_as_celery_declares_them(told: dict[str, Any]) -> None:
    assert {way: told[way] for way in UNLIMITED} == UNLIMITED


def test_the_queues_of_the_app_stay_as_they_are(told: dict[str, Any]) -> None:
    assert told["queues are kept"]
