"""The victims' application."""

from django.apps import AppConfig


class VictimsConfig(AppConfig):
    name = "tests.process.victims"
    label = "victims"
    default_auto_field = "django.db.models.BigAutoField"
