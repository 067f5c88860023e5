"""The signal at which a child writes every thread's stack. Real-time: the ordinary ones belong to the job."""

import signal

DUMP_SIGNAL = signal.SIGRTMIN + 7
