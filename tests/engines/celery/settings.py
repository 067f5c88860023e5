"""The site with Celery."""

import os
from pathlib import Path

from kombu import Queue

from tests.engines.settings import *  # noqa: F403
from tests.engines.settings import BROKER, WORKERD

QUEUE = os.environ["ENGINES_QUEUE"]
PATIENT, LIMITED = f"{QUEUE}-patient", f"{QUEUE}-limited"
"""Queues that lend a task as often as it comes back, and three times."""

WORKERD = {**WORKERD, "ENGINES": ["celery"], "PRELOAD": ["tests.engines.celery.tasks"]}
CELERY_BROKER_URL = BROKER
if BROKER == "filesystem://":
    FILES = Path(os.environ["WORKERD_STATE_DIR"]).with_name("files")
    FILES.mkdir(exist_ok=True)
    FOLDERS = ("data_folder_in", "data_folder_out", "processed_folder", "control_folder")
    CELERY_BROKER_TRANSPORT_OPTIONS = dict.fromkeys(FOLDERS, str(FILES))
CELERY_TASK_ACKS_LATE = CELERY_TASK_REJECT_ON_WORKER_LOST = os.environ["ENGINES_ACKS"] == "late"
CELERY_TASK_DEFAULT_QUEUE = QUEUE
CELERY_TASK_QUEUES = [
    Queue(QUEUE),
    Queue(PATIENT),
    Queue(LIMITED, queue_arguments={"x-queue-type": "quorum", "x-delivery-limit": 2}),
]
SCHEDULED = 999_999_999
"""The number of the task that Celery's beat sends, where it runs."""
CELERY_BEAT_SCHEDULE = {"work": {"task": "tests.engines.shop.work.do_work", "schedule": 1.0, "args": (SCHEDULED, 0.0)}}
CELERY_BEAT_SCHEDULE_FILENAME = str(Path(os.environ["WORKERD_STATE_DIR"]).with_name("celery-beat"))
ENQUEUE = "tests.engines.celery.tasks.enqueue"
