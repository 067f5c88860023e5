"""The storm's application: like many a project's, it queries when it is loaded, here on every database."""

import warnings

from django.apps import AppConfig


class StormConfig(AppConfig):
    name = "tests.process.storm"
    label = "storm"

    def ready(self) -> None:
        from .sessions import leave_open

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Accessing the database during app initialization", RuntimeWarning)
            leave_open()
