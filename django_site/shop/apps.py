"""The shop's application; like many a project's, it reads a row of settings from the database when it is loaded."""

import warnings

from django.apps import AppConfig
from django.db import Error


class ShopConfig(AppConfig):
    """Keeps the shop's title, as it stood in the database when this process loaded the project."""

    name = "shop"
    title = "The shop"

    def ready(self) -> None:
        """Read the title: from here on each process that loads the project has an open connection.

        Django advises against queries at this point, by a warning; projects do it all the same, and so does the demo.
        """
        from .models import Setting

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Accessing the database during app initialization", RuntimeWarning)
            try:
                self.title = Setting.read("title", self.title)
            except Error:
                return  # not migrated yet, or not reachable now: the default will do
