"""The keys of ``WORKERD``: what each is for, its default, how its value is read, and the remedy where it cannot be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .alert_entries import find_entries
from .engines import PACKAGES
from .setting_values import (
    CENTURY_S,
    DOTTED,
    or_none,
    read_before_fork,
    read_bind,
    read_circle,
    read_database,
    read_flag,
    read_labels,
    read_log_format,
    read_log_level,
    read_name,
    read_path,
    read_paths,
    read_retention,
    read_seconds,
    read_strings,
    read_whole,
)

_SECRETS = ("password", "passwd", "passphrase", "secret", "token", "key", "credential", "dsn")


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``read`` returns the attribute's value; ValueError or TypeError says that it is not ``expected``."""

    attribute: str
    says: str
    """A phrase that says what the key is for, as docs/settings.md shows it."""
    default: Any
    read: Callable[[Any], Any]
    expected: str
    remedy: str


KEYS: Mapping[str, Key] = {
    "NAME": Key(
        attribute="name",
        says="tells daemons on one host apart, in STATE_DIR, in the admin, in `ps` and in database sessions",
        default="workerd",
        read=read_name,
        expected="a slug of at most 60 characters",
        remedy='Use letters, digits, - and _, such as "shop-workerd".',
    ),
    "STATE_DIR": Key(
        attribute="state_dir",
        says=(
            "the daemon's folder for its lock, socket and journal, on a local disk; the daemon makes it, "
            "and does not start without this key"
        ),
        default=None,
        read=or_none(read_path),
        expected="an absolute path",
        remedy='Name a directory on a local disk, such as "/var/lib/shop/workerd".',
    ),
    "DATABASE": Key(
        attribute="database",
        says="the alias of the database with workerd's tables",
        default="default",
        read=read_database,
        expected="an alias in DATABASES",
        remedy="Name the alias of the database that holds workerd's tables.",
    ),
    "POLL_SECONDS": Key(
        attribute="poll_seconds",
        says=(
            "how often the ledger looks for edited rows and for orders, in seconds; on PostgreSQL a NOTIFY "
            "wakes it before that; of more than 100 nodes each looks less often"
        ),
        default=1.0,
        read=read_seconds(0.01, 3600),
        expected="a number of seconds from 0.01 to 3600",
        remedy="1.0 is right unless edits may take longer to act.",
    ),
    "PRELOAD": Key(
        attribute="preload",
        says=(
            "modules that are imported once, before the first process starts, besides the module `jobs` of "
            "each app: their functions marked `@job` are found, and processes share the memory of what they "
            "import instead of loading it each"
        ),
        default=(),
        read=read_strings(DOTTED),
        expected="a list of dotted module names",
        remedy='Write a list, such as ["shop.pricing"].',
    ),
    "TARGETS": Key(
        attribute="targets",
        says=(
            "patterns of dotted paths that a row's target may name besides functions marked `@job`; `*` also "
            "matches dots"
        ),
        default=(),
        read=read_strings(r"[\w.*?\[\]!-]+"),
        expected="a list of dotted patterns",
        remedy='Write a list, such as ["shop.tasks.*"].',
    ),
    "COMMANDS": Key(
        attribute="commands",
        says="management commands that a row may run",
        default=(),
        read=read_strings(r"\w[\w-]*"),
        expected="a list of management commands' names without arguments",
        remedy='Write a list, such as ["db_worker"].',
    ),
    "BEFORE_FORK": Key(
        attribute="before_fork",
        says=(
            "functions that are called before each fork, to close what a process must not inherit; an "
            "exception refuses the fork"
        ),
        default=(),
        read=read_before_fork,
        expected="a list of callables or dotted paths to them",
        remedy='Write a list, such as ["shop.search.close_clients"].',
    ),
    "STRICT_FORK": Key(
        attribute="strict_fork",
        says=(
            "whether a living thread, or a connection to any server, refuses the fork; if not, a warning names each "
            "connection"
        ),
        default=False,
        read=read_flag,
        expected="True or False",
        remedy="True refuses to fork beside living threads and connections.",
    ),
    "CONN_MAX_AGE": Key(
        attribute="conn_max_age",
        says=("after how many seconds a job's database connection is closed between two turns; None keeps it for good"),
        default=300.0,
        read=or_none(read_seconds(0, CENTURY_S)),
        expected="a number of seconds, or None",
        remedy="0 closes connections after each turn, None keeps them for good.",
    ),
    "LOG_FORMAT": Key(
        attribute="log_format",
        says="how the daemon writes its log: `auto` is colours on a terminal and JSON elsewhere",
        default="auto",
        read=read_log_format,
        expected='"auto", "json" or "console"',
        remedy='"auto" writes colours on a terminal and JSON elsewhere.',
    ),
    "HTTP_BIND": Key(
        attribute="http_bind",
        says="where `/livez`, `/readyz` and `/metrics` are served; None serves none",
        default=None,
        read=or_none(read_bind),
        expected='"HOST:PORT", or None',
        remedy='Write "127.0.0.1:9187" or "[::1]:9187".',
    ),
    "RUN_RETENTION": Key(
        attribute="run_retention_s",
        says="for how long ended runs are kept",
        default=timedelta(days=30),
        read=read_retention,
        expected='a timedelta, seconds, or text such as "30 d"',
        remedy="Use timedelta(days=30).",
    ),
    "SPOOL_MAX": Key(
        attribute="spool_max_bytes",
        says=(
            "how many bytes the journal may hold while the database is out, 64 MiB unless set; the oldest runs go first"
        ),
        default=64 * 2**20,
        read=read_whole(2**20, 2**40),
        expected="a number of bytes from 1 MiB to 1 TiB",
        remedy="Use 64 * 1024 * 1024.",
    ),
    "MAX_UNAVAILABLE": Key(
        attribute="max_unavailable",
        says="how many slots a reload moves, and a drain gives away, at a time; None is one in ten, and at least one",
        default=None,
        read=or_none(read_whole(1, 1_000_000)),
        expected="a whole number from 1, or None",
        remedy="None is one slot in ten, and at least one.",
    ),
    "SECRET_KWARGS": Key(
        attribute="secret_kwargs",
        says="patterns of the names of arguments, of commands' options and of variables whose values the admin masks",
        default=tuple(f"*{word}*" for word in _SECRETS),
        read=read_strings(r".+"),
        expected="a list of patterns",
        remedy='Write a list, such as ["*password*", "*token*"].',
    ),
    "EXIT_WHEN_PARKED": Key(
        attribute="exit_when_parked",
        says="whether the daemon ends with code 70 when a job marked *significant* is parked",
        default=False,
        read=read_flag,
        expected="True or False",
        remedy="True ends the daemon when a significant job is parked.",
    ),
    "LOG_LEVEL": Key(
        attribute="log_level",
        says="the least level that is logged of a project whose LOGGING has no handler; None is as in Python: WARNING",
        default=None,
        read=or_none(read_log_level),
        expected='the name of a level, such as "INFO", or None',
        remedy="None shows of a project without LOGGING what Python shows: WARNING and above.",
    ),
    "ENV": Key(
        attribute="env",
        says=(
            'environment variables that a row may take by `{"$env": "NAME"}`: names, or patterns such as '
            "`SHOP_*`; whoever may change a job gets at their values"
        ),
        default=(),
        read=read_strings(r"[^=\0]+"),
        expected="a list of names of environment variables, or of patterns of them",
        remedy='Write a list, such as ["SHOP_MAIL_PASSWORD"].',
    ),
    "MAX_PROCESSES": Key(
        attribute="max_processes",
        says="how many processes all jobs may have together; a slot beyond that waits, and says so",
        default=1000,
        read=read_whole(1, 100_000),
        expected="a whole number from 1",
        remedy="A thousand idle processes take about 6 GB of memory.",
    ),
    "DEFINITIONS": Key(
        attribute="definitions",
        says="TOML files that define jobs; a later one overlays those before it, job by job and field by field",
        default=(),
        read=read_paths,
        expected="a list of absolute paths",
        remedy='Write a list, such as [BASE_DIR / "jobs.toml"].',
    ),
    "LABELS": Key(
        attribute="labels",
        says="what is so of this node, by names that a row's *where* asks for: “zone=a, disk!=hdd”",
        default={},
        read=read_labels,
        expected=(
            "a dictionary of at most 100 texts: names of at most 100 characters and values of at most 63, of letters, "
            "digits, - _ . and, in names, /, with a letter or a digit at both ends"
        ),
        remedy='Write a dictionary, such as {"zone": "a", "disk": "ssd"}.',
    ),
    "ENGINES": Key(
        attribute="engines",
        says=(
            "the task engines whose consumers rows may run, by a target of `workerd.contrib`: see [engines](engines.md)"
        ),
        default=(),
        read=read_strings("|".join(PACKAGES)),
        expected=f"a list of engines' names: {', '.join(PACKAGES)}",
        remedy='Write a list, such as ["celery"].',
    ),
    "ALERTS": Key(
        attribute="alerts",
        says=(
            "where alerts go, and which of them: see [alerts](alerts.md); None is a mail to ADMINS, unless DEBUG is on "
            "or ADMINS is empty"
        ),
        default=None,
        read=find_entries,
        expected="a list of ways, or None",
        remedy='Write a list, such as [{"mail": ["ops@example.org"]}].',
    ),
    "ALERT_QUIET_SECONDS": Key(
        attribute="alert_quiet_s",
        says="for how long after an alert the same one is only counted when it comes again, in seconds",
        default=900.0,
        read=read_seconds(0, 7 * 86400),
        expected="a number of seconds from 0 to 604800",
        remedy="900 is a quarter of an hour.",
    ),
    "ALERTS_PER_HOUR": Key(
        attribute="alerts_per_hour",
        says="how many alerts leave by each way within an hour, at the most; the next one says what was held back",
        default=60,
        read=read_whole(1, 100_000),
        expected="a whole number from 1",
        remedy="60 is one a minute.",
    ),
    "ALERT_DOWN_SECONDS": Key(
        attribute="alert_down_s",
        says="after how many seconds without a running process a significant job is an alert",
        default=300.0,
        read=read_seconds(1, CENTURY_S),
        expected="a number of seconds from 1",
        remedy="300.0 is right where a minute without the job does no harm.",
    ),
    "ALERT_OUT_SECONDS": Key(
        attribute="alert_out_s",
        says="after how many seconds a database that is out, or a ledger that does not run, is an alert",
        default=60.0,
        read=read_seconds(1, CENTURY_S),
        expected="a number of seconds from 1",
        remedy="60.0 is right where the database is restarted now and then.",
    ),
    "ALERT_CIRCLE": Key(
        attribute="alert_circle",
        says=(
            "how many ends of a slot's runs within how many seconds are an alert, though none is a failure; "
            "None for none"
        ),
        default=(10, 600.0),
        read=or_none(read_circle),
        expected="a whole number from 2 to 1000 and a number of seconds, or None",
        remedy="Write the number of ends and the seconds, such as (10, 600).",
    ),
}
"""The ids of the system checks follow this order, so a new key goes to the end."""
