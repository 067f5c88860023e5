"""Sets the demo up: tables, the shop's first rows, its jobs, and a user who may log in."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from shop.demo import JOBS, PASSWORD, PORT, USER, admin_address, create_jobs, move_admin_to
from shop.opening import open_shop


class Command(BaseCommand):
    """Creates what is missing, and changes nothing that exists."""

    help = "Migrate, open the shop, and create the demo's jobs and its admin user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, help=f"serve the admin here (default: {PORT}, or as the row says)")

    def handle(self, *, verbosity: int, port: int | None, **_: Any) -> None:
        call_command("migrate", interactive=False, verbosity=max(0, verbosity - 1))
        open_shop()
        created = create_jobs()
        if port is not None:
            move_admin_to(port)
        users = get_user_model()
        if not users.objects.filter(username=USER).exists():
            users.objects.create_superuser(USER, password=PASSWORD)
        if verbosity:
            self.stdout.write(f"{len(JOBS)} jobs, {created} of them new. The admin is one of them; once workerd runs:")
            login = f"user {USER}, password {PASSWORD} unless you changed it"
            self.stdout.write(f"  http://{admin_address()}/admin/  {login}")
