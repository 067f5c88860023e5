"""Benchmarks, each run as ``python -m benchmarks.NAME`` from the repository's root.

``restart_latency``: how soon a killed child has a successor. ``scale``: what a thousand children cost. ``memory``: what
a child and the daemon hold of their own, beside a bare fork. ``log_relay``: how many log lines a second the daemon
relays. ``status_latency``: how long a ``status`` takes the daemon.
``heartbeat``: what a beat costs a child. ``forksafe_costs``: what fork safety costs. ``fork_proof``: what each strategy
about database connections and fork() does. ``admin_pages``: what the admin's pages cost. ``board``: what the
board of a big fleet costs. ``peers``: what workerd, supervisor, circus, gunicorn and celery cost on the same work.
``fleet_load``: what hundreds of nodes cost one PostgreSQL. ``failover``: how long a singleton of the fleet is nowhere.
"""

import sys
from pathlib import Path

SITE = str(Path(__file__).resolve().parents[1] / "django_site")
if SITE not in sys.path:  # the demo project, whose settings and database URLs the benchmarks use
    sys.path.insert(0, SITE)
