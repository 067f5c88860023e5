"""The soak's app: has every child report."""

from django.apps import AppConfig


class SoakConfig(AppConfig):
    """Connects ``write_report`` to the start of every child."""

    name = "tests.soak"
    label = "soak"

    def ready(self) -> None:
        """Have every child of every job write a report."""
        from workerd.signals import child_started

        from .evidence import write_report

        child_started.connect(write_report)
