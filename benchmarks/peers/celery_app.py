"""A Celery application whose pool processes note their first line."""

import django
from celery import Celery
from celery.signals import worker_process_init

from benchmarks.peers.work import note

django.setup()
app = Celery("benchmark", broker="memory://")
worker_process_init.connect(note)
