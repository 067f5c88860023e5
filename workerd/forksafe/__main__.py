"""``python -m workerd.forksafe audit [PID…]``: lists the processes on this machine that share a database session."""

import argparse
import sys

from .audit import DATABASE_PORTS, audit


def main(arguments: list[str] | None = None) -> int:
    """Print what ``audit`` finds; return 1 where a session is shared, 0 where none is, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m workerd.forksafe", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("audit", help="find processes that hold the same socket to a database server")
    verb.add_argument(
        "pids", metavar="PID", nargs="*", type=int, help="list only sessions that one of these processes holds"
    )
    known = ", ".join(map(str, sorted(DATABASE_PORTS)))
    verb.add_argument(
        "--port",
        action="append",
        type=int,
        default=[],
        help=f"also look at this server port (always looked at: {known})",
    )
    options = parser.parse_args(arguments)
    findings = audit(pids=options.pids, ports=DATABASE_PORTS | set(options.port))
    lines = [str(session) for session in findings.shared] or ["No two processes share a database session."]
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.stdout.write("\n".join(lines) + "\n")
    if findings.unreadable:
        sys.stderr.write(f"Processes that could not be read: {findings.unreadable}; root can read all of them.\n")
    return 1 if findings.shared else 0


if __name__ == "__main__":
    sys.exit(main())
