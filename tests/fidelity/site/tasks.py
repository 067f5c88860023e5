"""What the packages find by their autodiscovery: the case's function that hands out work."""

import os

from tests.fidelity.case import load_module

_module = load_module(os.environ["FIDELITY_CASE"])
enqueue = _module.define()
app = getattr(_module, "app", None)
"""Celery's, which its command line looks for under this name."""
