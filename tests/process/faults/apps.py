"""The faults' application."""

from django.apps import AppConfig


class FaultsConfig(AppConfig):
    name = "tests.process.faults"
    label = "faults"
