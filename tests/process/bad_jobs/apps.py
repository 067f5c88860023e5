"""The victims' application."""

from django.apps import AppConfig


class VictimsConfig(AppConfig):
    name = "tests.process.bad_jobs"
    label = "victims"
    default_auto_field = "django.db.models.BigAutoField"
