"""The Django app; ``ready()`` only registers."""

import sys
from types import ModuleType

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkerdConfig(AppConfig):
    """Rows, admin and checks of workerd."""

    name = "workerd"
    verbose_name = _("Background jobs")
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        from .forkserver import bootstrap

        if bootstrap.is_forkserver(sys.argv):
            bootstrap.start()

    def ready(self) -> None:
        """Register the system checks, and what wakes the ledger."""
        from . import checks, push

        checks.register()
        push.connect()
