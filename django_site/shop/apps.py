"""The shop's application. Like the apps of many projects, it reads a row from the database when it is loaded."""

import warnings

from django.apps import AppConfig
from django.db import Error


class ShopConfig(AppConfig):
    """Keeps the shop's title as the database had it when this process loaded the project."""

    name = "shop"
    title = "The shop"

    def ready(self) -> None:
        """Read the title: a process that loads the project has an open connection from here on.

        Django warns against queries at this point. Projects make them all the same, and so does the demo.
        """
        from .models import Setting

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Accessing the database during app initialization", RuntimeWarning)
            try:
                self.title = Setting.read("title", self.title)
            except Error:
                return  # not migrated yet, or not reachable now: the default stays
