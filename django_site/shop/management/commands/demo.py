"""Sets the demo up: tables, the shop's first rows, the jobs of jobs.toml, and a user who may log in."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop.demo import PASSWORD, PORT, USER, admin_address, move_admin_to
from shop.opening import open_shop
from workerd.definitions.declared import read_declared, source_name
from workerd.sync.choices import Choices
from workerd.sync.report import Report
from workerd.sync.syncing import sync
from workerd.sync.writing import Request


class Command(BaseCommand):
    """Creates what is missing, and keeps what was edited."""

    help = "Migrate, open the shop, sync the demo's jobs, and create its admin user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, help=f"serve the admin here (default: {PORT}, or as the row says)")

    def handle(self, *, verbosity: int, port: int | None, **_: Any) -> None:
        call_command("migrate", interactive=False, verbosity=max(0, verbosity - 1))
        open_shop()
        report = self._sync()
        if port is not None:
            move_admin_to(port)
        users = get_user_model()
        if not users.objects.filter(username=USER).exists():
            users.objects.create_superuser(USER, password=PASSWORD)
        if verbosity:
            for line in report.lines():
                self.stdout.write(line)
            if address := admin_address():
                self.stdout.write("The admin is one of the jobs; once workerd runs:")
                login = f"user {USER}, password {PASSWORD} unless you changed it"
                self.stdout.write(f"  http://{address}/admin/  {login}")

    def _sync(self) -> Report:
        """Do what “workerd sync” does. Rows of the demo before it had a jobs.toml are taken over, edits and all."""
        declared = read_declared()
        if declared.faults:
            raise CommandError("\n".join(map(str, declared.faults)))
        choices = Choices(adopt=frozenset(declared.definitions))
        return sync(Request(declared.definitions, source_name(), choices))
