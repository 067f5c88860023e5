"""The rows of the demo's jobs, and its login."""

from typing import Any

from workerd.models import Job

USER, PASSWORD = "admin", "admin"
"""The server listens on loopback only, and its data is worth nothing."""

ADMIN, PORT = "admin-site", 8000


def serve_admin_at(port: int) -> str:
    """Return the command line of the admin's server; ``--insecure`` serves its style sheets although DEBUG is off."""
    return f"runserver --noreload --insecure 127.0.0.1:{port}"


JOBS: tuple[dict[str, Any], ...] = (
    {
        "name": ADMIN,
        "command": serve_admin_at(PORT),
        "notes": "This admin: Django's development server, a management command like any other.",
    },
    {
        "name": "transfer-stock",
        "target": "shop.jobs.transfer_stock",
        "processes": 2,
        "notes": "Books movements in two processes. Change the number of processes and watch.",
    },
    {"name": "place-orders", "target": "shop.jobs.place_orders", "notes": "Plays the customers."},
    {
        "name": "ship-orders",
        "target": "shop.jobs.ship_orders",
        "kwargs": {"warehouse": "main"},
        "processes": 2,
        "notes": "Two processes share the orders; none is shipped twice.",
    },
    {"name": "audit-books", "target": "shop.jobs.audit_books", "notes": "Fails if the books do not balance."},
    {"name": "price-feed", "target": "shop.jobs.price_feed", "notes": "An async function."},
    {
        "name": "expire-carts",
        "command": "expire_carts --every 5",
        "heartbeat_timeout": 60,
        "notes": "A management command without a line for workerd; its queries count as signs of life.",
    },
    {
        "name": "count-stock",
        "target": "shop.stocktaking.count_stock",
        "notes": 'A plain function, allowed by WORKERD["TARGETS"].',
    },
    {
        "name": "call-courier",
        "target": "shop.mishaps.call_courier",
        "notes": "Crashes about every half minute, and is started again.",
    },
    {
        "name": "print-labels",
        "target": "shop.mishaps.print_labels",
        "heartbeat_timeout": 5,
        "stop_timeout": 2,
        "notes": "Hangs after half a minute and ignores a graceful stop; its heartbeat timeout is five seconds.",
    },
    {
        "name": "build-catalogue",
        "target": "shop.mishaps.build_catalogue",
        "max_memory": 64,
        "notes": "Leaks 2 MiB a second; its memory limit is 64 MiB.",
    },
)


def create_jobs() -> int:
    """Create the jobs that do not exist, and return how many those were. Existing rows keep their edits."""
    return sum(Job.objects.get_or_create(name=row["name"], defaults=row)[1] for row in JOBS)


def move_admin_to(port: int) -> None:
    Job.objects.filter(name=ADMIN).update(command=serve_admin_at(port))


def admin_address() -> str:
    """Return the address on which the row has the admin's server listen."""
    return Job.objects.get(name=ADMIN).command.rpartition(" ")[2]
