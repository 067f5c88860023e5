"""The app of the bad jobs."""

from django.apps import AppConfig


class BadJobsConfig(AppConfig):
    name = "tests.process.bad_jobs"
    label = "bad_jobs"
    default_auto_field = "django.db.models.BigAutoField"
