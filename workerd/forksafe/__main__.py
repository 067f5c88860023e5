"""``python -m workerd.forksafe audit [PID…]``: which processes share a database session, on this machine, now."""

import argparse
import sys

from .audit import DATABASE_PORTS, audit


def main(arguments: list[str] | None = None) -> int:
    """Print what ``audit`` finds; return 1 where a session is shared, 0 where none is, 2 for a wrong call."""
    parser = argparse.ArgumentParser(prog="python -m workerd.forksafe", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("audit", help="find processes that hold the same socket to a database server")
    verb.add_argument("pids", metavar="PID", nargs="*", type=int, help="only sessions that one of these holds")
    known = ", ".join(map(str, sorted(DATABASE_PORTS)))
    verb.add_argument("--port", action="append", type=int, default=[], help=f"a server's port besides {known}")
    options = parser.parse_args(arguments)
    found = audit(pids=options.pids, ports=DATABASE_PORTS | set(options.port))
    lines = [str(one) for one in found.shared] or ["No two processes share a database session."]
    sys.stdout.write("\n".join(lines) + "\n")
    if found.unreadable:
        sys.stderr.write(f"Processes that could not be looked at: {found.unreadable} (root sees all).\n")
    return 1 if found.shared else 0


if __name__ == "__main__":
    sys.exit(main())
