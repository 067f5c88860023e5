"""The Django app. ``ready()`` registers checks and signals, and does nothing else."""

import sys
from types import ModuleType

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkerdConfig(AppConfig):
    """Rows, admin and checks of workerd.

    In a forkserver it installs fork safety before any other app is ready; ``workerd run``, and a verb that asks the
    daemon, do not wait for the apps.
    """

    name = "workerd"
    verbose_name = _("Background jobs")
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        from .forkserver import bootstrap

        if bootstrap.is_forkserver(sys.argv):
            bootstrap.start()
        elif sys.argv[1:2] == ["workerd"] and len(sys.argv) > 2:
            from .management.early_verbs import run_early

            run_early(sys.argv)

    def ready(self) -> None:
        from . import checks, push

        checks.register()
        push.connect()
