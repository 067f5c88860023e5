"""The exit codes of daemon, forkserver, children and command. Numbers from 64 on are those of sysexits.h."""

DONE = 0
FAILED = 1
USAGE = 2
NO_DAEMON = 3
OWN_FAULT = 70
"""EX_SOFTWARE: a fault of workerd's own. From a child: the process could not be set up."""
TRY_LATER = 75
"""EX_TEMPFAIL: another daemon has this NAME. From a child: start it later, and do not count this as a failure."""
REFUSED = 78
"""EX_CONFIG: settings or a STATE_DIR that a restart does not cure. From a child: it cannot run as configured."""
