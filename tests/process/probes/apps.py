"""The app of the probes."""

from django.apps import AppConfig


class ProbesConfig(AppConfig):
    name = "tests.process.probes"
    label = "probes"
