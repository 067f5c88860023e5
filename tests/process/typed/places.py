"""Where a command line is run by a test; few are merely parsed, each with its reason. A new one may be in no list."""

import enum
import re

from .pages import Line


class Place(enum.Enum):
    """What stands ready for a line: see the tests that ask for it."""

    PROJECT = "beside a project whose daemon runs"
    SYSTEMD = "in a machine under systemd"
    SUPERVISOR = "beside a supervisord"
    NOWHERE = "merely parsed"


PLACES = {
    Place.PROJECT: (
        r"python3 -m venv \.venv",
        r"(\.venv/bin/)?python (django_site/)?manage\.py( .*)?",
        r"\.venv/bin/pytest( --whole)?",
        r"python manage\.py workerd export > jobs\.toml\npython manage\.py workerd import jobs\.toml",
        r"python -m workerd status",
        r"python -m workerd\.forksafe audit\necho \$\?",
        r"python -m benchmarks\.fork_proof",
    ),
    Place.SYSTEMD: (
        r"systemctl (daemon-reload|(enable --now|status|reload) workerd(@shop)?)",
        r"systemd-analyze security workerd",
        r"journalctl -u workerd -o cat \| python manage\.py workerd tail( --level error)? -",
    ),
    Place.SUPERVISOR: (r"supervisorctl (reread|update|status|tail -f workerd|stop mail)",),
}
PARSED = {
    r"(\.venv/bin/)?pip install .*": "fetches packages; .ci/run does the README's",
    r"git pull": "needs a repository to pull from",
    r"kubectl .*": "needs a cluster; tests/test_kubernetes.py and tests/process/test_docker.py try its files",
    r"docker .*": "needs an engine; tests/process/test_docker.py and tests/test_compose.py try what it would start",
    r"python -m tests\.soak .*": "two minutes of every fault, on a database server that it kills",
    r"python -m benchmarks\.(scale|restart_latency|peers|memory|forksafe_costs URL)": "minutes on an idle machine",
    r"python -m benchmarks\.(due_latency|board|sampling|printed_lines|polling \[URL\])": "minutes on an idle machine",
    r"python -m benchmarks\.noise": "half a minute of noise",
    r"python -m benchmarks\.(fleet_load|failover .*)": "minutes on an idle machine, and a database server",
    r"python manage\.py workerd reload --fleet.*": "tests/process/test_fleet_turns.py does so with two nodes",
    r"python manage\.py workerd drain web@web2.*": "needs a second node; tests/process/test_fleet_verbs.py drains one",
}


def find_place(line: Line) -> Place | None:
    """Return where it is run, None where nobody has decided that."""
    if any(re.fullmatch(pattern, line.text) for pattern in PARSED):
        return Place.NOWHERE
    for place, patterns in PLACES.items():
        if any(re.fullmatch(pattern, line.text) for pattern in patterns):
            return place
    return None
