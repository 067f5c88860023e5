"""The witnesses' application."""

from django.apps import AppConfig


class WitnessesConfig(AppConfig):
    name = "tests.process.probes"
    label = "witnesses"
