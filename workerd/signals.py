"""Django signals: around a job's run, sent in its child, and for alerts, sent in the notifier.

Those of a run give receivers ``context``, its JobContext. An exception in a receiver is logged by Django and stops
nothing.
"""

from django.dispatch import Signal

child_started = Signal()
"""Sent after the fork, when the target is resolved and called next: open exporters and clients here."""

child_stopping = Signal()
"""Sent when the job has ended, with or without an error, and its process ends next: flush Sentry or OpenTelemetry here.

Receivers also get ``exit_code``, an int: 0 where the job returned. After it the process does what Python does at its
end: it waits for its threads and calls the functions of ``atexit``.
"""

alert_raised = Signal()
"""Sent in the notifier for each alert that leaves: ``alert``, a frozen ``workerd.notifier.alert.Alert``."""

alert_resolved = Signal()
"""Sent in the notifier when what an alert was about is over, with the same ``alert`` in its later state.

Where it was over before it could be sent, ``alert.state`` is “passed”, and ``alert_raised`` was not sent for it.
"""
