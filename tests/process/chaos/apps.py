"""The app of the chaos tests. As the apps of many projects do, it queries its databases when it is loaded."""

import warnings

from django.apps import AppConfig


class ChaosConfig(AppConfig):
    name = "tests.process.chaos"
    label = "chaos"

    def ready(self) -> None:
        from .sessions import leave_open

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Accessing the database during app initialization", RuntimeWarning)
            leave_open()
