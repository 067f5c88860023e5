"""The project's Celery app."""

from typing import Any

from celery import current_app
from django.core.exceptions import ImproperlyConfigured


def find_app() -> Any:
    """Return the current app. Raises ImproperlyConfigured where the project has made none."""
    app = current_app._get_current_object()
    if not app.set_as_current:  # the one that Celery makes up
        raise ImproperlyConfigured(
            "No Celery app has been made in this process. Import the module that makes it where the project is loaded: "
            'name it in WORKERD["PRELOAD"].'
        )
    return app
