"""The soak's application: hears of every child that starts."""

from django.apps import AppConfig


class SoakingConfig(AppConfig):
    """Connects the testimony."""

    name = "tests.soak"
    label = "soaking"

    def ready(self) -> None:
        """Have every child of every job testify."""
        from workerd.signals import child_started

        from .evidence import testify

        child_started.connect(testify)
