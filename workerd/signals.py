"""Django signals around a job's run in its child. Receivers get ``context``; what they raise is logged."""

from django.dispatch import Signal

child_started = Signal()
"""Sent when the target is resolved and about to be called: open exporters and clients here, after the fork."""

child_stopping = Signal()
"""Sent when the job has ended, however it did, before the process ends: flush Sentry or OpenTelemetry here.

``exit_code`` says how it ended. The process leaves by ``os._exit``, so ``atexit`` functions do not run.
"""
