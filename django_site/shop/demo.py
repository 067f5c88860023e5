"""The demo's login, and where its admin is served."""

from django.core.management.base import CommandError

from workerd.models import Job

USER, PASSWORD = "admin", "admin"
"""The server listens on loopback only, and its data is worth nothing."""

ADMIN, PORT = "admin-site", 8000


def move_admin_to(port: int) -> None:
    """Edit the row: to sync that is a drift from jobs.toml, which it reports and keeps."""
    job = Job.objects.filter(name=ADMIN).first()
    if job is None:
        raise CommandError(f"The definitions have no job “{ADMIN}”: put it back into jobs.toml, or leave --port out.")
    job.command = f"{job.command.rpartition(':')[0]}:{port}"
    job.save()


def admin_address() -> str:
    """Return the address on which the row has the admin's server listen, "" where the definitions have none."""
    job = Job.objects.filter(name=ADMIN).first()
    return "" if job is None else job.command.rpartition(" ")[2]
