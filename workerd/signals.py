"""Django signals around a job's run, sent in its child.

Receivers get ``context``, the run's JobContext. An exception in a receiver is logged by Django and stops nothing.
"""

from django.dispatch import Signal

child_started = Signal()
"""Sent after the fork, when the target is resolved and called next: open exporters and clients here."""

child_stopping = Signal()
"""Sent when the job has ended, with or without an error, and its process ends next: flush Sentry or OpenTelemetry here.

Receivers also get ``exit_code``, an int: 0 where the job returned. After it the process does what Python does at its
end: it waits for its threads and calls the functions of ``atexit``.
"""
