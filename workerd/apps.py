"""The Django app. ``ready()`` registers checks and signals, and does nothing else."""

import gc
import sys
from types import ModuleType

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkerdConfig(AppConfig):
    """Rows, admin and checks of workerd; in a forkserver it installs fork safety before any other app is ready."""

    name = "workerd"
    verbose_name = _("Background jobs")
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        if sys.argv[1:3] == ["workerd", "run"]:
            # Garbage collections take a tenth of the time that a project takes to load, and find next to nothing. "run"
            # becomes the daemon, whose interpreter starts anew. A forkserver keeps them: what they free early is used
            # again by the load, and not by each child in memory of its own.
            gc.disable()
        from .forkserver import bootstrap

        if bootstrap.is_forkserver(sys.argv):
            bootstrap.start()

    def ready(self) -> None:
        from . import checks, push

        checks.register()
        push.connect()
