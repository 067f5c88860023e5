"""Exit codes, one table for daemon, forkserver, children and command (the numbers of sysexits.h where it has one)."""

DONE = 0
FAILED = 1
USAGE = 2
NO_DAEMON = 3
OWN_FAULT = 70
"""EX_SOFTWARE: a fault of workerd's own; of a child, that it could not be set up."""
TRY_LATER = 75
"""EX_TEMPFAIL: another daemon of this NAME; of a child, that it wants to be started again later, uncounted."""
REFUSED = 78
"""EX_CONFIG: settings or a STATE_DIR that a restart does not cure; of a child, a job that cannot run as configured."""
